//! A launcher for simulations: executors are processes of a node, and commands are pretended.
//!
//! A command is a line of steps, one after the other, separated by `;` or `&&`: `sleep N` (seconds,
//! of whatever time the simulation has), `true`, `false`, `exit N`, `crash` (the executor vanishes
//! without a word). Anything else succeeds at once. The first step that fails ends the command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use executor::{Calls, Executor, ExecutorProcess, Identity, Start, Work};
use libproc::{ExitReason, Node, Upid};
use tokio::sync::mpsc;
use types::{FrameworkId, KillPolicy, Reason, TaskId, TaskInfo, TaskState};

use crate::launcher::{Destroy, ExitStatus, Launch, LaunchError, LaunchRequest, LauncherEvent};
use crate::launcher::{Launching, What};

/// The signal a destroyed container is reported to have died of.
const SIGKILL: i32 = 9;
/// The signal a crashed executor is reported to have died of.
const SIGSEGV: i32 = 11;
/// The exit status of an executor that panicked.
const EXIT_PANIC: i32 = 101;

/// Launches pretended executors on a node, which must be driven by the thread that calls.
#[derive(Clone)]
pub struct SimulatedLauncher {
    node: Node,
    events: mpsc::UnboundedSender<LauncherEvent>,
    books: Arc<Mutex<Books>>,
    watch: Watch,
}

/// What really happens to a command, whatever is told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening<'a> {
    /// It runs.
    Started(&'a FrameworkId, &'a TaskInfo),
    /// It runs no more. With the exit code, if it came to its end.
    Ended(&'a FrameworkId, &'a TaskId, Option<i32>),
}

/// Is told what happens.
pub type Watch = Arc<dyn Fn(Happening<'_>) + Send + Sync>;

#[derive(Default)]
struct Books {
    next_pid: u32,
    running: BTreeMap<String, Running>,
}

struct Running {
    upid: Upid,
    /// How its end is to be reported, when it does not end by itself.
    fate: Option<ExitStatus>,
}

impl SimulatedLauncher {
    /// A launcher whose executors live on `node`, and the events of theirs.
    pub fn new(node: &Node) -> (SimulatedLauncher, mpsc::UnboundedReceiver<LauncherEvent>) {
        SimulatedLauncher::watched(node, Arc::new(|_| {}))
    }

    /// A launcher like that which tells `watch` what happens to its commands. When the node ceases
    /// without an orderly end, so does what runs on it, and nothing is told.
    pub fn watched(
        node: &Node,
        watch: Watch,
    ) -> (SimulatedLauncher, mpsc::UnboundedReceiver<LauncherEvent>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let (node, books) = (node.clone(), Arc::default());
        (
            SimulatedLauncher {
                node,
                events,
                books,
                watch,
            },
            receiver,
        )
    }

    /// How many executors live.
    pub fn running(&self) -> usize {
        lock(&self.books).running.len()
    }

    fn start(&self, container_id: String, bytes: &[u8]) -> Result<u32, LaunchError> {
        let start = Start::from_bytes(bytes)
            .map_err(|error| LaunchError::Refused(format!("not an executor's start: {error}")))?;
        let Start {
            agent,
            framework_id,
            executor_id,
            container_id: id,
            grace,
            work,
            ..
        } = start;
        let Work::Command(task) = work else {
            let text = "a simulation runs no groups of tasks".to_owned();
            return Err(LaunchError::Refused(text));
        };
        let crashing = Crashing {
            books: self.books.clone(),
            container_id: container_id.clone(),
        };
        let identity = Identity {
            framework_id,
            executor_id,
            container_id: id,
        };
        let pretended = Pretended {
            crashing,
            run: None,
            framework_id: identity.framework_id.clone(),
            watch: self.watch.clone(),
        };
        let process = ExecutorProcess::new(pretended, identity, agent, grace).with_task(*task);
        let pid = self
            .node
            .try_spawn(&container_id, process)
            .map_err(|error| LaunchError::Refused(error.to_string()))?;
        let upid = pid.upid().clone();
        let exited = self.node.exit_of(&upid);
        let number = {
            let mut books = lock(&self.books);
            books.next_pid += 1;
            books
                .running
                .insert(container_id.clone(), Running { upid, fate: None });
            books.next_pid
        };
        let (books, events) = (self.books.clone(), self.events.clone());
        tokio::task::spawn_local(async move {
            let reason = exited.await;
            let running = lock(&books).running.remove(&container_id);
            let natural = match reason {
                ExitReason::Panicked(_) => ExitStatus::Exited(EXIT_PANIC),
                _ => ExitStatus::Exited(0),
            };
            let status = running.and_then(|running| running.fate).unwrap_or(natural);
            // The agent may be gone by then.
            let _ = events.send(LauncherEvent::Exited {
                container_id,
                pid: number,
                status,
            });
        });
        Ok(number)
    }
}

impl Launch for SimulatedLauncher {
    fn launch(&self, request: LaunchRequest) -> Launching {
        let launched = match request.what {
            What::Builtin { start } => self.start(request.container_id, &start),
            What::Command { value, .. } => Err(LaunchError::Refused(format!(
                "a simulation cannot run {value}"
            ))),
        };
        Box::pin(async { launched })
    }

    fn destroy(&self, container_id: &str, how: Destroy) {
        let (books, node) = (self.books.clone(), self.node.clone());
        let container_id = container_id.to_owned();
        let kill = move || {
            let mut books = lock(&books);
            if let Some(running) = books.running.get_mut(&container_id) {
                running.fate.get_or_insert(ExitStatus::Signaled(SIGKILL));
                node.terminate(&running.upid);
            }
        };
        match how {
            Destroy::Now => kill(),
            Destroy::After { grace } => drop(tokio::task::spawn_local(async move {
                tokio::time::sleep(grace).await;
                kill();
            })),
        }
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one step of a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Sleep(Duration),
    Exit(i32),
    Crash,
}

fn steps(line: &str) -> Vec<Step> {
    line.split(';')
        .flat_map(|part| part.split("&&"))
        .map(step)
        .collect()
}

fn step(text: &str) -> Step {
    let words: Vec<_> = text.split_whitespace().collect();
    match words.as_slice() {
        ["sleep", seconds] => {
            let seconds = seconds
                .parse()
                .ok()
                .and_then(|s| Duration::try_from_secs_f64(s).ok());
            Step::Sleep(seconds.unwrap_or_default())
        }
        ["exit", code] => Step::Exit(code.parse().unwrap_or(2)),
        ["false"] => Step::Exit(1),
        ["crash"] => Step::Crash,
        _ => Step::Sleep(Duration::ZERO),
    }
}

/// How a pretended executor vanishes.
struct Crashing {
    books: Arc<Mutex<Books>>,
    container_id: String,
}

/// An executor that pretends to run the command of its task.
struct Pretended {
    crashing: Crashing,
    run: Option<Run>,
    framework_id: FrameworkId,
    watch: Watch,
}

/// A command that runs; it ends when this is dropped.
struct Run {
    task_id: TaskId,
    framework_id: FrameworkId,
    code: Option<i32>,
    watch: Watch,
}

impl Drop for Run {
    fn drop(&mut self) {
        (self.watch)(Happening::Ended(
            &self.framework_id,
            &self.task_id,
            self.code,
        ));
    }
}

impl Pretended {
    fn go_on(&mut self, mut left: std::vec::IntoIter<Step>, calls: &mut Calls<'_, Self>) {
        if self.run.is_none() {
            return; // it was killed
        }
        match left.next() {
            Some(Step::Sleep(time)) => {
                calls.after(time, |executor, calls| executor.go_on(left, calls));
            }
            Some(Step::Exit(code)) => self.end(code, calls),
            Some(Step::Crash) => {
                let mut books = lock(&self.crashing.books);
                if let Some(running) = books.running.get_mut(&self.crashing.container_id) {
                    running.fate = Some(ExitStatus::Signaled(SIGSEGV));
                }
                drop(books);
                calls.vanish();
            }
            None => self.end(0, calls),
        }
    }

    fn end(&mut self, code: i32, calls: &mut Calls<'_, Self>) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        run.code = Some(code);
        let task_id = run.task_id.clone();
        drop(run);
        let message = format!("Command exited with status {code}");
        let state = if code == 0 {
            TaskState::Finished
        } else {
            TaskState::Failed
        };
        let mut status = calls.status(&task_id, state);
        if code == 0 {
            status.message = Some(message);
        } else {
            status = status.because(Reason::CommandExecutorFailed, message);
        }
        status.exit_code = Some(code);
        calls.update(status);
        calls.stop();
    }
}

impl Executor for Pretended {
    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
        calls.update(calls.status(&task.task_id, TaskState::Running));
        (self.watch)(Happening::Started(&self.framework_id, &task));
        self.run = Some(Run {
            task_id: task.task_id,
            framework_id: self.framework_id.clone(),
            code: None,
            watch: self.watch.clone(),
        });
        let command = task.command.unwrap_or_default();
        let line = match command.shell {
            true => command.value,
            false => command.arguments.join(" "),
        };
        self.go_on(steps(&line).into_iter(), calls);
    }

    fn kill(&mut self, task_id: TaskId, _: Option<KillPolicy>, calls: &mut Calls<'_, Self>) {
        if self.run.as_ref().map(|run| &run.task_id) != Some(&task_id) {
            return;
        }
        self.run = None;
        let mut status = calls.status(&task_id, TaskState::Killed);
        status.message = Some("Command terminated with signal Terminated".to_owned());
        calls.update(status);
        calls.stop();
    }

    fn shutdown(&mut self, calls: &mut Calls<'_, Self>) {
        match self.run.as_ref().map(|run| run.task_id.clone()) {
            Some(task_id) => self.kill(task_id, None, calls),
            None => calls.stop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_steps() {
        let second = Step::Sleep(Duration::from_secs(1));
        assert_eq!(steps("sleep 1"), [second]);
        assert_eq!(steps("sleep 1; exit 3"), [second, Step::Exit(3)]);
        assert_eq!(
            steps("sleep 1 && false && crash"),
            [second, Step::Exit(1), Step::Crash]
        );
        assert_eq!(steps("sleep -1"), [Step::Sleep(Duration::ZERO)]);
        assert_eq!(steps(""), [Step::Sleep(Duration::ZERO)]);
    }
}
