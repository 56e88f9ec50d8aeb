//! What became of an operation.

use crate::v1::Uuid;
use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{AgentId, FrameworkId, OfferOperation, OperationId, Resource, ResourceProviderId};

message! {
    /// What is remembered of an operation.
    pub struct Operation {
        /// Requester; unset for operator requests.
        1 framework_id: Option<FrameworkId>,
        2 agent_id: Option<AgentId>,
        /// The Offer.Operation.
        3 info: OfferOperation,
        /// Newest status.
        4 latest_status: OperationStatus,
        /// History.
        5 statuses: Vec<OperationStatus>,
        /// Internal id.
        6 uuid: Uuid,
    }

    /// News of an operation.
    pub struct OperationStatus {
        /// Framework's id.
        1 operation_id: Option<OperationId>,
        2 state: OperationState,
        /// A text for people.
        3 message: Option<String>,
        /// Result resources when FINISHED.
        4 converted_resources: Vec<Resource>,
        /// Set: must be acknowledged.
        5 uuid: Option<Uuid>,
        6 agent_id: Option<AgentId>,
        7 resource_provider_id: Option<ResourceProviderId>,
    }
}

enumeration! {
    /// Where an operation is in its life.
    pub enum OperationState {
        Unsupported = 0 "OPERATION_UNSUPPORTED",
        Pending = 1 "OPERATION_PENDING",
        Finished = 2 "OPERATION_FINISHED",
        Failed = 3 "OPERATION_FAILED",
        Error = 4 "OPERATION_ERROR",
        Dropped = 5 "OPERATION_DROPPED",
        Unreachable = 6 "OPERATION_UNREACHABLE",
        GoneByOperator = 7 "OPERATION_GONE_BY_OPERATOR",
        Recovering = 8 "OPERATION_RECOVERING",
        Unknown = 9 "OPERATION_UNKNOWN",
    }
}
