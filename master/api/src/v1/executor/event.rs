//! What the agent tells its executors.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{AgentInfo, ContainerId, ExecutorInfo, FrameworkInfo, KillPolicy, TaskGroupInfo};
use crate::v1::{TaskId, TaskInfo};

message! {
    /// An event the agent sends to an executor. The `type` says which of the bodies counts: see
    /// [`EventBody`].
    pub struct Event {
        1 kind "type": Option<EventType>,
        2 subscribed: Option<Subscribed>,
        3 acknowledged: Option<Acknowledged>,
        4 launch: Option<Launch>,
        8 launch_group: Option<LaunchGroup>,
        5 kill: Option<Kill>,
        6 message: Option<Message>,
        7 error: Option<Error>,
    }

    /// The body of `SUBSCRIBED`.
    pub struct Subscribed {
        1 executor_info: ExecutorInfo,
        2 framework_info: FrameworkInfo,
        3 agent_info: AgentInfo,
        /// The container.
        4 container_id: Option<ContainerId>,
    }

    /// The body of `LAUNCH`.
    pub struct Launch {
        1 task: TaskInfo,
    }

    /// The body of `LAUNCH_GROUP`.
    pub struct LaunchGroup {
        1 task_group: TaskGroupInfo,
    }

    /// The body of `KILL`.
    pub struct Kill {
        1 task_id: TaskId,
        /// Instead of that of the task.
        2 kill_policy: Option<KillPolicy>,
    }

    /// The body of `ACKNOWLEDGED`.
    pub struct Acknowledged {
        1 task_id: TaskId,
        2 uuid: Bytes,
    }

    /// The body of `MESSAGE`.
    pub struct Message {
        /// Opaque bytes.
        1 data: Bytes,
    }

    /// The body of `ERROR`.
    pub struct Error {
        /// A text for people.
        1 message: String,
    }
}

enumeration! {
    /// What an executor is told.
    pub enum EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        Launch = 2 "LAUNCH",
        LaunchGroup = 8 "LAUNCH_GROUP",
        Kill = 3 "KILL",
        Acknowledged = 4 "ACKNOWLEDGED",
        Message = 5 "MESSAGE",
        Error = 6 "ERROR",
        Shutdown = 7 "SHUTDOWN",
        Heartbeat = 9 "HEARTBEAT",
    }
}

bodies! {
    /// What the agent tells an executor.
    pub enum EventBody of Event, EventType {
        Subscribed(subscribed: Subscribed),
        Launch(launch: Launch),
        LaunchGroup(launch_group: LaunchGroup),
        Kill(kill: Kill),
        Acknowledged(acknowledged: Acknowledged),
        Message(message: Message),
        Error(error: Error),
        Shutdown,
        Heartbeat,
    }
}
