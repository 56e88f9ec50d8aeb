//! Masters and agents.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Address, AgentId, Attribute, DomainInfo, DurationInfo, Resource};

message! {
    /// Describes a master.
    pub struct MasterInfo {
        /// Id of this master incarnation (UUID).
        1 id: String,
        /// IPv4 packed in network byte order.
        2 ip: u32,
        /// Listening port.
        3 port: u32,
        /// Libprocess UPID `master@ip:port`.
        4 pid: Option<String>,
        /// The name of the machine.
        5 hostname: Option<String>,
        /// Software version.
        6 version: Option<String>,
        /// Ip/hostname/port; preferred over the three above.
        7 address: Option<Address>,
        /// Fault domain.
        8 domain: Option<DomainInfo>,
        /// Master feature flags.
        9 capabilities: Vec<MasterCapability>,
    }

    /// Something a master can do.
    pub struct MasterCapability {
        /// Capability name.
        1 kind "type": Option<MasterCapabilityType>,
    }

    /// Describes an agent to the master.
    pub struct AgentInfo {
        /// The name of the machine.
        1 hostname: String,
        /// Listening port.
        8 port: i32 = 5051,
        /// Configured totals (no dynamic reservations/volumes).
        3 resources: Vec<Resource>,
        /// Operator attributes.
        5 attributes: Vec<Attribute>,
        /// Agent id after first registration.
        6 id: Option<AgentId>,
        /// Fault domain.
        10 domain: Option<DomainInfo>,
        /// V0 only by its page, but masters send it here too.
        7 checkpoint: Option<bool>,
    }

    /// Something an agent can do.
    pub struct AgentCapability {
        /// Capability name.
        1 kind "type": Option<AgentCapabilityType>,
    }

    /// How an agent is drained.
    pub struct DrainConfig {
        /// Cap on kill grace periods during drain.
        1 max_grace_period: Option<DurationInfo>,
        /// Mark gone when drained.
        2 mark_gone: bool = false,
    }

    /// The draining of an agent.
    pub struct DrainInfo {
        /// DRAINING/DRAINED.
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
