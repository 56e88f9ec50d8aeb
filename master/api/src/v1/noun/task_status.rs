//! News of tasks.

use bytes::Bytes;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{AgentId, CheckStatusInfo, ContainerStatus, ExecutorId, Labels, Resource, TaskId};
use crate::v1::{TaskState, TimeInfo};

message! {
    /// News of a task.
    pub struct TaskStatus {
        1 task_id: TaskId,
        2 state: TaskState,
        /// A text for people.
        4 message: Option<String>,
        /// Who says so.
        9 source: Option<StatusSource>,
        /// Why, for programs.
        10 reason: Option<Reason>,
        /// Opaque bytes.
        3 data: Option<Bytes>,
        5 agent_id: Option<AgentId>,
        7 executor_id: Option<ExecutorId>,
        /// Seconds since 1970.
        6 timestamp: Option<f64>,
        /// A UUID in 16 bytes. If there, the news wants to be acknowledged.
        11 uuid: Option<Bytes>,
        /// Whether its health check succeeds.
        8 healthy: Option<bool>,
        /// What its check found last.
        15 check_status: Option<CheckStatusInfo>,
        /// Free words.
        12 labels: Option<Labels>,
        /// What is known of its container.
        13 container_status: Option<ContainerStatus>,
        /// Since when its agent does not answer.
        14 unreachable_time: Option<TimeInfo>,
        /// What it used more of than it may.
        16 limitation: Option<TaskResourceLimitation>,
    }

    /// What a task used more of than it may.
    pub struct TaskResourceLimitation {
        /// The resources.
        1 resources: Vec<Resource>,
    }
}

enumeration! {
    /// Who tells news of a task.
    pub enum StatusSource {
        Master = 0 "SOURCE_MASTER",
        Agent = 1 "SOURCE_AGENT",
        Executor = 2 "SOURCE_EXECUTOR",
    }

    /// Why a task is in its state.
    pub enum Reason {
        CommandExecutorFailed = 0 "REASON_COMMAND_EXECUTOR_FAILED",
        ContainerLaunchFailed = 21 "REASON_CONTAINER_LAUNCH_FAILED",
        ContainerLimitation = 19 "REASON_CONTAINER_LIMITATION",
        ContainerLimitationDisk = 20 "REASON_CONTAINER_LIMITATION_DISK",
        ContainerLimitationMemory = 8 "REASON_CONTAINER_LIMITATION_MEMORY",
        ContainerPreempted = 17 "REASON_CONTAINER_PREEMPTED",
        ContainerUpdateFailed = 22 "REASON_CONTAINER_UPDATE_FAILED",
        MaxCompletionTimeReached = 33 "REASON_MAX_COMPLETION_TIME_REACHED",
        ExecutorRegistrationTimeout = 23 "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
        ExecutorReregistrationTimeout = 24 "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
        ExecutorTerminated = 1 "REASON_EXECUTOR_TERMINATED",
        ExecutorUnregistered = 2 "REASON_EXECUTOR_UNREGISTERED",
        FrameworkRemoved = 3 "REASON_FRAMEWORK_REMOVED",
        GcError = 4 "REASON_GC_ERROR",
        InvalidFrameworkid = 5 "REASON_INVALID_FRAMEWORKID",
        InvalidOffers = 6 "REASON_INVALID_OFFERS",
        IoSwitchboardExited = 27 "REASON_IO_SWITCHBOARD_EXITED",
        MasterDisconnected = 7 "REASON_MASTER_DISCONNECTED",
        Reconciliation = 9 "REASON_RECONCILIATION",
        ResourcesUnknown = 18 "REASON_RESOURCES_UNKNOWN",
        AgentDisconnected = 10 "REASON_AGENT_DISCONNECTED",
        AgentDraining = 34 "REASON_AGENT_DRAINING",
        AgentRemoved = 11 "REASON_AGENT_REMOVED",
        AgentRemovedByOperator = 31 "REASON_AGENT_REMOVED_BY_OPERATOR",
        AgentReregistered = 32 "REASON_AGENT_REREGISTERED",
        AgentRestarted = 12 "REASON_AGENT_RESTARTED",
        AgentUnknown = 13 "REASON_AGENT_UNKNOWN",
        TaskKilledDuringLaunch = 30 "REASON_TASK_KILLED_DURING_LAUNCH",
        TaskCheckStatusUpdated = 28 "REASON_TASK_CHECK_STATUS_UPDATED",
        TaskHealthCheckStatusUpdated = 29 "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
        TaskGroupInvalid = 25 "REASON_TASK_GROUP_INVALID",
        TaskGroupUnauthorized = 26 "REASON_TASK_GROUP_UNAUTHORIZED",
        TaskInvalid = 14 "REASON_TASK_INVALID",
        TaskUnauthorized = 15 "REASON_TASK_UNAUTHORIZED",
        TaskUnknown = 16 "REASON_TASK_UNKNOWN",
    }
}
