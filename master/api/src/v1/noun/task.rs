//! Tasks: as they are launched, and as they are remembered.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{AgentId, CheckInfo, CommandInfo, ContainerInfo, DiscoveryInfo, DurationInfo};
use crate::v1::{ExecutorId, ExecutorInfo, FrameworkId, HealthCheck, KillPolicy, Labels, Resource};
use crate::v1::{Scalar, TaskId, TaskStatus};

message! {
    /// Describes a task to whoever launches it.
    pub struct TaskInfo {
        /// Display name.
        1 name: String,
        2 task_id: TaskId,
        /// Must equal the offer's agent.
        3 agent_id: AgentId,
        /// Requested resources (requests, if limits set).
        4 resources: Vec<Resource>,
        /// Custom executor; exactly one of executor/command (LAUNCH).
        5 executor: Option<Box<ExecutorInfo>>,
        /// Command task (built-in command/docker executor).
        7 command: Option<CommandInfo>,
        /// The container it runs in.
        9 container: Option<Box<ContainerInfo>>,
        /// Killing probe.
        8 health_check: Option<Box<HealthCheck>>,
        /// Observing probe.
        13 check: Option<Box<CheckInfo>>,
        /// How to kill.
        12 kill_policy: Option<KillPolicy>,
        /// Opaque bytes for the executor.
        6 data: Option<Bytes>,
        /// Free words.
        10 labels: Option<Labels>,
        /// Discovery hints.
        11 discovery: Option<Box<DiscoveryInfo>>,
        /// Task fails after this long.
        14 max_completion_time: Option<DurationInfo>,
        /// Upper limits for cpus/mem (number or Infinity).
        15 limits: BTreeMap<String, Scalar>,
    }

    /// Tasks that are launched together.
    pub struct TaskGroupInfo {
        /// The pod's tasks.
        1 tasks: Vec<TaskInfo>,
    }

    /// What is remembered of a task.
    pub struct Task {
        /// Display name.
        1 name: String,
        2 task_id: TaskId,
        /// The framework.
        3 framework_id: FrameworkId,
        /// Executor; unset for command tasks.
        4 executor_id: Option<ExecutorId>,
        5 agent_id: AgentId,
        /// Newest known state.
        6 state: TaskState,
        /// The resources.
        7 resources: Vec<Resource>,
        /// Status history (last per state kept).
        8 statuses: Vec<TaskStatus>,
        /// State of last update forwarded.
        9 status_update_state: Option<TaskState>,
        /// Uuid of last update forwarded.
        10 status_update_uuid: Option<Bytes>,
        /// Free words.
        11 labels: Option<Labels>,
        /// Discovery hints.
        12 discovery: Option<Box<DiscoveryInfo>>,
        /// The container it runs in.
        13 container: Option<Box<ContainerInfo>>,
        /// Probe.
        15 health_check: Option<Box<HealthCheck>>,
        /// How to kill.
        16 kill_policy: Option<KillPolicy>,
        /// User it runs as.
        14 user: Option<String>,
        17 limits: BTreeMap<String, Scalar>,
    }
}

enumeration! {
    /// Where a task is in its life.
    pub enum TaskState {
        Staging = 6 "TASK_STAGING",
        Starting = 0 "TASK_STARTING",
        Running = 1 "TASK_RUNNING",
        Killing = 8 "TASK_KILLING",
        Finished = 2 "TASK_FINISHED",
        Failed = 3 "TASK_FAILED",
        Killed = 4 "TASK_KILLED",
        Error = 7 "TASK_ERROR",
        Lost = 5 "TASK_LOST",
        Dropped = 9 "TASK_DROPPED",
        Unreachable = 10 "TASK_UNREACHABLE",
        Gone = 11 "TASK_GONE",
        GoneByOperator = 12 "TASK_GONE_BY_OPERATOR",
        Unknown = 13 "TASK_UNKNOWN",
    }
}
