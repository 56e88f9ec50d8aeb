//! States of tasks, with the numbers Mesos gave them, and which may follow which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TaskState {
    /// The executor is starting it.
    Starting = 0,
    /// It runs.
    Running = 1,
    /// It ended well.
    Finished = 2,
    /// It ended badly.
    Failed = 3,
    /// It was killed, on request.
    Killed = 4,
    /// It is gone, for a framework that knows no better word.
    Lost = 5,
    /// The master sent it to its agent.
    Staging = 6,
    /// Its description was wrong; it never ran.
    Error = 7,
    /// The executor is killing it.
    Killing = 8,
    /// It never reached its agent.
    Dropped = 9,
    /// Its agent does not answer; it may still run.
    Unreachable = 10,
    /// It ran on an agent that is gone.
    Gone = 11,
    /// It ran on an agent that an operator declared gone.
    GoneByOperator = 12,
    /// Nobody knows it.
    Unknown = 13,
}

/// All states, in the order of their numbers.
const ALL: [TaskState; 14] = [
    TaskState::Starting,
    TaskState::Running,
    TaskState::Finished,
    TaskState::Failed,
    TaskState::Killed,
    TaskState::Lost,
    TaskState::Staging,
    TaskState::Error,
    TaskState::Killing,
    TaskState::Dropped,
    TaskState::Unreachable,
    TaskState::Gone,
    TaskState::GoneByOperator,
    TaskState::Unknown,
];

impl TaskState {
    /// Returns all states, in the order of their numbers.
    pub const fn all() -> [TaskState; 14] {
        ALL
    }

    /// Returns the number Mesos gave the state.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the state of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        ALL.get(usize::from(number)).copied()
    }

    /// Returns whether no other state can follow, so that the task uses nothing any more.
    ///
    /// Unreachable and unknown tasks are not terminal: they may come back.
    pub const fn is_terminal(self) -> bool {
        match self {
            TaskState::Finished
            | TaskState::Failed
            | TaskState::Killed
            | TaskState::Error
            | TaskState::Lost
            | TaskState::Dropped
            | TaskState::Gone
            | TaskState::GoneByOperator => true,
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Unreachable
            | TaskState::Unknown => false,
        }
    }

    /// Returns whether a task in this state may be in `next` afterwards.
    ///
    /// A task on its agent only goes forward, or stays where it is, since updates repeat. An
    /// unreachable or unknown one may turn up in any state. Nothing follows a terminal state, and
    /// nothing becomes unknown that was known.
    pub const fn may_become(self, next: TaskState) -> bool {
        if self.is_terminal() || matches!(next, TaskState::Unknown) {
            return false;
        }
        match (self.stage(), next.stage()) {
            (Some(ours), Some(theirs)) => ours <= theirs,
            (None, _) | (_, None) => true,
        }
    }

    /// Returns what a framework is told: without word of partitions, all that is out of sight is
    /// lost.
    pub const fn for_framework(self, partition_aware: bool) -> TaskState {
        if partition_aware {
            return self;
        }
        match self {
            TaskState::Dropped
            | TaskState::Unreachable
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => TaskState::Lost,
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Finished
            | TaskState::Failed
            | TaskState::Killed
            | TaskState::Error
            | TaskState::Lost => self,
        }
    }

    /// How far a task on its agent has come; none for other states.
    const fn stage(self) -> Option<u8> {
        match self {
            TaskState::Staging => Some(0),
            TaskState::Starting => Some(1),
            TaskState::Running => Some(2),
            TaskState::Killing => Some(3),
            TaskState::Finished
            | TaskState::Failed
            | TaskState::Killed
            | TaskState::Error
            | TaskState::Lost
            | TaskState::Dropped
            | TaskState::Unreachable
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            TaskState::Staging => "TASK_STAGING",
            TaskState::Starting => "TASK_STARTING",
            TaskState::Running => "TASK_RUNNING",
            TaskState::Killing => "TASK_KILLING",
            TaskState::Finished => "TASK_FINISHED",
            TaskState::Failed => "TASK_FAILED",
            TaskState::Killed => "TASK_KILLED",
            TaskState::Error => "TASK_ERROR",
            TaskState::Lost => "TASK_LOST",
            TaskState::Dropped => "TASK_DROPPED",
            TaskState::Unreachable => "TASK_UNREACHABLE",
            TaskState::Gone => "TASK_GONE",
            TaskState::GoneByOperator => "TASK_GONE_BY_OPERATOR",
            TaskState::Unknown => "TASK_UNKNOWN",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TaskState {
    type Err = ParseError;

    /// Reads `TASK_RUNNING`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = ALL.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| ParseError::expected("the name of a task state", text))
    }
}

#[cfg(test)]
mod tests {
    use super::TaskState::*;
    use super::*;

    #[test]
    fn states_have_their_numbers_and_names() {
        for (number, state) in ALL.into_iter().enumerate() {
            assert_eq!(usize::from(state.number()), number);
            assert_eq!(TaskState::from_number(state.number()), Some(state));
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        assert_eq!(TaskState::from_number(14), None);
        assert_eq!(Staging.number(), 6);
        assert_eq!(GoneByOperator.to_string(), "TASK_GONE_BY_OPERATOR");
    }

    #[test]
    fn a_task_goes_forward_and_ends_once() {
        assert!(Staging.may_become(Running));
        assert!(Running.may_become(Running));
        assert!(Killing.may_become(Killed));
        assert!(Running.may_become(Unreachable));
        assert!(!Running.may_become(Staging));
        assert!(!Killing.may_become(Running));
        assert!(!Running.may_become(Unknown));
        for state in ALL {
            assert!(
                ALL.into_iter()
                    .all(|next| !(state.is_terminal() && state.may_become(next)))
            );
        }
    }

    #[test]
    fn a_task_out_of_sight_may_turn_up_in_any_state() {
        for state in ALL.into_iter().filter(|state| *state != Unknown) {
            assert!(Unreachable.may_become(state), "{state}");
        }
        assert!(!Unreachable.is_terminal() && !Unknown.is_terminal());
    }

    #[test]
    fn frameworks_without_word_of_partitions_see_lost_tasks() {
        for state in [Dropped, Unreachable, Gone, GoneByOperator, Unknown] {
            assert_eq!(state.for_framework(false), Lost);
            assert_eq!(state.for_framework(true), state);
        }
        assert_eq!(Running.for_framework(false), Running);
    }
}
