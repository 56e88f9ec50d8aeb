//! Ids, and the other nouns of one value.

use bytes::Bytes;

use crate::v1::codec::macros::message;

message! {
    /// Names a framework for all its lives.
    pub struct FrameworkId {
        /// Opaque id; master issues ``<master>-NNNN``.
        1 value: String,
    }

    /// Names an offer, once.
    pub struct OfferId {
        /// Opaque id; master issues ``<master>-O<n>``.
        1 value: String,
    }

    /// Names an agent until it is gone.
    pub struct AgentId {
        /// Opaque id; master issues ``<master>-S<n>``; survives agent restart with same work_dir,
        /// new after re-registering as fresh.
        1 value: String,
    }

    /// Names a task within its framework.
    pub struct TaskId {
        /// Framework-chosen; unique among the framework's live tasks.
        1 value: String,
    }

    /// Names an executor within its framework and agent.
    pub struct ExecutorId {
        /// Framework-chosen; unique per agent+framework while live.
        1 value: String,
    }

    /// Names a container on an agent.
    pub struct ContainerId {
        /// UUID for executor runs; caller-chosen for nested/standalone.
        1 value: String,
        /// Enclosing container; its presence makes this a nested container.
        2 parent: Option<Box<ContainerId>>,
    }

    /// Names a resource provider.
    pub struct ResourceProviderId {
        /// Id assigned at first subscription of a provider.
        1 value: String,
    }

    /// Names an operation within its framework.
    pub struct OperationId {
        /// Framework-chosen; unique inside the framework; asking for it = asking for operation
        /// feedback.
        1 value: String,
    }

    /// A UUID.
    pub struct Uuid {
        /// 16 raw bytes.
        1 value: Bytes,
    }

    /// A point in time.
    pub struct TimeInfo {
        /// Ns since the Unix epoch.
        1 nanoseconds: i64,
    }

    /// A length of time.
    pub struct DurationInfo {
        /// Length in ns.
        1 nanoseconds: i64,
    }

    /// A length of time as protobuf has it, which only draining uses.
    pub struct Duration {
        /// Whole seconds.
        1 seconds: i64 = 0,
        /// Nanoseconds beyond them, of the same sign.
        2 nanos: i32 = 0,
    }
}
