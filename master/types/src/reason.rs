//! Reasons: why a task is in a state, for programs to tell apart.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a task is in its state.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Returns all reasons.
            pub const fn all() -> &'static [Reason] {
                &[$(Reason::$name),*]
            }

            /// Returns the name of the reason, as Mesos writes it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => concat!("REASON_", $text),)* }
            }
        }
    };
}

reasons! {
    /// The container could not be started.
    ContainerLaunchFailed = "CONTAINER_LAUNCH_FAILED",
    /// The container used more than it may.
    ContainerLimitation = "CONTAINER_LIMITATION",
    /// The container used more disk than it may.
    ContainerLimitationDisk = "CONTAINER_LIMITATION_DISK",
    /// The container used more memory than it may.
    ContainerLimitationMemory = "CONTAINER_LIMITATION_MEMORY",
    /// The container was stopped for a more important one.
    ContainerPreempted = "CONTAINER_PREEMPTED",
    /// The resources of the container could not be changed.
    ContainerUpdateFailed = "CONTAINER_UPDATE_FAILED",
    /// What carries input and output ended too early.
    IoSwitchboardExited = "IO_SWITCHBOARD_EXITED",
    /// The executor did not register in time.
    ExecutorRegistrationTimeout = "EXECUTOR_REGISTRATION_TIMEOUT",
    /// The executor did not come back in time after the agent restarted.
    ExecutorReregistrationTimeout = "EXECUTOR_REREGISTRATION_TIMEOUT",
    /// The executor ended before its task.
    ExecutorTerminated = "EXECUTOR_TERMINATED",
    /// The executor left.
    ExecutorUnregistered = "EXECUTOR_UNREGISTERED",
    /// The executor was stopped for a more important one.
    ExecutorPreempted = "EXECUTOR_PREEMPTED",
    /// Our executor for commands failed.
    CommandExecutorFailed = "COMMAND_EXECUTOR_FAILED",
    /// The task took longer than it may.
    MaxCompletionTimeReached = "MAX_COMPLETION_TIME_REACHED",
    /// The framework is gone.
    FrameworkRemoved = "FRAMEWORK_REMOVED",
    /// The task was killed before it started.
    TaskKilledDuringLaunch = "TASK_KILLED_DURING_LAUNCH",
    /// The health of the task changed.
    TaskHealthCheckStatusUpdated = "TASK_HEALTH_CHECK_STATUS_UPDATED",
    /// The check of the task has another result.
    TaskCheckStatusUpdated = "TASK_CHECK_STATUS_UPDATED",
    /// The description of the task is wrong.
    TaskInvalid = "TASK_INVALID",
    /// The description of the group of tasks is wrong.
    TaskGroupInvalid = "TASK_GROUP_INVALID",
    /// The framework may not run the task.
    TaskUnauthorized = "TASK_UNAUTHORIZED",
    /// The framework may not run the group of tasks.
    TaskGroupUnauthorized = "TASK_GROUP_UNAUTHORIZED",
    /// Nobody knows the task.
    TaskUnknown = "TASK_UNKNOWN",
    /// The agent does not answer.
    AgentDisconnected = "AGENT_DISCONNECTED",
    /// The agent is draining.
    AgentDraining = "AGENT_DRAINING",
    /// The agent is gone.
    AgentRemoved = "AGENT_REMOVED",
    /// An operator declared the agent gone.
    AgentRemovedByOperator = "AGENT_REMOVED_BY_OPERATOR",
    /// The agent came back.
    AgentReregistered = "AGENT_REREGISTERED",
    /// The agent started again.
    AgentRestarted = "AGENT_RESTARTED",
    /// Nobody knows the agent.
    AgentUnknown = "AGENT_UNKNOWN",
    /// The resources of the task are not there.
    ResourcesUnknown = "RESOURCES_UNKNOWN",
    /// Old files could not be cleaned up.
    GcError = "GC_ERROR",
    /// The offers are not, or no longer, the framework's.
    InvalidOffers = "INVALID_OFFERS",
    /// The framework is not whom it says.
    InvalidFrameworkId = "INVALID_FRAMEWORKID",
    /// The scheduler has lost its master.
    MasterDisconnected = "MASTER_DISCONNECTED",
    /// The framework asked for the state.
    Reconciliation = "RECONCILIATION",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_name() {
        let mut names: Vec<_> = Reason::all().iter().map(Reason::to_string).collect();
        assert_eq!(names[0], "REASON_CONTAINER_LAUNCH_FAILED");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Reason::all().len());
    }
}
