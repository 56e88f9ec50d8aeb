//! An executor on virtual time, between its author's code and a stand-in of its agent.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use api::agent::{Agenting, ExecutorUpdate, RegisterExecutor, ToFramework};
use api::executor::{Acknowledged, Executing, FromFramework, Kill, Launch, Registered, Shutdown};
use executor::{Calls, Executor, ExecutorProcess, Identity, Registration};
use libproc::{Node, Pid, Probe};
use tokio::time::Instant;
use types::{
    AgentId, AgentInfo, CommandInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId,
    FrameworkInfo, KillPolicy, Resources, TaskId, TaskInfo, TaskState, TaskStatus,
};

/// Tells what it is told, and ends tasks only when they are killed.
#[derive(Default)]
struct Echo {
    tasks: Vec<TaskId>,
}

impl Executor for Echo {
    fn registered(&mut self, registration: &Registration, calls: &mut Calls<'_, Self>) {
        calls.message(registration.agent.hostname.clone().into_bytes());
    }

    fn launch(&mut self, task: TaskInfo, calls: &mut Calls<'_, Self>) {
        calls.update(calls.status(&task.task_id, TaskState::Running));
        self.tasks.push(task.task_id);
    }

    fn kill(&mut self, task_id: TaskId, _: Option<KillPolicy>, calls: &mut Calls<'_, Self>) {
        calls.after(Duration::from_secs(1), move |executor, calls| {
            executor.tasks.retain(|task| *task != task_id);
            calls.update(calls.status(&task_id, TaskState::Killed));
        });
    }

    fn message(&mut self, data: Vec<u8>, calls: &mut Calls<'_, Self>) {
        calls.defer(async move { data }, |_, data, calls| calls.message(data));
    }

    fn shutdown(&mut self, calls: &mut Calls<'_, Self>) {
        for task_id in std::mem::take(&mut self.tasks) {
            calls.update(calls.status(&task_id, TaskState::Killed));
        }
        calls.stop();
    }
}

/// Never ends by itself.
struct Deaf;

impl Executor for Deaf {
    fn launch(&mut self, _: TaskInfo, _: &mut Calls<'_, Self>) {}
    fn kill(&mut self, _: TaskId, _: Option<KillPolicy>, _: &mut Calls<'_, Self>) {}
    fn shutdown(&mut self, _: &mut Calls<'_, Self>) {}
}

struct Rig {
    node: Node,
    agent: Probe<Agenting>,
    executor: Pid<Executing>,
}

fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn identity() -> Identity {
    Identity {
        framework_id: FrameworkId::new("F1").unwrap(),
        executor_id: ExecutorId::new("e").unwrap(),
        container_id: ContainerId::new("c").unwrap(),
    }
}

fn registered() -> Registered {
    let executor_id = identity().executor_id;
    Registered {
        role: Default::default(),
        executor: ExecutorInfo::custom(executor_id, CommandInfo::shell("executor")),
        framework: FrameworkInfo::new("f"),
        agent: AgentInfo::new("host", 5051, Resources::new()),
        container_id: identity().container_id,
    }
}

fn task(id: &str) -> TaskInfo {
    let (task_id, agent_id) = (TaskId::new(id).unwrap(), AgentId::new("S1").unwrap());
    TaskInfo::command(
        task_id,
        agent_id,
        CommandInfo::shell("true"),
        Resources::new().cpus(1.0),
    )
}

impl Rig {
    async fn start<E: Executor>(executor: E) -> Rig {
        Rig::start_with(executor, |process| process).await
    }

    async fn start_with<E: Executor>(
        executor: E,
        change: impl FnOnce(ExecutorProcess<E>) -> ExecutorProcess<E>,
    ) -> Rig {
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let agent = node.probe::<Agenting>("agent");
        let grace = Duration::from_secs(5);
        let process = ExecutorProcess::new(executor, identity(), agent.pid(), grace);
        let executor = node.spawn("executor", change(process));
        Rig {
            node,
            agent,
            executor,
        }
    }

    async fn registered<E: Executor>(executor: E) -> Rig {
        let mut rig = Rig::start(executor).await;
        rig.agent.expect::<RegisterExecutor>().await;
        rig.node.tell(&rig.executor, registered());
        rig
    }

    async fn update(&mut self) -> TaskStatus {
        let ExecutorUpdate {
            framework_id,
            executor_id,
            status,
        } = self.agent.expect().await;
        assert_eq!(
            (framework_id, executor_id),
            (identity().framework_id, identity().executor_id)
        );
        status
    }

    fn acknowledge(&self, status: &TaskStatus) {
        let (task_id, update_id) = (status.task_id.clone(), status.update_id.unwrap());
        self.node
            .tell(&self.executor, Acknowledged { task_id, update_id });
    }
}

#[test]
fn an_executor_registers_until_it_is_answered() {
    paused(async {
        let mut rig = Rig::start(Echo::default()).await;
        for _ in 0..3 {
            let message: RegisterExecutor = rig.agent.expect().await;
            assert_eq!(message.container_id, identity().container_id);
            assert_eq!(message.executor, rig.executor);
        }
        rig.node.tell(&rig.executor, registered());
        rig.node.tell(&rig.executor, registered());
        assert_eq!(rig.agent.expect::<ToFramework>().await.data, b"host");
        rig.agent.expect_nothing(Duration::from_secs(600)).await;
    });
}

#[test]
fn an_update_is_told_again_until_it_is_acknowledged() {
    paused(async {
        let mut rig = Rig::registered(Deaf).await;
        drop(rig);
        rig = Rig::registered(Echo::default()).await;
        rig.agent.expect::<ToFramework>().await;
        rig.node.tell(
            &rig.executor,
            Launch {
                task: task("t"),
                role: Default::default(),
            },
        );
        rig.node.tell(
            &rig.executor,
            Launch {
                task: task("u"),
                role: Default::default(),
            },
        );
        let (first, second) = (rig.update().await, rig.update().await);
        assert_eq!(
            (first.task_id.as_str(), second.task_id.as_str()),
            ("t", "u")
        );
        assert!(first.update_id.is_some() && first.update_id != second.update_id);
        let told = Instant::now();
        assert_eq!(
            (rig.update().await, rig.update().await),
            (first.clone(), second.clone())
        );
        assert_eq!(told.elapsed().as_secs(), 10);
        rig.acknowledge(&first);
        assert_eq!(rig.update().await, second);
        rig.acknowledge(&second);
        rig.agent.expect_nothing(Duration::from_secs(600)).await;
    });
}

#[test]
fn a_first_task_does_not_wait_for_the_registration() {
    paused(async {
        let start = |process: ExecutorProcess<Echo>| process.with_task(task("t"));
        let mut rig = Rig::start_with(Echo::default(), start).await;
        rig.agent.expect::<RegisterExecutor>().await;
        assert_eq!(rig.update().await.state, TaskState::Running);
    });
}

#[test]
fn words_and_kills_reach_the_author() {
    paused(async {
        let mut rig = Rig::registered(Echo::default()).await;
        rig.agent.expect::<ToFramework>().await;
        rig.node.tell(
            &rig.executor,
            FromFramework {
                data: b"words".to_vec(),
            },
        );
        assert_eq!(rig.agent.expect::<ToFramework>().await.data, b"words");
        rig.node.tell(
            &rig.executor,
            Launch {
                task: task("t"),
                role: Default::default(),
            },
        );
        let running = rig.update().await;
        rig.acknowledge(&running);
        let task_id = running.task_id;
        rig.node.tell(
            &rig.executor,
            Kill {
                task_id,
                kill_policy: None,
            },
        );
        assert_eq!(rig.update().await.state, TaskState::Killed);
    });
}

#[test]
fn an_executor_that_is_done_leaves_when_its_last_update_is_acknowledged() {
    paused(async {
        let mut rig = Rig::registered(Echo::default()).await;
        rig.agent.expect::<ToFramework>().await;
        rig.node.tell(
            &rig.executor,
            Launch {
                task: task("t"),
                role: Default::default(),
            },
        );
        let running = rig.update().await;
        rig.acknowledge(&running);
        rig.node.tell(&rig.executor, Shutdown {});
        let killed = rig.update().await;
        assert_eq!(killed.state, TaskState::Killed);
        // Nothing comes to one that is about to leave.
        rig.node.tell(
            &rig.executor,
            Launch {
                task: task("u"),
                role: Default::default(),
            },
        );
        let exited = rig.node.exit_of(rig.executor.upid());
        rig.acknowledge(&killed);
        let left = Instant::now();
        exited.await;
        assert!(left.elapsed() < Duration::from_millis(10));
        rig.agent.expect_nothing(Duration::from_secs(60)).await;
    });
}

#[test]
fn an_executor_that_does_not_shut_down_is_ended_after_its_grace() {
    paused(async {
        let rig = Rig::registered(Deaf).await;
        rig.node.tell(&rig.executor, Shutdown {});
        let told = Instant::now();
        rig.node.exit_of(rig.executor.upid()).await;
        assert_eq!(told.elapsed().as_secs(), 5);
    });
}

#[test]
fn an_executor_that_loses_its_agent_ends() {
    paused(async {
        for silent in [false, true] {
            let rig = match silent {
                true => Rig::registered(Deaf).await,
                false => Rig::registered(Echo::default()).await,
            };
            let exited = rig.node.exit_of(rig.executor.upid());
            let lost = Instant::now();
            drop(rig.agent);
            exited.await;
            let seconds = if silent { 5 } else { 0 };
            assert_eq!(lost.elapsed().as_secs(), seconds);
        }
    });
}

#[test]
fn an_executor_goes_on_without_its_agent_and_tells_the_next_one_what_is_new() {
    paused(async {
        let lasting = Some(Duration::from_secs(900));
        let mut rig = Rig::start_with(Echo::default(), |process| process.recovering(lasting)).await;
        let first = rig.agent.expect::<RegisterExecutor>().await;
        assert_eq!(first.tasks, []);
        rig.node.tell(&rig.executor, registered());
        rig.agent.expect::<ToFramework>().await;
        rig.node.tell(&rig.executor, Launch { task: task("t") });
        let running = rig.agent.expect::<ExecutorUpdate>().await.status;
        let name = rig.agent.pid().upid().id().to_owned();
        let exited = rig.node.exit_of(rig.agent.pid().upid());
        drop(std::mem::replace(&mut rig.agent, rig.node.probe("nobody")));
        exited.await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        rig.agent = rig.node.probe(&name);
        let again = rig.agent.expect::<RegisterExecutor>().await;
        assert_eq!(again.tasks, [TaskId::new("t").unwrap()]);
        rig.node.tell(&rig.executor, registered());
        let told = rig.agent.expect::<ExecutorUpdate>().await.status;
        assert_eq!(told, running);
    });
}

#[test]
fn an_executor_gives_up_when_no_agent_comes_in_time() {
    paused(async {
        let lasting = Some(Duration::from_secs(900));
        let mut rig = Rig::start_with(Echo::default(), |process| process.recovering(lasting)).await;
        rig.agent.expect::<RegisterExecutor>().await;
        let since = Instant::now();
        let exited = rig.node.exit_of(rig.executor.upid());
        drop(std::mem::replace(&mut rig.agent, rig.node.probe("nobody")));
        exited.await;
        let waited = since.elapsed();
        assert!(waited >= Duration::from_secs(900) && waited < Duration::from_secs(910));
    });
}

#[test]
fn the_registration_of_another_container_is_ignored() {
    paused(async {
        let mut rig = Rig::start(Echo::default()).await;
        rig.agent.expect::<RegisterExecutor>().await;
        let container_id = ContainerId::new("other").unwrap();
        rig.node.tell(
            &rig.executor,
            Registered {
                container_id,
                ..registered()
            },
        );
        rig.agent.expect::<RegisterExecutor>().await;
    });
}
