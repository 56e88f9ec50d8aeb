//! What resource providers ask of their agent.

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{FrameworkId, Operation, OperationStatus, Resource, ResourceProviderId};
use crate::v1::{ResourceProviderInfo, Uuid};

message! {
    /// A call of a resource provider to the agent. The `type` says which of the bodies counts: see
    /// [`CallBody`].
    pub struct Call {
        /// The resource provider.
        1 resource_provider_id: Option<ResourceProviderId>,
        2 kind "type": Option<CallType>,
        3 subscribe: Option<Subscribe>,
        4 update_operation_status: Option<UpdateOperationStatus>,
        5 update_state: Option<UpdateState>,
        6 update_publish_resources_status: Option<UpdatePublishResourcesStatus>,
    }

    /// The body of `SUBSCRIBE`.
    pub struct Subscribe {
        1 resource_provider_info: ResourceProviderInfo,
    }

    /// The body of `UPDATE_OPERATION_STATUS`.
    pub struct UpdateOperationStatus {
        /// The framework.
        1 framework_id: Option<FrameworkId>,
        2 status: OperationStatus,
        3 latest_status: Option<Box<OperationStatus>>,
        4 operation_uuid: Uuid,
    }

    /// The body of `UPDATE_STATE`.
    pub struct UpdateState {
        /// Those that go on, or whose end is not acknowledged.
        1 operations: Vec<Operation>,
        /// The resources.
        2 resources: Vec<Resource>,
        3 resource_version_uuid: Uuid,
    }

    /// The body of `UPDATE_PUBLISH_RESOURCES_STATUS`.
    pub struct UpdatePublishResourcesStatus {
        1 uuid: Uuid,
        2 status: PublishStatus,
    }
}

enumeration! {
    /// What a resource provider can ask.
    pub enum CallType {
        Unknown = 0 "UNKNOWN",
        Subscribe = 1 "SUBSCRIBE",
        UpdateOperationStatus = 2 "UPDATE_OPERATION_STATUS",
        UpdateState = 3 "UPDATE_STATE",
        UpdatePublishResourcesStatus = 4 "UPDATE_PUBLISH_RESOURCES_STATUS",
    }

    /// Whether resources could be made usable.
    pub enum PublishStatus {
        Unknown = 0 "UNKNOWN",
        Ok = 1 "OK",
        Failed = 2 "FAILED",
    }
}

bodies! {
    /// What a resource provider asks of its agent.
    pub enum CallBody of Call, CallType {
        Subscribe(subscribe: Subscribe),
        UpdateOperationStatus(update_operation_status: UpdateOperationStatus),
        UpdateState(update_state: UpdateState),
        UpdatePublishResourcesStatus(update_publish_resources_status: UpdatePublishResourcesStatus),
    }
}
