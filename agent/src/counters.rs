//! What an agent has counted since it started.

use types::TaskState;

/// What an agent has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) tasks_failed: u64,
    pub(crate) tasks_finished: u64,
    pub(crate) tasks_gone: u64,
    pub(crate) tasks_killed: u64,
    pub(crate) tasks_lost: u64,
    pub(crate) executors_terminated: u64,
    pub(crate) container_launch_errors: u64,
    /// Updates of executors that were taken, and those that were not.
    pub(crate) valid_status_updates: u64,
    pub(crate) invalid_status_updates: u64,
    /// Words between frameworks and executors that were passed on, and those that were not.
    pub(crate) valid_framework_messages: u64,
    pub(crate) invalid_framework_messages: u64,
}

impl Counters {
    /// A task is in this state.
    pub(crate) fn task_is(&mut self, state: TaskState) {
        match state {
            TaskState::Finished => self.tasks_finished += 1,
            TaskState::Failed | TaskState::Error => self.tasks_failed += 1,
            TaskState::Killed => self.tasks_killed += 1,
            TaskState::Lost | TaskState::Dropped => self.tasks_lost += 1,
            TaskState::Gone | TaskState::GoneByOperator => self.tasks_gone += 1,
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Unreachable
            | TaskState::Unknown => {}
        }
    }

    pub(crate) fn status_update(&mut self, valid: bool) {
        match valid {
            true => self.valid_status_updates += 1,
            false => self.invalid_status_updates += 1,
        }
    }

    pub(crate) fn framework_message(&mut self, valid: bool) {
        match valid {
            true => self.valid_framework_messages += 1,
            false => self.invalid_framework_messages += 1,
        }
    }
}
