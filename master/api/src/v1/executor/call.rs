//! What executors ask of their agent.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{ExecutorId, FrameworkId, TaskInfo, TaskStatus};

message! {
    /// A call of an executor to the agent. The `type` says which of the bodies counts: see
    /// [`CallBody`].
    pub struct Call {
        /// The executor.
        1 executor_id: ExecutorId,
        /// The framework.
        2 framework_id: FrameworkId,
        3 kind "type": Option<CallType>,
        4 subscribe: Option<Subscribe>,
        5 update: Option<Update>,
        6 message: Option<Message>,
    }

    /// The body of `SUBSCRIBE`.
    pub struct Subscribe {
        /// The tasks of which no news was acknowledged.
        1 unacknowledged_tasks: Vec<TaskInfo>,
        /// The news that was not acknowledged.
        2 unacknowledged_updates: Vec<Update>,
    }

    /// The body of `UPDATE`.
    pub struct Update {
        /// With a UUID of the executor's own.
        1 status: TaskStatus,
    }

    /// The body of `MESSAGE`.
    pub struct Message {
        /// Opaque bytes.
        2 data: Bytes,
    }
}

enumeration! {
    /// What an executor can ask.
    pub enum CallType {
        Unknown = 0 "UNKNOWN",
        Subscribe = 1 "SUBSCRIBE",
        Update = 2 "UPDATE",
        Message = 3 "MESSAGE",
        Heartbeat = 4 "HEARTBEAT",
    }
}

bodies! {
    /// What an executor asks of its agent.
    pub enum CallBody of Call, CallType {
        Subscribe(subscribe: Subscribe),
        Update(update: Update),
        Message(message: Message),
        Heartbeat,
    }
}
