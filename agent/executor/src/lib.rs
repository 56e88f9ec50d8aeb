//! The task side: what runs beside tasks, registers with the agent and tells of them.
//!
//! An author of an executor writes an [`Executor`]; [`run`] makes a program of it. The session
//! with the agent (registration, updates that are sent until they are acknowledged, the end) is
//! the shell's, [`ExecutorProcess`].
//!
//! ```no_run
//! use executor::{Calls, Executor};
//! use types::{KillPolicy, TaskId, TaskInfo, TaskState};
//!
//! /// Ends every task at once, in the best of spirits.
//! struct Optimist;
//!
//! impl Executor for Optimist {
//!     fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
//!         calls.update(calls.status(&task.task_id, TaskState::Running));
//!         calls.update(calls.status(&task.task_id, TaskState::Finished));
//!     }
//!
//!     fn kill(&mut self, _: TaskId, _: Option<KillPolicy>, _: &mut Calls<'_, Self>) {}
//! }
//!
//! fn main() -> Result<(), executor::ExecutorError> {
//!     executor::run(Optimist)
//! }
//! ```
//!
//! Commands need no executor of their own, and neither do groups of them: the agent starts
//! [`run_builtin`] for each.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod calls;
mod checks;
mod command;
pub mod environment;
mod group;
mod process;
mod run;
mod running;
mod start;
mod task_process;
mod unacknowledged;

use types::{AgentInfo, ExecutorInfo, FrameworkInfo, KillPolicy, TaskId, TaskInfo};

pub use calls::Calls;
pub use command::{CommandExecutor, KILL_GRACE, KillingState};
pub use group::{GroupExecutor, TASKS};
pub use process::{ExecutorProcess, Identity};
pub use run::{ExecutorError, run};
pub use start::{Start, Work, run_builtin};
pub use task_process::{Ended, TaskCommand, TaskOutput, TaskProcess};

/// What an author of an executor writes: how tasks are run.
///
/// All functions are called one at a time and must not block; whatever takes time goes to
/// [`Calls::defer`], [`Calls::after`], or threads of the author's own.
pub trait Executor: Sized + Send + Unpin + 'static {
    /// The agent has accepted the executor. Comes before any launch, but for a task that the
    /// executor was started with.
    fn registered(&mut self, _registration: &Registration, _calls: &mut Calls<'_, Self>) {}

    /// Runs a task. Sooner or later a terminal update has to tell how it ended.
    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>);

    /// Runs tasks that belong together, in order. Unless told otherwise, as if each came alone.
    fn launch_group(&mut self, tasks: Vec<TaskInfo>, calls: &mut Calls<'_, Self>) {
        for task in tasks {
            self.launch(task, calls);
        }
    }

    /// Ends a task, in the way of `policy` when there is one. It may have ended already.
    fn kill(&mut self, task_id: TaskId, policy: Option<KillPolicy>, calls: &mut Calls<'_, Self>);

    /// Words of the framework.
    fn message(&mut self, _data: Vec<u8>, _calls: &mut Calls<'_, Self>) {}

    /// Ends all tasks, then calls [`Calls::stop`]. What is left after the grace period of the
    /// executor is killed. Unless told otherwise, stops at once.
    fn shutdown(&mut self, calls: &mut Calls<'_, Self>) {
        calls.stop();
    }
}

/// What an executor learns when its agent accepts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Itself, as its framework describes it.
    pub executor: ExecutorInfo,
    /// Whom it works for.
    pub framework: FrameworkInfo,
    /// Where it is.
    pub agent: AgentInfo,
}
