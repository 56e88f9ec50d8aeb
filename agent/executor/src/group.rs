//! The group executor: runs groups of tasks in one sandbox, what Apache Mesos calls the default
//! executor.
//!
//! When a task of a group fails or is killed, the others of the group are killed; those of other
//! groups go on. With its last task the executor ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use types::{KillPolicy, Reason, TaskId, TaskInfo, TaskState};

use crate::checks::{self, Checked, Checker};
use crate::command::KillingState;
use crate::running::watch;
use crate::task_process::{Ended, TaskCommand, TaskOutput, TaskProcess};
use crate::{Calls, Executor, KILL_GRACE};

/// The directory of the sandbox with what tasks print, each in a directory of its name.
pub const TASKS: &str = "tasks";

/// Runs groups of commands and tells how they end.
pub struct GroupExecutor {
    environment: BTreeMap<String, String>,
    killing_state: KillingState,
    /// Numbers groups.
    groups: u64,
    running: BTreeMap<TaskId, Member>,
    /// It was told to end: nothing is launched any more.
    ending: bool,
}

/// A task that runs.
struct Member {
    group: u64,
    policy: Option<KillPolicy>,
    kills: mpsc::UnboundedSender<Duration>,
    killed: Option<Killed>,
    checker: Checker,
}

/// Why a task was killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// On request, or with its group.
    OnRequest,
    /// It failed its health checks.
    Unhealthy,
    /// It had run for as long as it may.
    TooLong(Duration),
}

impl GroupExecutor {
    /// An executor whose commands find `environment`, and their own variables on top.
    pub fn new(environment: BTreeMap<String, String>, killing_state: KillingState) -> Self {
        GroupExecutor {
            environment,
            killing_state,
            groups: 0,
            running: BTreeMap::new(),
            ending: false,
        }
    }

    fn start(&self, task: &TaskInfo) -> io::Result<TaskProcess> {
        let Some(command) = &task.command else {
            let text = "the task has no command";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let mut environment = self.environment.clone();
        environment.extend(command.environment.0.clone());
        TaskProcess::start(&TaskCommand {
            shell: command.shell,
            value: command.value.clone(),
            arguments: command.arguments.clone(),
            environment,
            directory: None,
            output: Some(output(&task.task_id)?),
        })
    }

    /// Starts one task of a group; false when it could not be.
    fn launch_member(&mut self, group: u64, task: &TaskInfo, calls: &mut Calls<'_, Self>) -> bool {
        let task_id = task.task_id.clone();
        let process = match self.start(task) {
            Ok(process) => process,
            Err(error) => {
                let status = calls.status(&task_id, TaskState::Failed);
                let text = format!("Failed to launch the command: {error}");
                calls.update(status.because(Reason::ContainerLaunchFailed, text));
                return false;
            }
        };
        calls.update(calls.status(&task_id, TaskState::Running));
        let (kills, receiver) = mpsc::unbounded_channel();
        let ended = task_id.clone();
        calls.defer(watch(process, receiver), move |executor, how, calls| {
            executor.ended(&ended, how, calls);
        });
        if let Some(limit) = task.max_completion_time {
            let late = task_id.clone();
            calls.after(limit, move |executor, calls| {
                let still = executor.running.get(&late);
                // Another task may have taken the name since.
                if still.is_some_and(|member| member.group == group) {
                    executor.kill_member(&late, Killed::TooLong(limit), None, calls);
                }
            });
        }
        let member = Member {
            group,
            policy: task.kill_policy,
            kills,
            killed: None,
            checker: Checker::new(task, &self.environment),
        };
        self.running.insert(task_id.clone(), member);
        checks::begin(self, &task_id, calls);
        true
    }

    fn kill_member(
        &mut self,
        task_id: &TaskId,
        killed: Killed,
        grace: Option<Duration>,
        calls: &mut Calls<'_, Self>,
    ) {
        let Some(member) = self.running.get_mut(task_id) else {
            return; // it has ended by itself
        };
        let default = member
            .policy
            .map_or(KILL_GRACE, |policy| policy.grace_period);
        // The task has ended when nobody receives it; its news is under way.
        let _ = member.kills.send(grace.unwrap_or(default));
        if member.killed.is_some() {
            return;
        }
        member.killed = Some(killed);
        if self.killing_state == KillingState::Told {
            calls.update(calls.status(task_id, TaskState::Killing));
        }
    }

    fn ended(&mut self, task_id: &TaskId, how: io::Result<Ended>, calls: &mut Calls<'_, Self>) {
        let Some(member) = self.running.remove(task_id) else {
            return;
        };
        let mut status = calls.status(task_id, TaskState::Failed);
        match &how {
            Ok(ended) => {
                status.exit_code = ended.exit_code;
                status.signal = ended.signal;
                status.message = Some(ended.to_string());
            }
            Err(error) => status.message = Some(format!("Failed to wait for the command: {error}")),
        }
        match (member.killed, how) {
            (Some(Killed::OnRequest), _) => status.state = TaskState::Killed,
            (Some(Killed::Unhealthy), _) => {
                (status.state, status.healthy) = (TaskState::Killed, Some(false));
            }
            (Some(Killed::TooLong(_)), _) => {
                status.reason = Some(Reason::MaxCompletionTimeReached);
            }
            (None, Ok(ended)) if ended.is_success() => status.state = TaskState::Finished,
            (None, _) => status.reason = Some(Reason::CommandExecutorFailed),
        }
        let failed = status.state != TaskState::Finished;
        calls.update(status);
        if failed {
            self.kill_group(member.group, calls);
        }
        self.stop_when_empty(calls);
    }

    /// A group does not go on without one of its tasks.
    fn kill_group(&mut self, group: u64, calls: &mut Calls<'_, Self>) {
        let others = self.running.iter();
        let others = others.filter(|(_, other)| other.group == group && other.killed.is_none());
        let others: Vec<TaskId> = others.map(|(task_id, _)| task_id.clone()).collect();
        for task_id in others {
            self.kill_member(&task_id, Killed::OnRequest, None, calls);
        }
    }

    fn stop_when_empty(&self, calls: &mut Calls<'_, Self>) {
        if self.running.is_empty() {
            calls.stop();
        }
    }
}

/// The files for what a task prints, beside those of the executor.
fn output(task_id: &TaskId) -> io::Result<TaskOutput> {
    let directory = Path::new(TASKS).join(task_id.as_str());
    std::fs::create_dir_all(&directory)?;
    let open = |name: &str| {
        let mut options = File::options();
        options.create(true).append(true).open(directory.join(name))
    };
    Ok(TaskOutput {
        stdout: open("stdout")?,
        stderr: open("stderr")?,
    })
}

impl Executor for GroupExecutor {
    /// A task alone is a group of one.
    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
        self.launch_group(vec![task], calls);
    }

    fn launch_group(&mut self, tasks: Vec<TaskInfo>, calls: &mut Calls<'_, Self>) {
        if self.ending {
            return; // the agent tells how they end, with the executor
        }
        self.groups += 1;
        let group = self.groups;
        for task in &tasks {
            calls.update(calls.status(&task.task_id, TaskState::Starting));
        }
        let mut tasks = tasks.iter();
        let all = tasks.all(|task| self.launch_member(group, task, calls));
        if !all {
            for task in tasks {
                let mut status = calls.status(&task.task_id, TaskState::Killed);
                status.message = Some("Another task of its group could not be launched".into());
                calls.update(status);
            }
            self.kill_group(group, calls);
        }
        self.stop_when_empty(calls);
    }

    fn kill(&mut self, task_id: TaskId, policy: Option<KillPolicy>, calls: &mut Calls<'_, Self>) {
        let grace = policy.map(|policy| policy.grace_period);
        self.kill_member(&task_id, Killed::OnRequest, grace, calls);
    }

    fn shutdown(&mut self, calls: &mut Calls<'_, Self>) {
        self.ending = true;
        let all: Vec<TaskId> = self.running.keys().cloned().collect();
        for task_id in all {
            self.kill_member(&task_id, Killed::OnRequest, None, calls);
        }
        self.stop_when_empty(calls);
    }
}

impl Checked for GroupExecutor {
    fn checker(&mut self, task_id: &TaskId) -> Option<&mut Checker> {
        let member = self.running.get_mut(task_id)?;
        member.killed.is_none().then_some(&mut member.checker)
    }

    fn unhealthy(&mut self, task_id: &TaskId, calls: &mut Calls<'_, Self>) {
        self.kill_member(task_id, Killed::Unhealthy, None, calls);
    }
}
