//! Real commands, from the master's word to the files they leave, through a real zygote.
//!
//! This program is its own zygote, so it must start with one thread: there is no test harness.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod checks;
mod fetching;
mod groups;

use std::path::Path;
use std::time::{Duration, Instant};

use agent::Options;
use agent::launcher::{Launcher, zygote};
use api::agent::{AcknowledgeUpdate, Agenting, KillTask, ListFiles, ReadFile, Registered, RunTask};
use api::agent::{Chunk, FileError, ToExecutor};
use api::executor::Exit;
use api::master::{ExecutorExited, Mastering, Register, UpdateStatus};
use executor::{Calls, Executor};
use libproc::{Node, Probe};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use types::{
    AgentId, CommandInfo, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy,
    MasterInfo, Reason, Resources, Role, TaskId, TaskInfo, TaskState, TaskStatus,
};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("zygote") => zygote::main(agent::run_executor),
        Some("executor") => return executor::run(Counter::default()).unwrap(),
        _ => {}
    }
    let tests: [(&str, fn()); 19] = [
        (
            "a_command_runs_and_its_end_is_told",
            a_command_runs_and_its_end_is_told,
        ),
        (
            "a_failing_command_tells_its_status",
            a_failing_command_tells_its_status,
        ),
        (
            "what_a_command_writes_can_be_read",
            what_a_command_writes_can_be_read,
        ),
        ("a_killed_command_is_told_so", a_killed_command_is_told_so),
        ("a_command_may_not_run_for_longer_than_it_said", too_long),
        (
            "a_killed_executor_takes_its_task_along",
            a_killed_executor_takes_its_task_along,
        ),
        (
            "an_executor_of_a_framework_runs_its_tasks",
            an_executor_of_a_framework_runs_its_tasks,
        ),
        (
            "the_pages_of_the_agent_tell_what_runs",
            the_pages_of_the_agent_tell_what_runs,
        ),
        ("many_commands_run_at_once", many_commands_run_at_once),
        (
            "a_task_that_fails_its_health_checks_is_killed",
            checks::a_task_that_fails_its_health_checks_is_killed,
        ),
        (
            "a_task_that_can_be_reached_is_healthy_and_that_is_told_once",
            checks::a_task_that_can_be_reached_is_healthy_and_that_is_told_once,
        ),
        (
            "a_check_tells_what_it_found_and_has_no_other_consequence",
            checks::a_check_tells_what_it_found_and_has_no_other_consequence,
        ),
        (
            "what_a_command_wants_is_there_before_it_runs",
            fetching::what_a_command_wants_is_there_before_it_runs,
        ),
        (
            "a_command_does_not_run_without_what_it_wants",
            fetching::a_command_does_not_run_without_what_it_wants,
        ),
        (
            "a_command_can_be_killed_while_it_waits_for_what_it_wants",
            fetching::a_command_can_be_killed_while_it_waits_for_what_it_wants,
        ),
        (
            "a_group_shares_a_sandbox_and_ends_task_by_task",
            groups::a_group_shares_a_sandbox_and_ends_task_by_task,
        ),
        (
            "a_group_is_killed_with_one_of_its_tasks_and_another_is_not",
            groups::a_group_is_killed_with_one_of_its_tasks_and_another_is_not,
        ),
        (
            "a_group_is_killed_when_one_of_its_tasks_fails",
            groups::a_group_is_killed_when_one_of_its_tasks_fails,
        ),
        (
            "a_group_one_task_of_which_cannot_start_does_not_run",
            groups::a_group_one_task_of_which_cannot_start_does_not_run,
        ),
    ];
    let filter = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if filter.as_deref().is_none_or(|filter| name.contains(filter)) {
            let started = Instant::now();
            test();
            println!("test {name} ... ok ({} ms)", started.elapsed().as_millis());
        }
    }
}

struct Cluster {
    node: Node,
    master: Probe<Mastering>,
    agent: libproc::Pid<Agenting>,
    _work_dir: tempfile::TempDir,
}

/// Runs `test` on a registered agent with four processors.
fn with_agent<F: Future<Output = Cluster>>(test: impl FnOnce(Cluster) -> F) {
    let run = async {
        let (ours, theirs) = (
            Node::bind("127.0.0.1:0").await?,
            Node::bind("127.0.0.1:0").await?,
        );
        let mut master = ours.probe::<Mastering>("master");
        let work_dir = tempfile::tempdir()?;
        let options = Options {
            resources: Some(Resources::new().cpus(4.0).mem_mib(1024)),
            hostname: Some("host".to_owned()),
            ..Options::new(master.pid(), work_dir.path())
        };
        let executable = std::env::current_exe()?;
        let (launcher, events) = Launcher::start(Path::new(&executable), &["zygote"])?;
        let agent = agent::start(&theirs, options, Box::new(launcher), events).unwrap();
        assert_eq!(master.expect::<Register>().await.agent, agent);
        ours.tell(&agent, registered());
        let cluster = test(Cluster {
            node: ours,
            master,
            agent,
            _work_dir: work_dir,
        })
        .await;
        agent::stop(&theirs, &cluster.agent, false).await;
        theirs.shutdown().await;
        cluster.node.shutdown().await;
        Ok(())
    };
    libproc::run_alone(run).unwrap();
}

fn registered() -> Registered {
    let (id, hostname) = ("m".to_owned(), "host".to_owned());
    let (address, version) = ("127.0.0.1:5050".to_owned(), api::VERSION.to_owned());
    Registered {
        agent_id: AgentId::new("S1").unwrap(),
        master: MasterInfo {
            id,
            hostname,
            address,
            version,
        },
        silence: Duration::from_secs(75),
    }
}

fn framework() -> FrameworkInfo {
    let id = Some(FrameworkId::new("F1").unwrap());
    FrameworkInfo {
        id,
        ..FrameworkInfo::new("f")
    }
}

fn task(id: &str, command: CommandInfo) -> TaskInfo {
    let (task_id, agent_id) = (TaskId::new(id).unwrap(), AgentId::new("S1").unwrap());
    TaskInfo::command(
        task_id,
        agent_id,
        command,
        Resources::new().cpus(0.1).mem_mib(16),
    )
}

impl Cluster {
    fn run(&self, task: TaskInfo) {
        let (framework, role) = (framework(), Role::any());
        self.node.tell(
            &self.agent,
            RunTask {
                framework,
                task,
                role,
            },
        );
    }

    /// The next update, acknowledged.
    async fn update(&mut self) -> TaskStatus {
        let UpdateStatus {
            framework_id,
            status,
            ..
        } = self.master.expect().await;
        let (task_id, update_id) = (status.task_id.clone(), status.update_id.unwrap());
        let message = AcknowledgeUpdate {
            framework_id,
            task_id,
            update_id,
        };
        self.node.tell(&self.agent, message);
        status
    }

    async fn read(&self, task: &str, path: &str) -> Result<Chunk, FileError> {
        let (framework_id, task_id) = (framework().id.unwrap(), TaskId::new(task).unwrap());
        let path = path.to_owned();
        let message = ReadFile {
            framework_id,
            task_id,
            path,
            offset: 0,
            length: 100,
        };
        self.node.ask(&self.agent, message).await.unwrap()
    }

    /// A page of the agent, as it comes.
    async fn get(&self, page: &str) -> String {
        let mut stream = TcpStream::connect(self.agent.upid().address())
            .await
            .unwrap();
        let request = format!("GET /agent/{page} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    /// A file of a task that is about to end.
    async fn read_all(&self, task: &str, path: &str) -> String {
        loop {
            let chunk = self.read(task, path).await.unwrap();
            if chunk.ended {
                return String::from_utf8(chunk.data).unwrap();
            }
        }
    }
}

fn a_command_runs_and_its_end_is_told() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run(task("t", CommandInfo::argv(["true"])));
        let running = cluster.update().await;
        assert_eq!(running.state, TaskState::Running);
        assert_eq!(running.agent_id.as_ref().map(AgentId::as_str), Some("S1"));
        assert!(running.container.unwrap().container_id.is_some());
        let finished = cluster.update().await;
        assert_eq!(finished.state, TaskState::Finished);
        assert_eq!((finished.exit_code, finished.reason), (Some(0), None));
        cluster
    });
}

fn a_failing_command_tells_its_status() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run(task("t", CommandInfo::shell("exit 3")));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        let failed = cluster.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.exit_code, Some(3));
        assert_eq!(failed.reason, Some(Reason::CommandExecutorFailed));
        assert_eq!(
            failed.message.as_deref(),
            Some("Command exited with status 3")
        );
        cluster.run(task("u", CommandInfo::argv(["no-such-program"])));
        let failed = cluster.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert!(
            failed
                .message
                .unwrap()
                .starts_with("Failed to launch the command")
        );
        cluster
    });
}

fn what_a_command_writes_can_be_read() {
    with_agent(async |mut cluster: Cluster| {
        let command =
            CommandInfo::shell("echo $GREETING $MESOS_TASK_ID$TEPUI_EXECUTOR_ID; pwd > here")
                .env("GREETING", "hello");
        cluster.run(task("t", command));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        assert_eq!(cluster.update().await.state, TaskState::Finished);
        assert_eq!(cluster.read_all("t", "stdout").await, "hello t\n");
        assert!(
            cluster
                .read_all("t", "/here")
                .await
                .contains("/executors/t/runs/")
        );
        assert_eq!(cluster.read("t", "../x").await, Err(FileError::NotFound));
        assert_eq!(
            cluster.read("u", "stdout").await,
            Err(FileError::UnknownTask)
        );
        let (framework_id, task_id) = (framework().id.unwrap(), TaskId::new("t").unwrap());
        let list = ListFiles {
            framework_id,
            task_id,
            path: String::new(),
        };
        let files = cluster
            .node
            .ask(&cluster.agent, list)
            .await
            .unwrap()
            .unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["here", "stderr", "stdout"]);
        cluster
    });
}

fn a_killed_command_is_told_so() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run(task(
            "t",
            CommandInfo::shell("trap '' TERM; sleep 1000 & wait; wait; wait"),
        ));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        let kill_policy = Some(KillPolicy {
            grace_period: Duration::from_millis(10),
        });
        let (framework_id, task_id) = (framework().id.unwrap(), TaskId::new("t").unwrap());
        cluster.node.tell(
            &cluster.agent,
            KillTask {
                framework_id,
                task_id,
                kill_policy,
            },
        );
        assert_eq!(cluster.update().await.state, TaskState::Killing);
        assert_eq!(cluster.update().await.state, TaskState::Killed);
        cluster
    });
}

fn a_killed_executor_takes_its_task_along() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run(task("t", CommandInfo::argv(["sleep", "1000"])));
        let running = cluster.update().await;
        let pid = running.container.unwrap().pid.unwrap();
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
        let failed = cluster.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.reason, Some(Reason::CommandExecutorFailed));
        assert_eq!(
            failed.message.as_deref(),
            Some("Executor terminated with signal 9")
        );
        cluster
    });
}

fn too_long() {
    with_agent(async |mut cluster: Cluster| {
        let limited = TaskInfo {
            max_completion_time: Some(Duration::from_millis(10)),
            ..task("t", CommandInfo::argv(["sleep", "1000"]))
        };
        cluster.run(limited);
        assert_eq!(cluster.update().await.state, TaskState::Running);
        assert_eq!(cluster.update().await.state, TaskState::Killing);
        let failed = cluster.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.reason, Some(Reason::MaxCompletionTimeReached));
        cluster
    });
}

/// An executor as a framework's author would write one: its tasks end at the second of them, and it
/// does when it is told to.
#[derive(Default)]
struct Counter {
    tasks: Vec<TaskId>,
}

impl Executor for Counter {
    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
        calls.update(calls.status(&task.task_id, TaskState::Running));
        self.tasks.push(task.task_id);
        if self.tasks.len() == 2 {
            for task_id in &self.tasks {
                calls.update(calls.status(task_id, TaskState::Finished));
            }
        }
    }

    fn message(&mut self, _: Vec<u8>, calls: &mut Calls<'_, Self>) {
        calls.stop();
    }

    fn kill(&mut self, _: TaskId, _: Option<KillPolicy>, _: &mut Calls<'_, Self>) {}
}

fn an_executor_of_a_framework_runs_its_tasks() {
    with_agent(async |mut cluster: Cluster| {
        let program = std::env::current_exe().unwrap().display().to_string();
        let command = CommandInfo::argv([program.as_str(), "executor"]);
        let executor = ExecutorInfo::custom(ExecutorId::new("counter").unwrap(), command);
        for id in ["t", "u"] {
            let executor = Some(executor.clone());
            let idle = task(id, CommandInfo::default());
            cluster.run(TaskInfo {
                command: None,
                executor,
                ..idle
            });
        }
        let mut states = Vec::new();
        for _ in 0..4 {
            let status = cluster.update().await;
            states.push((status.task_id.to_string(), status.state));
        }
        states.sort();
        let expected = ["t", "u"].map(|id| {
            [TaskState::Running, TaskState::Finished].map(|state| (id.to_owned(), state))
        });
        assert_eq!(states, expected.concat());
        let stop = ToExecutor {
            framework_id: framework().id.unwrap(),
            executor_id: executor.executor_id.clone(),
            data: Vec::new(),
        };
        cluster.node.tell(&cluster.agent, stop);
        let exited: ExecutorExited = cluster.master.expect().await;
        assert_eq!(
            (exited.executor_id.as_str(), exited.exit),
            ("counter", Exit::Code(0))
        );
        cluster
    });
}

fn the_pages_of_the_agent_tell_what_runs() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run(task("t", CommandInfo::shell("echo hello; sleep 1000")));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        assert!(cluster.get("health").await.starts_with("HTTP/1.1 200"));
        let state = cluster.get("state").await;
        let state = state.split_once("\r\n\r\n").unwrap().1;
        let state: serde_json::Value = serde_json::from_str(state).unwrap();
        assert_eq!(
            (&state["id"], &state["registered"]),
            (&"S1".into(), &true.into())
        );
        let task = &state["frameworks"][0]["executors"][0]["tasks"][0];
        assert_eq!(
            (&task["id"], &task["state"]),
            (&"t".into(), &"TASK_RUNNING".into())
        );
        let path = "files/read?path=/frameworks/F1/executors/t/runs/latest/stdout&length=2";
        let expected = r#"{"data":"he","offset":0}"#;
        while !cluster
            .get(&format!("{path}&offset=0"))
            .await
            .ends_with(expected)
        {}
        assert!(
            cluster
                .get("files/read?task=t")
                .await
                .starts_with("HTTP/1.1 400")
        );
        cluster
    });
}

fn many_commands_run_at_once() {
    const ROUNDS: usize = 10;
    const AT_ONCE: usize = 20;
    with_agent(async |mut cluster: Cluster| {
        let started = Instant::now();
        for round in 0..ROUNDS {
            for number in 0..AT_ONCE {
                cluster.run(task(
                    &format!("t{round}.{number}"),
                    CommandInfo::argv(["true"]),
                ));
            }
            let mut finished = 0;
            while finished < AT_ONCE {
                match cluster.update().await.state {
                    TaskState::Finished => finished += 1,
                    state => assert_eq!(state, TaskState::Running),
                }
            }
        }
        println!(
            "{} tasks/s",
            (ROUNDS * AT_ONCE) as f64 / started.elapsed().as_secs_f64()
        );
        cluster
    });
}
