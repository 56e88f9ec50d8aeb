//! What became of an operation.

use crate::v1::Uuid;
use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{AgentId, FrameworkId, OfferOperation, OperationId, Resource, ResourceProviderId};

message! {
    /// What is remembered of an operation.
    pub struct Operation {
        /// Not there if an operator asked.
        1 framework_id: Option<FrameworkId>,
        2 agent_id: Option<AgentId>,
        /// What was asked.
        3 info: OfferOperation,
        4 latest_status: OperationStatus,
        /// The oldest first.
        5 statuses: Vec<OperationStatus>,
        /// How masters and agents call it.
        6 uuid: Uuid,
    }

    /// News of an operation.
    pub struct OperationStatus {
        /// How the framework calls it.
        1 operation_id: Option<OperationId>,
        2 state: OperationState,
        /// A text for people.
        3 message: Option<String>,
        /// What it left, if it is finished.
        4 converted_resources: Vec<Resource>,
        /// If there, the news wants to be acknowledged.
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
