//! Offers, and the times without them.

use crate::v1::codec::macros::message;
use crate::v1::{AgentId, AllocationInfo, Attribute, DomainInfo, ExecutorId, FrameworkId, OfferId};
use crate::v1::{Resource, Unavailability, Url};

message! {
    /// Resources of one agent, offered to one framework for one of its roles.
    pub struct Offer {
        1 id: OfferId,
        /// The framework.
        2 framework_id: FrameworkId,
        3 agent_id: AgentId,
        /// The name of the machine.
        4 hostname: String,
        /// Where the agent serves its API.
        8 url: Option<Box<Url>>,
        11 domain: Option<DomainInfo>,
        /// All of them are allocated to one role.
        5 resources: Vec<Resource>,
        7 attributes: Vec<Attribute>,
        /// The executors of the framework that run there.
        6 executor_ids: Vec<ExecutorId>,
        /// When the machine will be out of order.
        9 unavailability: Option<Unavailability>,
        /// The role it is for.
        10 allocation_info: Option<AllocationInfo>,
    }

    /// Asks a framework to leave an agent.
    pub struct InverseOffer {
        /// From the same ids as those of offers.
        1 id: OfferId,
        2 url: Option<Box<Url>>,
        /// The framework.
        3 framework_id: FrameworkId,
        /// The agent.
        4 agent_id: Option<AgentId>,
        /// When the machine will be out of order.
        5 unavailability: Unavailability,
        /// All if none.
        6 resources: Vec<Resource>,
    }

    /// How long refused resources are not offered again.
    pub struct Filters {
        /// Five seconds for what is negative, a year for what is more.
        1 refuse_seconds: f64 = 5.0,
    }

    /// What a framework would like to be offered.
    pub struct Request {
        /// The agent.
        1 agent_id: Option<AgentId>,
        /// What it would like.
        2 resources: Vec<Resource>,
    }
}
