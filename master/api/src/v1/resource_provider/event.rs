//! What the agent tells its resource providers.

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{FrameworkId, OfferOperation, Resource, ResourceProviderId, Uuid};

message! {
    /// An event the agent sends to a resource provider. The `type` says which of the bodies counts:
    /// see [`EventBody`].
    pub struct Event {
        1 kind "type": Option<EventType>,
        2 subscribed: Option<Subscribed>,
        3 apply_operation: Option<ApplyOperation>,
        4 publish_resources: Option<PublishResources>,
        5 acknowledge_operation_status: Option<AcknowledgeOperationStatus>,
        6 reconcile_operations: Option<ReconcileOperations>,
    }

    /// The body of `SUBSCRIBED`.
    pub struct Subscribed {
        1 provider_id: ResourceProviderId,
    }

    /// The body of `APPLY_OPERATION`.
    pub struct ApplyOperation {
        /// The framework.
        1 framework_id: Option<FrameworkId>,
        2 info: OfferOperation,
        /// How masters and agents call it.
        3 operation_uuid: Uuid,
        /// The version it was decided on; on another it is dropped.
        4 resource_version_uuid: Uuid,
    }

    /// The body of `PUBLISH_RESOURCES`.
    pub struct PublishResources {
        1 uuid: Uuid,
        /// The resources.
        2 resources: Vec<Resource>,
    }

    /// The body of `ACKNOWLEDGE_OPERATION_STATUS`.
    pub struct AcknowledgeOperationStatus {
        1 status_uuid: Uuid,
        2 operation_uuid: Uuid,
    }

    /// The body of `RECONCILE_OPERATIONS`.
    pub struct ReconcileOperations {
        /// Those that are not known are told.
        1 operation_uuids: Vec<Uuid>,
    }
}

enumeration! {
    /// What a resource provider is told.
    pub enum EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        ApplyOperation = 2 "APPLY_OPERATION",
        PublishResources = 3 "PUBLISH_RESOURCES",
        AcknowledgeOperationStatus = 4 "ACKNOWLEDGE_OPERATION_STATUS",
        ReconcileOperations = 5 "RECONCILE_OPERATIONS",
        Teardown = 6 "TEARDOWN",
    }
}

bodies! {
    /// What the agent tells a resource provider.
    pub enum EventBody of Event, EventType {
        Subscribed(subscribed: Subscribed),
        ApplyOperation(apply_operation: ApplyOperation),
        PublishResources(publish_resources: PublishResources),
        AcknowledgeOperationStatus(acknowledge_operation_status: AcknowledgeOperationStatus),
        ReconcileOperations(reconcile_operations: ReconcileOperations),
        Teardown,
    }
}
