//! How a task ended, and what that is as an exit code.

use types::{Reason, TaskState, TaskStatus};

use crate::exit;

/// `run`: the command was ended because its time was up, as `timeout` has it.
pub(crate) const TIME_UP: u8 = 124;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What to exit with.
    pub(crate) code: u8,
    /// What people should know beyond the code, if anything.
    pub(crate) words: Option<String>,
}

impl Outcome {
    /// How the task of a terminal status ended.
    pub(crate) fn of(status: &TaskStatus) -> Outcome {
        let ended = status
            .signal
            .map(|signal| exit::SIGNAL.saturating_add(signal as u8));
        let ended = ended.or(status.exit_code.map(|code| code as u8));
        let told = || {
            let message = status.message.as_deref().unwrap_or("nobody says why");
            Some(format!("{}: {message}", plain(status.state)))
        };
        if status.reason == Some(Reason::MaxCompletionTimeReached) {
            return Outcome {
                code: TIME_UP,
                words: Some("its time was up".to_owned()),
            };
        }
        match status.state {
            TaskState::Finished => Outcome {
                code: ended.unwrap_or(0),
                words: None,
            },
            TaskState::Failed => match ended {
                // What the command did is its own affair, unless somebody ended it for a reason.
                Some(code) if code != 0 => {
                    let words = status.reason.filter(is_limit).and_then(|_| told());
                    Outcome { code, words }
                }
                Some(_) | None => Outcome {
                    code: exit::NOT_RUN,
                    words: told(),
                },
            },
            TaskState::Killed => Outcome {
                code: ended.filter(|code| *code != 0).unwrap_or(143),
                words: told(),
            },
            TaskState::Lost
            | TaskState::Error
            | TaskState::Dropped
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Unreachable
            | TaskState::Unknown => Outcome {
                code: exit::NOT_RUN,
                words: told(),
            },
        }
    }
}

fn is_limit(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::ContainerLimitation
            | Reason::ContainerLimitationDisk
            | Reason::ContainerLimitationMemory
            | Reason::ContainerPreempted
    )
}

fn plain(state: TaskState) -> String {
    crate::format::state(state)
}

#[cfg(test)]
mod tests {
    use types::{Source, TaskId};

    use super::*;

    fn status(state: TaskState) -> TaskStatus {
        TaskStatus::new(TaskId::new("t").unwrap(), state, Source::Executor, 0)
    }

    fn code(status: &TaskStatus) -> u8 {
        Outcome::of(status).code
    }

    #[test]
    fn a_command_that_ran_speaks_for_itself() {
        let finished = status(TaskState::Finished);
        assert_eq!(
            Outcome::of(&finished),
            Outcome {
                code: 0,
                words: None
            }
        );
        let failed = TaskStatus {
            exit_code: Some(3),
            ..status(TaskState::Failed)
        };
        assert_eq!(
            Outcome::of(&failed),
            Outcome {
                code: 3,
                words: None
            }
        );
        let segfault = TaskStatus {
            signal: Some(11),
            ..status(TaskState::Failed)
        };
        assert_eq!(code(&segfault), 139);
    }

    #[test]
    fn a_task_that_never_ran_has_a_code_of_its_own_and_says_why() {
        let lost = status(TaskState::Lost).because(Reason::AgentRemoved, "the agent is gone");
        let outcome = Outcome::of(&lost);
        assert_eq!(outcome.code, exit::NOT_RUN);
        assert_eq!(outcome.words.as_deref(), Some("lost: the agent is gone"));
        assert_eq!(code(&status(TaskState::Failed)), exit::NOT_RUN);
        assert_eq!(code(&status(TaskState::Dropped)), exit::NOT_RUN);
    }

    #[test]
    fn a_task_that_somebody_ended_says_so() {
        let killed = TaskStatus {
            signal: Some(9),
            ..status(TaskState::Killed)
        };
        assert_eq!(code(&killed), 137);
        assert_eq!(code(&status(TaskState::Killed)), 143);
        let late = status(TaskState::Failed).because(Reason::MaxCompletionTimeReached, "late");
        assert_eq!(code(&late), TIME_UP);
        let memory = TaskStatus {
            signal: Some(9),
            ..status(TaskState::Failed)
        };
        let memory = memory.because(Reason::ContainerLimitationMemory, "memory limit exceeded");
        assert_eq!(
            Outcome::of(&memory).words.as_deref(),
            Some("failed: memory limit exceeded")
        );
    }
}
