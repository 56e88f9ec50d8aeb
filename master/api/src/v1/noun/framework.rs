//! Frameworks, and the least they want to be offered.

use std::collections::BTreeMap;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{FrameworkId, Labels, Scalar};

message! {
    /// Describes a framework to the master.
    pub struct FrameworkInfo {
        /// The user its tasks run as, unless they say otherwise.
        1 user: String,
        /// A name for people.
        2 name: String,
        /// Not there at the first subscription; names the framework at every other.
        3 id: Option<FrameworkId>,
        /// Seconds it has to come back before its tasks are ended.
        4 failover_timeout: f64 = 0.0,
        /// Its executors outlive a restart of the agent.
        5 checkpoint: bool = false,
        /// Its role, unless it has several; `*` if there is none.
        6 role: Option<String>,
        /// Its roles, with the capability MULTI_ROLE.
        12 roles: Vec<String>,
        /// Where the scheduler runs, for people.
        7 hostname: Option<String>,
        /// As whom it authenticates and reserves.
        8 principal: Option<String>,
        /// Where people can look at it.
        9 webui_url: Option<String>,
        /// What it can take.
        10 capabilities: Vec<FrameworkCapability>,
        /// Free words.
        11 labels: Option<Labels>,
        /// By role, the least it wants to be offered.
        13 offer_filters: BTreeMap<String, OfferFilters>,
    }

    /// Something a framework can take.
    pub struct FrameworkCapability {
        /// Which one; none if it is not known here.
        1 kind "type": Option<FrameworkCapabilityType>,
    }

    /// What a role of a framework does not want to be offered.
    pub struct OfferFilters {
        /// An offer that has none of these amounts is not made.
        1 min_allocatable_resources: Option<MinAllocatableResources>,
    }

    /// Amounts by name.
    pub struct ResourceQuantities {
        /// All of these.
        1 quantities: BTreeMap<String, Scalar>,
    }

    /// The least a framework wants to be offered.
    pub struct MinAllocatableResources {
        /// Any of these will do.
        1 quantities: Vec<ResourceQuantities>,
    }
}

enumeration! {
    /// What a framework can take.
    pub enum FrameworkCapabilityType {
        Unknown = 0 "UNKNOWN",
        RevocableResources = 1 "REVOCABLE_RESOURCES",
        TaskKillingState = 2 "TASK_KILLING_STATE",
        GpuResources = 3 "GPU_RESOURCES",
        SharedResources = 4 "SHARED_RESOURCES",
        PartitionAware = 5 "PARTITION_AWARE",
        MultiRole = 6 "MULTI_ROLE",
        ReservationRefinement = 7 "RESERVATION_REFINEMENT",
        RegionAware = 8 "REGION_AWARE",
    }
}
