//! Executors.

use bytes::Bytes;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{CommandInfo, ContainerInfo, DiscoveryInfo, DurationInfo, ExecutorId, FrameworkId};
use crate::v1::{Labels, Resource};

message! {
    /// Describes an executor to the agent that starts it.
    pub struct ExecutorInfo {
        15 kind "type": Option<ExecutorType>,
        1 executor_id: ExecutorId,
        /// Set by the master.
        8 framework_id: Option<FrameworkId>,
        /// The program, if it is the framework's.
        7 command: Option<CommandInfo>,
        /// The container of the executor, and what its tasks share of it.
        11 container: Option<Box<ContainerInfo>>,
        /// The resources.
        5 resources: Vec<Resource>,
        /// A name for people.
        9 name: Option<String>,
        /// Where its tasks come from, for people.
        10 source: Option<String>,
        /// Opaque bytes for the executor.
        4 data: Option<Bytes>,
        /// How others find it.
        12 discovery: Option<Box<DiscoveryInfo>>,
        /// The time between asking it to stop and forcing it.
        13 shutdown_grace_period: Option<DurationInfo>,
        /// Free words.
        14 labels: Option<Labels>,
    }
}

enumeration! {
    /// Whose program an executor is.
    pub enum ExecutorType {
        Unknown = 0 "UNKNOWN",
        Default = 1 "DEFAULT",
        Custom = 2 "CUSTOM",
    }
}
