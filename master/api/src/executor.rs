//! What an executor accepts.

use libproc::protocol;
use serde::{Deserialize, Serialize};
use types::{AgentInfo, ContainerId, ExecutorInfo, FrameworkInfo, KillPolicy, Role, TaskId};
use types::{TaskInfo, UpdateId};

protocol! {
    /// What an executor accepts, all of it from its agent.
    pub protocol Executing {
        /// The registration stands; nothing else comes before it.
        message Registered {
            executor: ExecutorInfo,
            framework: FrameworkInfo,
            agent: AgentInfo,
            container_id: ContainerId,
            /// The role its resources were offered to.
            #[serde(default)]
            role: Role,
        };
        /// Run this task, whose resources were offered to this role.
        message Launch {
            task: TaskInfo,
            #[serde(default)]
            role: Role,
        };
        /// Run these tasks, which belong together.
        message LaunchGroup {
            tasks: Vec<TaskInfo>,
            #[serde(default)]
            role: Role,
        };
        /// End this task: politely first, by force after the grace period.
        message Kill { task_id: TaskId, kill_policy: Option<KillPolicy> };
        /// The agent has taken the update: it need not be kept any longer.
        message Acknowledged { task_id: TaskId, update_id: UpdateId };
        /// Words of the framework, passed on as they are, at most once.
        message FromFramework {
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };
        /// The agent was started again and knows you: register again.
        message Reconnect {};
        /// End all tasks, then yourself, within the grace period you were given.
        message Shutdown {};
    }
}

/// How an OS process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows any more.
    Unknown,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with status {code}"),
            Exit::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Exit::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}
