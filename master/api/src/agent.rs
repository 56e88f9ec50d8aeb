//! What an agent accepts: from the master, from its executors, from operators.

use std::time::Duration;

use libproc::{Pid, protocol};
use serde::{Deserialize, Serialize};
use types::{
    AgentId, AgentInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo,
};
use types::{
    DrainConfig, KillPolicy, MasterInfo, Resources, Role, Task, TaskId, TaskInfo, TaskStatus,
    UpdateId,
};

use crate::executor::Executing;

protocol! {
    /// What an agent accepts.
    pub protocol Agenting {
        // From the master.

        /// The registration stands. A master that is not heard for `silence` counts as lost.
        message Registered { agent_id: AgentId, master: MasterInfo, silence: Duration };
        /// The same for an agent that had been registered: it answers for each task in `unknown`,
        /// which the master believed here and the agent did not report.
        message Reregistered {
            agent_id: AgentId,
            master: MasterInfo,
            silence: Duration,
            unknown: Vec<TaskOf>,
        };
        /// The agent may not be part of the cluster: it ends its tasks and itself.
        message Refused { reason: String };
        /// Are you there? `registered` is what the master thinks of it: when that is false the
        /// agent registers again.
        message Ping { registered: bool } -> ();
        /// Run this task, with `role`'s resources.
        message RunTask { framework: FrameworkInfo, task: TaskInfo, role: Role };
        /// Run these tasks under one executor, all of them or none, with `role`'s resources. The
        /// tasks name no executor.
        message RunGroup {
            framework: FrameworkInfo,
            executor: ExecutorInfo,
            tasks: Vec<TaskInfo>,
            role: Role,
        };
        /// End all your tasks, and take no others until they have ended.
        message Drain { config: DrainConfig };
        /// End this task.
        message KillTask {
            framework_id: FrameworkId,
            task_id: TaskId,
            kill_policy: Option<KillPolicy>,
        };
        /// The framework has seen the update: the next one of the task may be sent.
        message AcknowledgeUpdate {
            framework_id: FrameworkId,
            task_id: TaskId,
            update_id: UpdateId,
        };
        /// The framework is gone for good: end its executors.
        message ShutdownFramework { framework_id: FrameworkId };
        /// End this executor and its tasks.
        message ShutdownExecutor { framework_id: FrameworkId, executor_id: ExecutorId };
        /// Words of a framework for one of its executors.
        message ToExecutor {
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };

        // From executors.

        /// The executor that runs in this container is ready for its tasks, or has come back to an
        /// agent that was started again.
        message RegisterExecutor {
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            container_id: ContainerId,
            executor: Pid<Executing>,
            /// The tasks it has been given and the agent has not heard the end of: an agent that was
            /// started again knows by that which never reached it.
            #[serde(default)]
            tasks: Vec<TaskId>,
        };
        /// News of a task, with an `update_id`; acknowledged to the executor once the agent has
        /// taken it, which from then on sees to it that the framework hears of it.
        message ExecutorUpdate {
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            status: TaskStatus,
        };
        /// Words of an executor for its framework.
        message ToFramework {
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };

        // From operators.

        /// A part of a file in the sandbox of a task, at most [`READ_MAX`] bytes of it.
        message ReadFile {
            framework_id: FrameworkId,
            task_id: TaskId,
            path: String,
            offset: u64,
            length: u32,
        } -> Result<Chunk, FileError>;
        /// What lies in a directory of the sandbox of a task; an empty path is the sandbox.
        message ListFiles { framework_id: FrameworkId, task_id: TaskId, path: String }
            -> Result<Vec<FileEntry>, FileError>;
        /// What runs here, and what is still to be said of it.
        message GetAgent {} -> AgentReport;
        /// End your executors, then yourself; with `unregister` the agent leaves the cluster for
        /// good.
        message Stop { unregister: bool };
    }
}

/// Most bytes that one [`ReadFile`] gives.
pub const READ_MAX: u32 = 1 << 20;

/// A task of a framework.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskOf {
    /// Whose it is.
    pub framework_id: FrameworkId,
    /// Which it is.
    pub task_id: TaskId,
}

/// What an agent has in its books, for operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// Who it is; without an id until it has registered for the first time.
    pub info: AgentInfo,
    /// Whether a master has it in its books, as far as it knows.
    pub registered: bool,
    /// What tasks and executors use.
    pub used: Resources,
    /// The tasks that have not ended, or whose end is not acknowledged.
    pub tasks: Vec<Task>,
    /// The tasks of which there is news that is not acknowledged.
    pub unacknowledged: Vec<TaskOf>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// What was read; empty at the end of the file.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// Where it began.
    pub offset: u64,
    /// How long the file was when it was read.
    pub size: u64,
    /// Whether the task has ended and everything it wrote is there.
    pub ended: bool,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the directory.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Whether it is a directory itself.
    pub directory: bool,
    /// Milliseconds since 1970.
    pub modified_ms: u64,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The agent remembers no such task.
    #[error("the agent knows no such task")]
    UnknownTask,
    /// There is no such file in the sandbox, or it leads out of it.
    #[error("no such file in the sandbox")]
    NotFound,
    /// The operating system says no.
    #[error("could not be read: {0}")]
    Failed(String),
}
