//! What a framework's scheduler accepts: the events of its subscription.

use libproc::protocol;
use types::{AgentId, ExecutorId, FrameworkId, MasterInfo, Offer, OfferId, TaskStatus};

use crate::executor::Exit;

protocol! {
    /// What a framework's scheduler accepts, all of it from the master.
    pub protocol Scheduling {
        /// The subscription stands; nothing else comes before it.
        message Subscribed { framework_id: FrameworkId, master: MasterInfo };
        /// Resources to accept or decline.
        message Offers { offers: Vec<Offer> };
        /// The offer is void: its resources are gone, or promised elsewhere.
        message Rescind { offer_id: OfferId };
        /// News of a task. With an `update_id` it comes again until it is acknowledged.
        message Update { status: TaskStatus };
        /// An agent was lost, or with an `executor_id` only that executor.
        message Failure { agent_id: AgentId, executor_id: Option<ExecutorId>, exit: Option<Exit> };
        /// Words of an executor, passed on as they are, at most once.
        message FromExecutor {
            agent_id: AgentId,
            executor_id: ExecutorId,
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };
        /// The framework must stop: it was refused, removed, or replaced by another instance.
        message Rejected { reason: String };
    }
}
