//! What tasks on a stage do, and what is to happen on it.

use std::time::Duration;

use rand::rngs::StdRng;
use types::{AgentId, TaskId, TaskInfo, TaskState};

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// How long it runs.
    pub after: Duration,
    /// How it ends.
    pub end: TaskState,
}

/// Says what tasks do.
pub(super) type Script = Box<dyn Fn(&TaskInfo, &mut StdRng) -> Played>;

/// Something that is to happen.
pub(super) enum Cue {
    /// What is free of an agent is offered, if it is wanted.
    Offer(AgentId),
    /// A task begins to run.
    Start(TaskId),
    /// A task ends, unless it has.
    End(TaskId, TaskState),
    /// The framework is told the state of a task, until it acknowledges the end.
    Tell(TaskId),
    /// The framework of this life is told a state that nobody waits for to be acknowledged.
    Answer(TaskId, TaskState, u64),
    /// A timer of the framework of this life.
    Timer(u64, u64),
}

/// What a command does, as far as it is understood; what is not, ends well after a second.
pub(super) fn default_script(task: &TaskInfo, _: &mut StdRng) -> Played {
    let line = task.command.as_ref().map_or("", |command| &command.value);
    let mut words = line.split_whitespace();
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<f64>().ok());
    let (seconds, end) = match words.next() {
        Some("true") => (0.0, TaskState::Finished),
        Some("false") => (0.0, TaskState::Failed),
        Some("exit") if number(words.next()) != Some(0.0) => (0.0, TaskState::Failed),
        Some("exit") => (0.0, TaskState::Finished),
        Some("sleep") => (number(words.next()).unwrap_or(1.0), TaskState::Finished),
        Some(_) | None => (1.0, TaskState::Finished),
    };
    Played {
        after: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        end,
    }
}
