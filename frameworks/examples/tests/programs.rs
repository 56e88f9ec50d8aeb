//! The examples as programs of their own, with this test for master and agent: it makes the offers
//! and runs the tasks.

use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use api::master::{Accept, GetMaster, MasterSummary, Mastering, Revive, Subscribe, Teardown};
use api::scheduler::{Offers, Scheduling, Subscribed, Update};
use libproc::{Node, Pid, Probe};
use types::{FrameworkId, MasterInfo, Operation, Resources, Source, TaskInfo, TaskState};
use types::{TaskStatus, UpdateId};

/// Longest time for one test; they take a second or two.
const PATIENCE: Duration = Duration::from_secs(120);

struct Cluster {
    node: Node,
    master: Probe<Mastering>,
    scheduler: Option<Pid<Scheduling>>,
}

fn master_info() -> MasterInfo {
    MasterInfo {
        id: "m".into(),
        hostname: "localhost".into(),
        address: "127.0.0.1:5050".into(),
        version: "0.1.0".into(),
    }
}

impl Cluster {
    async fn new() -> Cluster {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        let master = node.probe::<Mastering>("master");
        Cluster {
            node,
            master,
            scheduler: None,
        }
    }

    /// Starts a program, and takes its framework in.
    async fn run(&mut self, program: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["--master", &self.node.address().to_string()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.spawn().expect("the program starts");
        let subscribe = self.master.await_one::<Subscribe>().await.message;
        let framework_id = FrameworkId::new("framework").expect("a plain word");
        let subscribed = Subscribed {
            framework_id,
            master: master_info(),
        };
        self.node.tell(&subscribe.scheduler, subscribed);
        self.scheduler = Some(subscribe.scheduler);
        program
    }

    fn tell_update(&self, task: &TaskInfo, state: TaskState) {
        let status = TaskStatus::new(task.task_id.clone(), state, Source::Executor, 0)
            .on(task.agent_id.clone())
            .acknowledged_as(UpdateId::random());
        let scheduler = self.scheduler.as_ref().expect("it has subscribed");
        self.node.tell(scheduler, Update { status });
    }

    /// Makes an offer; gives the tasks that are launched on it.
    async fn offer(&mut self, resources: Resources) -> Vec<TaskInfo> {
        let offers = vec![sdk::testing::offer("agent", resources)];
        let scheduler = self.scheduler.as_ref().expect("it has subscribed");
        self.node.tell(scheduler, Offers { offers });
        let accept = self.master.await_one::<Accept>().await.message;
        let Some(Operation::Launch { tasks }) = accept.operations.into_iter().next() else {
            panic!("no tasks are launched");
        };
        tasks
    }

    /// Runs a task as an agent would, and says how it ended.
    fn run_task(&self, task: &TaskInfo) {
        self.tell_update(task, TaskState::Running);
        let command = task.command.as_ref().expect("a task is a command");
        let mut child = match command.shell {
            true => Command::new("sh"),
            false => Command::new(&command.value),
        };
        match command.shell {
            true => child.args(["-c", &command.value]),
            false => child.args(&command.arguments[1..]),
        };
        let status = child
            .stdin(Stdio::null())
            .status()
            .expect("the task starts");
        assert!(status.success(), "{task:?}");
        self.tell_update(task, TaskState::Finished);
    }

    async fn wait_for_teardown(mut self, program: Child) -> Output {
        self.master.await_one::<Teardown>().await;
        self.master
            .receive::<GetMaster>()
            .await
            .answer(MasterSummary {
                info: master_info(),
                started_ms: 0,
                agents: 1,
                frameworks: 1,
                tasks: 0,
                total: Resources::new(),
                used: Resources::new(),
            });
        let program = thread::spawn(|| program.wait_with_output().expect("the program ends"));
        while !program.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.node.shutdown().await;
        program.join().expect("nobody panics")
    }
}

fn alone(test: impl Future<Output = ()>) {
    let test = async {
        tokio::time::timeout(PATIENCE, test)
            .await
            .expect("it ends in time");
        Ok(())
    };
    libproc::run_alone(test).expect("a runtime starts");
}

#[test]
fn words_are_counted_by_tasks_and_the_count_is_checked() {
    alone(async {
        let mut cluster = Cluster::new().await;
        let arguments = ["--maps", "4", "--reduces", "2", "--json"];
        let program = cluster
            .run(env!("CARGO_BIN_EXE_wordcount"), &arguments)
            .await;
        let room = || Resources::new().cpus(4.0).mem_mib(4096);
        let maps = cluster.offer(room()).await;
        assert_eq!(maps.len(), 4);
        let (lost, others) = maps.split_first().expect("four maps");
        others.iter().for_each(|map| cluster.run_task(map));
        cluster.tell_update(lost, TaskState::Gone);
        cluster.master.await_one::<Revive>().await;
        let again = cluster.offer(room()).await;
        assert_eq!((again.len(), &again[0].name), (1, &lost.name));
        cluster.run_task(&again[0]);
        cluster.master.await_one::<Revive>().await;
        let reduces = cluster.offer(room()).await;
        assert_eq!(reduces.len(), 2);
        reduces.iter().for_each(|reduce| cluster.run_task(reduce));
        let output = cluster.wait_for_teardown(program).await;
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("the output is JSON");
        assert_eq!(report["equal"], true);
        assert_eq!(report["top"][0]["word"], "the");
    });
}

#[test]
fn sleepers_sleep_and_end() {
    alone(async {
        let mut cluster = Cluster::new().await;
        let arguments = ["--tasks", "3", "--seconds", "0.01"];
        let program = cluster
            .run(env!("CARGO_BIN_EXE_sleepers"), &arguments)
            .await;
        let sleeps = cluster.offer(Resources::new().cpus(1.0).mem_mib(512)).await;
        assert_eq!(sleeps.len(), 3);
        sleeps.iter().for_each(|sleep| cluster.run_task(sleep));
        let output = cluster.wait_for_teardown(program).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "slept 3 times\n");
        let progress = String::from_utf8_lossy(&output.stderr);
        assert!(progress.ends_with("3 of 3 slept, 0 asleep\n"), "{progress}");
    });
}

#[test]
fn a_program_that_is_interrupted_takes_its_tasks_with_it() {
    alone(async {
        let mut cluster = Cluster::new().await;
        let program = cluster
            .run(env!("CARGO_BIN_EXE_sleepers"), &["--quiet"])
            .await;
        let sleeps = cluster.offer(Resources::new().cpus(1.0).mem_mib(512)).await;
        assert_eq!(sleeps.len(), 10);
        let id = program.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let output = cluster.wait_for_teardown(program).await;
        assert_eq!(output.status.code(), Some(130), "{output:?}");
    });
}

#[test]
fn where_no_master_is_a_program_says_so_and_fails() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sleepers"));
    // Nothing listens on the port of echo.
    let output = command
        .args(["--master", "127.0.0.1:7"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("no master at 127.0.0.1:7: start one with `tepui up`"),
        "{error}"
    );
}
