//! Ids, and the other nouns of one value.

use bytes::Bytes;

use crate::v1::codec::macros::message;

message! {
    /// Names a framework for all its lives.
    pub struct FrameworkId {
        /// The master gives `<id of the master>-<number>`, and takes any other a framework brings.
        1 value: String,
    }

    /// Names an offer, once.
    pub struct OfferId {
        /// The master gives `<id of the master>-O<number>`.
        1 value: String,
    }

    /// Names an agent until it is gone.
    pub struct AgentId {
        /// The master gives `<id of the master>-S<number>`; it outlives restarts of the agent.
        1 value: String,
    }

    /// Names a task within its framework.
    pub struct TaskId {
        /// The framework's choice, used by no other of its tasks that live.
        1 value: String,
    }

    /// Names an executor within its framework and agent.
    pub struct ExecutorId {
        /// The framework's choice, used by no other of its executors there that live.
        1 value: String,
    }

    /// Names a container on an agent.
    pub struct ContainerId {
        /// A UUID for the container of an executor, the caller's choice for others.
        1 value: String,
        /// The container this one is in, if any.
        2 parent: Option<Box<ContainerId>>,
    }

    /// Names a resource provider.
    pub struct ResourceProviderId {
        /// Given at the first subscription.
        1 value: String,
    }

    /// Names an operation within its framework.
    pub struct OperationId {
        /// The framework's choice, not used before. To name an operation is to ask for news of it.
        1 value: String,
    }

    /// A UUID.
    pub struct Uuid {
        /// Its 16 bytes.
        1 value: Bytes,
    }

    /// A point in time.
    pub struct TimeInfo {
        /// Nanoseconds since 1970.
        1 nanoseconds: i64,
    }

    /// A length of time.
    pub struct DurationInfo {
        /// Nanoseconds.
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
