//! Offers, and the times without them.

use crate::v1::codec::macros::message;
use crate::v1::{AgentId, AllocationInfo, Attribute, DomainInfo, ExecutorId, FrameworkId, OfferId};
use crate::v1::{Resource, Unavailability, Url};

message! {
    /// Resources of one agent, offered to one framework for one of its roles.
    pub struct Offer {
        /// Offer id.
        1 id: OfferId,
        /// The framework.
        2 framework_id: FrameworkId,
        3 agent_id: AgentId,
        /// The name of the machine.
        4 hostname: String,
        /// Agent base URL.
        8 url: Option<Box<Url>>,
        /// Agent fault domain.
        11 domain: Option<DomainInfo>,
        /// What is offered; every entry has the same allocation_info.role.
        5 resources: Vec<Resource>,
        /// Agent attributes.
        7 attributes: Vec<Attribute>,
        /// This framework's executors already on that agent.
        6 executor_ids: Vec<ExecutorId>,
        /// Planned outage of the agent.
        9 unavailability: Option<Unavailability>,
        /// Role this offer is for.
        10 allocation_info: Option<AllocationInfo>,
    }

    /// Asks a framework to leave an agent.
    pub struct InverseOffer {
        /// Id (shared id space with offers).
        1 id: OfferId,
        /// Agent URL.
        2 url: Option<Box<Url>>,
        /// The framework.
        3 framework_id: FrameworkId,
        /// The agent.
        4 agent_id: Option<AgentId>,
        /// Outage asked for.
        5 unavailability: Unavailability,
        /// Which resources; empty = all.
        6 resources: Vec<Resource>,
    }

    /// How long refused resources are not offered again.
    pub struct Filters {
        /// Hold the unused/declined resources back from this role+framework on this agent; >1 y
        /// clamps to 1 y; negative = default.
        1 refuse_seconds: f64 = 5.0,
    }

    /// What a framework would like to be offered.
    pub struct Request {
        /// The agent.
        1 agent_id: Option<AgentId>,
        /// Wanted resources (ignored by the built-in allocator).
        2 resources: Vec<Resource>,
    }
}
