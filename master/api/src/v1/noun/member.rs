//! Masters and agents.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Address, AgentId, Attribute, DomainInfo, DurationInfo, Resource};

message! {
    /// Describes a master.
    pub struct MasterInfo {
        /// Names one life of a master.
        1 id: String,
        /// The four bytes of the address as they lie in memory, so that 127.0.0.1 is 16777343.
        2 ip: u32,
        /// Where it listens.
        3 port: u32,
        /// `master@ip:port`.
        4 pid: Option<String>,
        /// The name of the machine.
        5 hostname: Option<String>,
        /// Plain `X.Y.Z`.
        6 version: Option<String>,
        /// The same as `ip`, `port` and `hostname`, and more trustworthy.
        7 address: Option<Address>,
        8 domain: Option<DomainInfo>,
        9 capabilities: Vec<MasterCapability>,
    }

    /// Something a master can do.
    pub struct MasterCapability {
        /// Which one; none if it is not known here.
        1 kind "type": Option<MasterCapabilityType>,
    }

    /// Describes an agent to the master.
    pub struct AgentInfo {
        /// The name of the machine.
        1 hostname: String,
        /// Where it listens.
        8 port: i32 = 5051,
        /// What it was started with: nothing that was reserved or made since.
        3 resources: Vec<Resource>,
        /// What it tells about itself.
        5 attributes: Vec<Attribute>,
        /// Not there before it is registered.
        6 id: Option<AgentId>,
        10 domain: Option<DomainInfo>,
        /// Its tasks outlive its restart. It belongs to the API before this one, but masters send
        /// it.
        7 checkpoint: Option<bool>,
    }

    /// Something an agent can do.
    pub struct AgentCapability {
        /// Which one; none if it is not known here.
        1 kind "type": Option<AgentCapabilityType>,
    }

    /// How an agent is drained.
    pub struct DrainConfig {
        /// No task has longer to stop.
        1 max_grace_period: Option<DurationInfo>,
        /// Once empty, it is gone for good.
        2 mark_gone: bool = false,
    }

    /// The draining of an agent.
    pub struct DrainInfo {
        1 state: DrainState,
        2 config: DrainConfig,
    }
}

enumeration! {
    /// What a master can do.
    pub enum MasterCapabilityType {
        Unknown = 0 "UNKNOWN",
        AgentUpdate = 1 "AGENT_UPDATE",
        AgentDraining = 2 "AGENT_DRAINING",
        QuotaV2 = 3 "QUOTA_V2",
    }

    /// What an agent can do.
    pub enum AgentCapabilityType {
        Unknown = 0 "UNKNOWN",
        MultiRole = 1 "MULTI_ROLE",
        HierarchicalRole = 2 "HIERARCHICAL_ROLE",
        ReservationRefinement = 3 "RESERVATION_REFINEMENT",
        ResourceProvider = 4 "RESOURCE_PROVIDER",
        ResizeVolume = 5 "RESIZE_VOLUME",
        AgentOperationFeedback = 6 "AGENT_OPERATION_FEEDBACK",
        AgentDraining = 7 "AGENT_DRAINING",
        TaskResourceLimits = 8 "TASK_RESOURCE_LIMITS",
    }

    /// How far the draining of an agent is.
    pub enum DrainState {
        Unknown = 0 "UNKNOWN",
        Draining = 1 "DRAINING",
        Drained = 2 "DRAINED",
    }
}
