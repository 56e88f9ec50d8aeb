//! Executors that frameworks bring: started once, with several tasks.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use agent::launcher::{ExitStatus, What};
use api::agent::{RegisterExecutor, ShutdownExecutor, ToExecutor, ToFramework};
use api::executor::{Executing, Exit, FromFramework, Launch, Registered, Shutdown};
use api::master::{ExecutorExited, Register, UpdateStatus};
use executor::{Calls, Executor, ExecutorProcess, Identity, Registration};
use libproc::security::{Delegation, Keys};
use libproc::{Node, Security};
use tokio::sync::oneshot;
use types::{ContainerId, KillPolicy, Reason, TaskId, TaskInfo, TaskState};

use crate::rig::{Rig, command, custom, framework_id, paused, registered};

/// How long an executor of a test may take to end.
const GRACE: Duration = Duration::from_secs(5);

#[test]
fn tasks_wait_for_their_executor_and_reach_it_in_order() {
    paused(async {
        let mut rig = Rig::registered().await;
        for id in ["c", "a", "b"] {
            rig.run(custom(id));
        }
        let (launched, mut executor) = rig.launched().await;
        let What::Command { shell, value, .. } = &launched.request.what else {
            panic!("a framework's own executor is a command");
        };
        assert!(*shell && value == "executor");
        launched.succeed(7);
        rig.register(&executor);
        let registered: Registered = executor.probe.expect().await;
        assert_eq!(registered.container_id, executor.container_id);
        assert_eq!(registered.framework.id, Some(framework_id()));
        rig.run(custom("d"));
        for id in ["c", "a", "b", "d"] {
            let Launch { task, .. } = executor.probe.expect().await;
            assert_eq!(task.task_id.as_str(), id);
        }
        assert!(rig.launches.try_recv().is_err());
        rig.register(&executor);
        executor.probe.expect::<Registered>().await;
        executor.probe.expect_nothing(Duration::from_secs(60)).await;
    });
}

#[test]
fn a_queued_task_that_is_killed_never_reaches_its_executor() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        rig.run(custom("b"));
        rig.kill("a");
        let (launched, mut executor) = rig.launched().await;
        let killed = rig.update().await;
        assert_eq!(
            (killed.task_id.as_str(), killed.state),
            ("a", TaskState::Killed)
        );
        assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
        launched.succeed(7);
        rig.register(&executor);
        executor.probe.expect::<Registered>().await;
        assert_eq!(
            executor
                .probe
                .expect::<Launch>()
                .await
                .task
                .task_id
                .as_str(),
            "b"
        );
    });
}

#[test]
fn an_executor_whose_tasks_were_all_killed_meanwhile_is_shut_down() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        rig.kill("a");
        let (launched, mut executor) = rig.launched().await;
        launched.succeed(7);
        rig.register(&executor);
        executor.probe.expect::<Registered>().await;
        executor.probe.expect::<Shutdown>().await;
    });
}

/// Says when its agent has accepted it.
struct Told(Option<oneshot::Sender<()>>);

impl Executor for Told {
    fn registered(&mut self, _: &Registration, _: &mut Calls<'_, Self>) {
        self.0.take().unwrap().send(()).unwrap();
    }
    fn launch(&mut self, _: TaskInfo, _: &mut Calls<'_, Self>) {}
    fn kill(&mut self, _: TaskId, _: Option<KillPolicy>, _: &mut Calls<'_, Self>) {}
}

#[test]
fn an_executor_of_a_framework_finds_what_its_agent_asks_for() {
    let ran = libproc::run_alone(async {
        let keys = Keys::from_bytes(&[[1; 32]]).unwrap();
        let node = Node::builder().security(Security::secret(keys));
        let mut rig = Rig::start_on(node.bind("127.0.0.1:0").await?, |options| options);
        rig.master.expect::<Register>().await;
        rig.node
            .tell(&rig.agent, registered(Duration::from_secs(60)));
        rig.run(custom("a"));
        let (launched, executor) = rig.launched().await;
        let file = &launched.request.environment["TEPUI_CREDENTIALS_FILE"];
        assert_eq!(std::fs::metadata(file)?.permissions().mode() & 0o777, 0o600);
        let credentials = Delegation::from_bytes(&std::fs::read(file)?).unwrap();
        launched.succeed(7);
        let security = Security::delegated(credentials).unwrap();
        let node = Node::builder()
            .security(security)
            .bind("127.0.0.1:0")
            .await?;
        let (sender, registered) = oneshot::channel();
        let identity = Identity {
            framework_id: framework_id(),
            executor_id: executor.executor_id,
            container_id: executor.container_id,
        };
        let process = ExecutorProcess::new(Told(Some(sender)), identity, rig.agent, GRACE);
        node.spawn("executor", process);
        registered.await.unwrap();
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn an_executor_that_does_not_register_in_time_is_destroyed() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let (launched, mut executor) = rig.launched().await;
        launched.succeed(7);
        let started = tokio::time::Instant::now();
        rig.expect_destroyed(&executor).await;
        assert_eq!(started.elapsed().as_secs(), 60);
        rig.register(&executor);
        executor.probe.expect::<Shutdown>().await;
        rig.exited(&executor, ExitStatus::Signaled(9));
        let failed = rig.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.reason, Some(Reason::ExecutorRegistrationTimeout));
    });
}

#[test]
fn an_executor_that_ends_fails_its_tasks_and_is_told_of() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        rig.run(custom("b"));
        let mut executor = rig.executor().await;
        executor.probe.expect::<Launch>().await;
        executor.probe.expect::<Launch>().await;
        rig.tells(&mut executor, "a", TaskState::Finished).await;
        rig.exited(&executor, ExitStatus::Exited(3));
        let finished = rig.update().await;
        assert_eq!(
            (finished.task_id.as_str(), finished.state),
            ("a", TaskState::Finished)
        );
        let failed: UpdateStatus = rig.master.expect().await;
        assert_eq!(failed.status.task_id.as_str(), "b");
        assert_eq!(failed.status.reason, Some(Reason::ExecutorTerminated));
        assert_eq!(
            failed.status.message.as_deref(),
            Some("Executor exited with status 3")
        );
        let exited: ExecutorExited = rig.master.expect().await;
        assert_eq!(
            (exited.executor_id.as_str(), exited.exit),
            ("e", Exit::Code(3))
        );
        // As long as its tasks are not acknowledged, no other one can have its id.
        rig.run(custom("c"));
        let dropped = rig.update().await;
        assert_eq!(dropped.reason, Some(Reason::ExecutorTerminated));
        rig.acknowledge(&finished);
        rig.acknowledge(&failed.status);
        rig.run(custom("d"));
        rig.executor().await;
    });
}

#[test]
fn an_executor_is_shut_down_on_request_and_destroyed_after_its_grace() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let mut executor = rig.executor().await;
        executor.probe.expect::<Launch>().await;
        let executor_id = executor.executor_id.clone();
        let message = ShutdownExecutor {
            framework_id: framework_id(),
            executor_id,
        };
        rig.node.tell(&rig.agent, message.clone());
        rig.node.tell(&rig.agent, message);
        executor.probe.expect::<Shutdown>().await;
        let told = tokio::time::Instant::now();
        rig.expect_destroyed(&executor).await;
        assert_eq!(told.elapsed().as_secs(), 5);
        rig.exited(&executor, ExitStatus::Signaled(9));
        assert_eq!(rig.update().await.reason, Some(Reason::ExecutorTerminated));
    });
}

#[test]
fn executors_that_nobody_waits_for_are_sent_away() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let executor = rig.executor().await;
        let mut stranger = rig.node.probe::<Executing>("stranger");
        let message = RegisterExecutor {
            framework_id: framework_id(),
            executor_id: executor.executor_id.clone(),
            container_id: executor.container_id.clone(),
            executor: stranger.pid(),
            tasks: vec![],
        };
        let container_id = ContainerId::new("unknown").unwrap();
        let unknown = RegisterExecutor {
            container_id,
            ..message.clone()
        };
        let framework_id = types::FrameworkId::new("unknown").unwrap();
        let foreign = RegisterExecutor {
            framework_id,
            ..message.clone()
        };
        for message in [message, unknown, foreign] {
            rig.node.tell(&rig.agent, message);
            stranger.expect::<Shutdown>().await;
        }
    });
}

#[test]
fn a_command_cannot_have_the_id_of_an_executor() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        rig.executor().await;
        rig.run(command("e"));
        assert_eq!(rig.update().await.reason, Some(Reason::TaskInvalid));
    });
}

#[test]
fn words_pass_between_framework_and_executor() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let mut executor = rig.executor().await;
        executor.probe.expect::<Launch>().await;
        let (framework_id, executor_id) = (framework_id(), executor.executor_id.clone());
        let data = b"down".to_vec();
        let to_executor = ToExecutor {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            data,
        };
        rig.node.tell(&rig.agent, to_executor);
        assert_eq!(executor.probe.expect::<FromFramework>().await.data, b"down");
        let data = b"up".to_vec();
        rig.node.tell(
            &rig.agent,
            ToFramework {
                framework_id,
                executor_id,
                data,
            },
        );
        assert_eq!(
            rig.master.expect::<api::master::ToFramework>().await.data,
            b"up"
        );
    });
}
