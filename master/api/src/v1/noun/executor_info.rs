//! Executors.

use bytes::Bytes;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{CommandInfo, ContainerInfo, DiscoveryInfo, DurationInfo, ExecutorId, FrameworkId};
use crate::v1::{Labels, Resource};

message! {
    /// Describes an executor to the agent that starts it.
    pub struct ExecutorInfo {
        /// DEFAULT (built-in pod executor) or CUSTOM.
        15 kind "type": Option<ExecutorType>,
        1 executor_id: ExecutorId,
        /// Owner; filled by master/agent.
        8 framework_id: Option<FrameworkId>,
        /// Command of a CUSTOM executor.
        7 command: Option<CommandInfo>,
        /// Container for the executor (and pod-level network/volumes).
        11 container: Option<Box<ContainerInfo>>,
        /// The resources.
        5 resources: Vec<Resource>,
        /// Display name.
        9 name: Option<String>,
        /// Deprecated: grouping tag (old).
        10 source: Option<String>,
        /// Opaque bytes for the executor.
        4 data: Option<Bytes>,
        /// Service discovery hints.
        12 discovery: Option<Box<DiscoveryInfo>>,
        /// Wait before forcible destroy on shutdown.
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
