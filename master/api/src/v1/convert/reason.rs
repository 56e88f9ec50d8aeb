//! Reasons, one for one.

use crate::v1::Reason;

impl From<types::Reason> for Reason {
    fn from(reason: types::Reason) -> Self {
        match reason {
            types::Reason::ContainerLaunchFailed => Reason::ContainerLaunchFailed,
            types::Reason::ContainerLimitation => Reason::ContainerLimitation,
            types::Reason::ContainerLimitationDisk => Reason::ContainerLimitationDisk,
            types::Reason::ContainerLimitationMemory => Reason::ContainerLimitationMemory,
            types::Reason::ContainerPreempted => Reason::ContainerPreempted,
            types::Reason::ContainerUpdateFailed => Reason::ContainerUpdateFailed,
            types::Reason::IoSwitchboardExited => Reason::IoSwitchboardExited,
            types::Reason::ExecutorRegistrationTimeout => Reason::ExecutorRegistrationTimeout,
            types::Reason::ExecutorReregistrationTimeout => Reason::ExecutorReregistrationTimeout,
            types::Reason::ExecutorTerminated => Reason::ExecutorTerminated,
            types::Reason::ExecutorUnregistered => Reason::ExecutorUnregistered,
            // The public API has no word for it.
            types::Reason::ExecutorPreempted => Reason::ContainerPreempted,
            types::Reason::CommandExecutorFailed => Reason::CommandExecutorFailed,
            types::Reason::MaxCompletionTimeReached => Reason::MaxCompletionTimeReached,
            types::Reason::FrameworkRemoved => Reason::FrameworkRemoved,
            types::Reason::TaskKilledDuringLaunch => Reason::TaskKilledDuringLaunch,
            types::Reason::TaskHealthCheckStatusUpdated => Reason::TaskHealthCheckStatusUpdated,
            types::Reason::TaskCheckStatusUpdated => Reason::TaskCheckStatusUpdated,
            types::Reason::TaskInvalid => Reason::TaskInvalid,
            types::Reason::TaskGroupInvalid => Reason::TaskGroupInvalid,
            types::Reason::TaskUnauthorized => Reason::TaskUnauthorized,
            types::Reason::TaskGroupUnauthorized => Reason::TaskGroupUnauthorized,
            types::Reason::TaskUnknown => Reason::TaskUnknown,
            types::Reason::AgentDisconnected => Reason::AgentDisconnected,
            types::Reason::AgentDraining => Reason::AgentDraining,
            types::Reason::AgentRemoved => Reason::AgentRemoved,
            types::Reason::AgentRemovedByOperator => Reason::AgentRemovedByOperator,
            types::Reason::AgentReregistered => Reason::AgentReregistered,
            types::Reason::AgentRestarted => Reason::AgentRestarted,
            types::Reason::AgentUnknown => Reason::AgentUnknown,
            types::Reason::ResourcesUnknown => Reason::ResourcesUnknown,
            types::Reason::GcError => Reason::GcError,
            types::Reason::InvalidOffers => Reason::InvalidOffers,
            types::Reason::InvalidFrameworkId => Reason::InvalidFrameworkid,
            types::Reason::MasterDisconnected => Reason::MasterDisconnected,
            types::Reason::Reconciliation => Reason::Reconciliation,
        }
    }
}

impl From<Reason> for types::Reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::CommandExecutorFailed => types::Reason::CommandExecutorFailed,
            Reason::ContainerLaunchFailed => types::Reason::ContainerLaunchFailed,
            Reason::ContainerLimitation => types::Reason::ContainerLimitation,
            Reason::ContainerLimitationDisk => types::Reason::ContainerLimitationDisk,
            Reason::ContainerLimitationMemory => types::Reason::ContainerLimitationMemory,
            Reason::ContainerPreempted => types::Reason::ContainerPreempted,
            Reason::ContainerUpdateFailed => types::Reason::ContainerUpdateFailed,
            Reason::MaxCompletionTimeReached => types::Reason::MaxCompletionTimeReached,
            Reason::ExecutorRegistrationTimeout => types::Reason::ExecutorRegistrationTimeout,
            Reason::ExecutorReregistrationTimeout => types::Reason::ExecutorReregistrationTimeout,
            Reason::ExecutorTerminated => types::Reason::ExecutorTerminated,
            Reason::ExecutorUnregistered => types::Reason::ExecutorUnregistered,
            Reason::FrameworkRemoved => types::Reason::FrameworkRemoved,
            Reason::GcError => types::Reason::GcError,
            Reason::InvalidFrameworkid => types::Reason::InvalidFrameworkId,
            Reason::InvalidOffers => types::Reason::InvalidOffers,
            Reason::IoSwitchboardExited => types::Reason::IoSwitchboardExited,
            Reason::MasterDisconnected => types::Reason::MasterDisconnected,
            Reason::Reconciliation => types::Reason::Reconciliation,
            Reason::ResourcesUnknown => types::Reason::ResourcesUnknown,
            Reason::AgentDisconnected => types::Reason::AgentDisconnected,
            Reason::AgentDraining => types::Reason::AgentDraining,
            Reason::AgentRemoved => types::Reason::AgentRemoved,
            Reason::AgentRemovedByOperator => types::Reason::AgentRemovedByOperator,
            Reason::AgentReregistered => types::Reason::AgentReregistered,
            Reason::AgentRestarted => types::Reason::AgentRestarted,
            Reason::AgentUnknown => types::Reason::AgentUnknown,
            Reason::TaskKilledDuringLaunch => types::Reason::TaskKilledDuringLaunch,
            Reason::TaskCheckStatusUpdated => types::Reason::TaskCheckStatusUpdated,
            Reason::TaskHealthCheckStatusUpdated => types::Reason::TaskHealthCheckStatusUpdated,
            Reason::TaskGroupInvalid => types::Reason::TaskGroupInvalid,
            Reason::TaskGroupUnauthorized => types::Reason::TaskGroupUnauthorized,
            Reason::TaskInvalid => types::Reason::TaskInvalid,
            Reason::TaskUnauthorized => types::Reason::TaskUnauthorized,
            Reason::TaskUnknown => types::Reason::TaskUnknown,
        }
    }
}
