//! The command executor: one executor, one command, one operating system process.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use types::{KillPolicy, Reason, TaskId, TaskInfo, TaskState, TaskStatus};

use crate::checks::{self, Checked, Checker};
use crate::running::watch;
use crate::task_process::{Ended, TaskCommand, TaskProcess};
use crate::{Calls, Executor};

/// How long a task has to end after it was asked to, unless its kill policy says otherwise.
pub const KILL_GRACE: Duration = Duration::from_secs(3);

/// Runs one command and tells how it ends.
pub struct CommandExecutor {
    environment: BTreeMap<String, String>,
    killing_state: KillingState,
    phase: Phase,
}

/// Whether the framework is told that a task is being killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum KillingState {
    /// It asked to be told.
    Told,
    /// It would not understand.
    Untold,
}

enum Phase {
    Waiting,
    /// The process was started before anything else was; the task to go with it comes next.
    Started(io::Result<TaskProcess>),
    Running(Box<Run>),
    Ended,
}

struct Run {
    task_id: TaskId,
    policy: Option<KillPolicy>,
    kills: mpsc::UnboundedSender<Duration>,
    killed: Option<Killed>,
    checker: Checker,
}

/// Why a task was killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    OnRequest,
    /// It failed its health checks.
    Unhealthy,
    /// It had run for as long as it may.
    TooLong(Duration),
}

impl CommandExecutor {
    /// An executor whose command finds `environment`, and its own variables on top.
    pub fn new(environment: BTreeMap<String, String>, killing_state: KillingState) -> Self {
        CommandExecutor {
            environment,
            killing_state,
            phase: Phase::Waiting,
        }
    }

    /// Starts the command of `task` at once; the launch that follows takes it up.
    pub fn start(&mut self, task: &TaskInfo) {
        self.phase = Phase::Started(self.start_process(task));
    }

    fn start_process(&self, task: &TaskInfo) -> io::Result<TaskProcess> {
        let Some(command) = &task.command else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the task has no command",
            ));
        };
        let mut environment = self.environment.clone();
        environment.extend(command.environment.0.clone());
        TaskProcess::start(&TaskCommand {
            shell: command.shell,
            value: command.value.clone(),
            arguments: command.arguments.clone(),
            environment,
            directory: None,
            output: None,
        })
    }

    fn kill_running(
        &mut self,
        killed: Killed,
        grace: Option<Duration>,
        calls: &mut Calls<'_, Self>,
    ) {
        let Phase::Running(run) = &mut self.phase else {
            return; // it has ended by itself
        };
        let default = run.policy.map_or(KILL_GRACE, |policy| policy.grace_period);
        // The task has ended when nobody receives it; its news is under way.
        let _ = run.kills.send(grace.unwrap_or(default));
        if run.killed.is_some() {
            return;
        }
        run.killed = Some(killed);
        if self.killing_state == KillingState::Told {
            calls.update(calls.status(&run.task_id, TaskState::Killing));
        }
    }

    fn ended(&mut self, ended: io::Result<Ended>, calls: &mut Calls<'_, Self>) {
        let Phase::Running(run) = std::mem::replace(&mut self.phase, Phase::Ended) else {
            return;
        };
        let status = calls.status(&run.task_id, TaskState::Failed);
        calls.update(match ended {
            Ok(ended) => describe(status, ended, run.killed),
            Err(error) => status.because(
                Reason::CommandExecutorFailed,
                format!("Failed to wait for the command: {error}"),
            ),
        });
        calls.stop();
    }
}

/// Says of a task how its process ended.
fn describe(status: TaskStatus, ended: Ended, killed: Option<Killed>) -> TaskStatus {
    let message = ended.to_string();
    let status = TaskStatus {
        exit_code: ended.exit_code,
        signal: ended.signal,
        ..status
    };
    match killed {
        Some(Killed::OnRequest) => TaskStatus {
            state: TaskState::Killed,
            message: Some(message),
            ..status
        },
        Some(Killed::Unhealthy) => TaskStatus {
            state: TaskState::Killed,
            healthy: Some(false),
            message: Some(format!("Task failed its health checks: {message}")),
            ..status
        },
        Some(Killed::TooLong(limit)) => status.because(
            Reason::MaxCompletionTimeReached,
            format!("Task exceeded its max completion time of {limit:?}: {message}"),
        ),
        None if ended.is_success() => TaskStatus {
            state: TaskState::Finished,
            message: Some(message),
            ..status
        },
        None => status.because(Reason::CommandExecutorFailed, message),
    }
}

impl Executor for CommandExecutor {
    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
        let started = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Waiting => self.start_process(&task),
            Phase::Started(started) => started,
            phase @ (Phase::Running(_) | Phase::Ended) => {
                self.phase = phase;
                let status = calls.status(&task.task_id, TaskState::Failed);
                let text = "A command executor runs one task only";
                return calls.update(status.because(Reason::CommandExecutorFailed, text));
            }
        };
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let status = calls.status(&task.task_id, TaskState::Failed);
                let text = format!("Failed to launch the command: {error}");
                calls.update(status.because(Reason::CommandExecutorFailed, text));
                return calls.stop();
            }
        };
        calls.update(calls.status(&task.task_id, TaskState::Running));
        let (kills, receiver) = mpsc::unbounded_channel();
        calls.defer(watch(process, receiver), Self::ended);
        if let Some(limit) = task.max_completion_time {
            calls.after(limit, move |executor, calls| {
                executor.kill_running(Killed::TooLong(limit), None, calls);
            });
        }
        let checker = Checker::new(&task, &self.environment);
        let (task_id, policy) = (task.task_id, task.kill_policy);
        self.phase = Phase::Running(Box::new(Run {
            task_id: task_id.clone(),
            policy,
            kills,
            killed: None,
            checker,
        }));
        checks::begin(self, &task_id, calls);
    }

    fn kill(&mut self, task_id: TaskId, policy: Option<KillPolicy>, calls: &mut Calls<'_, Self>) {
        match &self.phase {
            Phase::Running(run) if run.task_id == task_id => {
                let grace = policy.map(|policy| policy.grace_period);
                self.kill_running(Killed::OnRequest, grace, calls);
            }
            // Another task is none of its own, and one that has ended needs no killing.
            Phase::Running(_) | Phase::Waiting | Phase::Started(_) | Phase::Ended => {}
        }
    }

    fn shutdown(&mut self, calls: &mut Calls<'_, Self>) {
        match &self.phase {
            Phase::Running(_) => self.kill_running(Killed::OnRequest, None, calls),
            Phase::Waiting | Phase::Started(_) | Phase::Ended => calls.stop(),
        }
    }
}

impl Checked for CommandExecutor {
    fn checker(&mut self, task_id: &TaskId) -> Option<&mut Checker> {
        match &mut self.phase {
            Phase::Running(run) if run.killed.is_none() && run.task_id == *task_id => {
                Some(&mut run.checker)
            }
            Phase::Running(_) | Phase::Waiting | Phase::Started(_) | Phase::Ended => None,
        }
    }

    fn unhealthy(&mut self, _: &TaskId, calls: &mut Calls<'_, Self>) {
        self.kill_running(Killed::Unhealthy, None, calls);
    }
}
