//! What the master tells operators that watch it.

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::master::response::{Agent, Framework, GetState};
use crate::v1::{AgentId, FrameworkId, FrameworkInfo, Task, TaskState, TaskStatus};

message! {
    /// An event the master sends to an operator. The `type` says which of the bodies counts: see
    /// [`EventBody`].
    pub struct Event {
        1 kind "type": Option<EventType>,
        2 subscribed: Option<Subscribed>,
        3 task_added: Option<TaskAdded>,
        4 task_updated: Option<TaskUpdated>,
        5 agent_added: Option<AgentAdded>,
        6 agent_removed: Option<AgentRemoved>,
        7 framework_added: Option<FrameworkAdded>,
        8 framework_updated: Option<FrameworkUpdated>,
        9 framework_removed: Option<FrameworkRemoved>,
    }

    /// The body of `SUBSCRIBED`.
    pub struct Subscribed {
        /// Everything as it is.
        1 get_state: Option<Box<GetState>>,
        2 heartbeat_interval_seconds: Option<f64>,
    }

    /// The body of `TASK_ADDED`.
    pub struct TaskAdded {
        1 task: Task,
    }

    /// The body of `TASK_UPDATED`.
    pub struct TaskUpdated {
        1 framework_id: FrameworkId,
        /// The latest news the framework was told.
        2 status: TaskStatus,
        /// The latest state, which may be ahead of the news.
        3 state: TaskState,
    }

    /// The body of `FRAMEWORK_ADDED`.
    pub struct FrameworkAdded {
        1 framework: Framework,
    }

    /// The body of `FRAMEWORK_UPDATED`.
    pub struct FrameworkUpdated {
        1 framework: Framework,
    }

    /// The body of `FRAMEWORK_REMOVED`.
    pub struct FrameworkRemoved {
        1 framework_info: FrameworkInfo,
    }

    /// The body of `AGENT_ADDED`.
    pub struct AgentAdded {
        1 agent: Agent,
    }

    /// The body of `AGENT_REMOVED`.
    pub struct AgentRemoved {
        1 agent_id: AgentId,
    }
}

enumeration! {
    /// What an operator is told.
    pub enum EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        TaskAdded = 2 "TASK_ADDED",
        TaskUpdated = 3 "TASK_UPDATED",
        AgentAdded = 4 "AGENT_ADDED",
        AgentRemoved = 5 "AGENT_REMOVED",
        FrameworkAdded = 6 "FRAMEWORK_ADDED",
        FrameworkUpdated = 7 "FRAMEWORK_UPDATED",
        FrameworkRemoved = 8 "FRAMEWORK_REMOVED",
        Heartbeat = 9 "HEARTBEAT",
    }
}

bodies! {
    /// What the master tells an operator that watches it.
    pub enum EventBody of Event, EventType {
        Subscribed(subscribed: Subscribed),
        TaskAdded(task_added: TaskAdded),
        TaskUpdated(task_updated: TaskUpdated),
        AgentAdded(agent_added: AgentAdded),
        AgentRemoved(agent_removed: AgentRemoved),
        FrameworkAdded(framework_added: FrameworkAdded),
        FrameworkUpdated(framework_updated: FrameworkUpdated),
        FrameworkRemoved(framework_removed: FrameworkRemoved),
        Heartbeat,
    }
}
