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
        /// A name for people.
        1 name: String,
        2 task_id: TaskId,
        /// The agent of the offer.
        3 agent_id: AgentId,
        /// What it uses.
        4 resources: Vec<Resource>,
        /// Who runs it, unless it is a command.
        5 executor: Option<Box<ExecutorInfo>>,
        /// What it runs, unless an executor decides.
        7 command: Option<CommandInfo>,
        /// The container it runs in.
        9 container: Option<Box<ContainerInfo>>,
        /// It is killed when this fails.
        8 health_check: Option<Box<HealthCheck>>,
        /// What this finds is told.
        13 check: Option<Box<CheckInfo>>,
        /// How it is killed.
        12 kill_policy: Option<KillPolicy>,
        /// Opaque bytes for the executor.
        6 data: Option<Bytes>,
        /// Free words.
        10 labels: Option<Labels>,
        /// How others find it.
        11 discovery: Option<Box<DiscoveryInfo>>,
        /// It fails when it takes longer.
        14 max_completion_time: Option<DurationInfo>,
        /// The most of processors and memory it may use.
        15 limits: BTreeMap<String, Scalar>,
    }

    /// Tasks that are launched together.
    pub struct TaskGroupInfo {
        1 tasks: Vec<TaskInfo>,
    }

    /// What is remembered of a task.
    pub struct Task {
        /// A name for people.
        1 name: String,
        2 task_id: TaskId,
        /// The framework.
        3 framework_id: FrameworkId,
        /// Not there if the task is a command.
        4 executor_id: Option<ExecutorId>,
        5 agent_id: AgentId,
        /// The latest that is known.
        6 state: TaskState,
        /// The resources.
        7 resources: Vec<Resource>,
        /// The oldest first.
        8 statuses: Vec<TaskStatus>,
        /// The state of the latest news that the framework was told.
        9 status_update_state: Option<TaskState>,
        /// Names that news.
        10 status_update_uuid: Option<Bytes>,
        /// Free words.
        11 labels: Option<Labels>,
        /// How others find it.
        12 discovery: Option<Box<DiscoveryInfo>>,
        /// The container it runs in.
        13 container: Option<Box<ContainerInfo>>,
        /// It is killed when this fails.
        15 health_check: Option<Box<HealthCheck>>,
        /// How it is killed.
        16 kill_policy: Option<KillPolicy>,
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
