//! An agent that goes on where another was.

use agent::AgentError;
use agent::checkpoints::Store;
use agent::launcher::{Destroy, ExitStatus, Survivors};
use api::agent::Reregistered;
use api::executor::{Launch, Reconnect, Registered};
use api::master::Reregister;
use serde_json::json;
use std::time::Duration;
use types::{AgentId, Reason, Resources, TaskState};

use crate::executor_api::{UUID, real, status, subscribe};
use crate::rig::{Rig, SILENCE, StandIn, command, custom, master_info, paused};

fn alive(executor: &StandIn) -> Survivors {
    Survivors::from([(executor.container_id.to_string(), 7)])
}

impl Rig {
    /// The next agent says what it has, and is taken back.
    async fn taken_back(&mut self) -> Reregister {
        let report = self.master.expect::<Reregister>().await;
        assert_eq!(report.info.id, Some(AgentId::new("S1").unwrap()));
        assert!(report.info.checkpoint);
        let reregistered = Reregistered {
            agent_id: AgentId::new("S1").unwrap(),
            master: master_info(),
            silence: SILENCE,
            unknown: vec![],
        };
        self.node.tell(&self.agent, reregistered);
        report
    }

    /// A task that runs under an executor of its framework, and whose news is not acknowledged.
    async fn running(&mut self, task: &str) -> StandIn {
        self.run_lasting(custom(task));
        let mut executor = self.executor().await;
        executor.probe.expect::<Launch>().await;
        self.tells(&mut executor, task, TaskState::Running).await;
        executor
    }
}

fn ids(report: &Reregister) -> Vec<(&str, TaskState)> {
    let tasks = report.tasks.iter();
    tasks
        .map(|task| (task.task_id.as_str(), task.state))
        .collect()
}

#[test]
fn what_runs_is_the_next_agents_and_what_was_not_acknowledged_is_told_again() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        let mut executor = rig.running("t").await;
        let told = rig.update().await;
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        executor.probe.expect::<Reconnect>().await;
        assert_eq!(ids(&rig.taken_back().await), [("t", TaskState::Running)]);
        assert_eq!(rig.update().await, told);
        rig.acknowledge(&told);
        rig.register_with(&executor, &["t"]);
        executor.probe.expect::<Registered>().await;
        // The next one tells nothing that was acknowledged, and takes what comes now.
        rig.settle().await;
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        executor.probe.expect::<Reconnect>().await;
        rig.taken_back().await;
        rig.register_with(&executor, &["t"]);
        executor.probe.expect::<Registered>().await;
        let finished = rig.tells(&mut executor, "t", TaskState::Finished).await;
        assert_eq!(rig.update().await.update_id, Some(finished));
    });
}

#[test]
fn an_executor_that_does_not_come_back_is_ended_and_its_tasks_fail() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        let executor = rig.running("t").await;
        let told = rig.update().await;
        rig.acknowledge(&told);
        rig.settle().await;
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        rig.taken_back().await;
        rig.expect_destroyed(&executor).await;
        rig.exited(&executor, ExitStatus::Signaled(9));
        let update = rig.update().await;
        assert_eq!(update.state, TaskState::Failed);
        assert_eq!(update.reason, Some(Reason::ExecutorReregistrationTimeout));
    });
}

#[test]
fn after_a_restart_of_the_machine_the_agent_is_the_same_and_its_tasks_are_gone() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        let mut executor = rig.running("t").await;
        rig.update().await;
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        rig.run_lasting(custom("u"));
        executor.probe.expect::<Launch>().await;
        let boot = |options| agent::Options {
            boot_id: Some("another".to_owned()),
            ..options
        };
        rig.restart(&store, &Survivors::new(), boot).await.unwrap();
        rig.taken_back().await;
        // What had ended has ended, in order and once; what had not is gone.
        let mut told = Vec::new();
        while told.len() < 3 {
            let update = rig.update().await;
            rig.acknowledge(&update);
            told.push((update.task_id.to_string(), update.state, update.reason));
        }
        told.sort();
        let restarted = Some(Reason::AgentRestarted);
        let expected = [
            ("t", TaskState::Running, None),
            ("t", TaskState::Finished, None),
            ("u", TaskState::Gone, restarted),
        ];
        let mut expected = expected.map(|(task, state, why)| (task.to_owned(), state, why));
        expected.sort();
        assert_eq!(told, expected);
    });
}

#[test]
fn a_task_that_never_reached_its_executor_is_dropped_and_one_that_waited_is_given() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        let mut executor = rig.running("t").await;
        let told = rig.update().await;
        rig.acknowledge(&told);
        rig.run_lasting(custom("never"));
        executor.probe.expect::<Launch>().await; // and is lost on the way
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        rig.taken_back().await;
        executor.probe.expect::<Reconnect>().await;
        rig.register_with(&executor, &["t"]);
        let update = rig.update().await;
        assert_eq!(
            (update.task_id.as_str(), update.state),
            ("never", TaskState::Dropped)
        );
        assert_eq!(update.reason, Some(Reason::AgentRestarted));
        executor.probe.expect::<Registered>().await;

        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        rig.run_lasting(custom("waits"));
        rig.run_lasting(custom("too"));
        let (launched, mut executor) = rig.launched().await;
        launched.succeed(7);
        rig.settle().await;
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        rig.taken_back().await;
        rig.register(&executor);
        executor.probe.expect::<Registered>().await;
        for task in ["waits", "too"] {
            assert_eq!(
                executor
                    .probe
                    .expect::<Launch>()
                    .await
                    .task
                    .task_id
                    .as_str(),
                task
            );
        }
    });
}

#[test]
fn what_wants_no_checkpoints_is_not_there_and_what_nobody_knows_is_ended() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        rig.run(command("bound"));
        let executor = rig.executor().await;
        let left = Destroy::After {
            grace: Duration::from_secs(5),
        };
        let survivors = Survivors::from([("stranger".to_owned(), 9)]);
        let mut former =
            std::mem::replace(&mut rig.destroyed, tokio::sync::mpsc::unbounded_channel().1);
        rig.restart(&store, &survivors, |options| options)
            .await
            .unwrap();
        assert_eq!(
            former.recv().await,
            Some((executor.container_id.to_string(), left))
        );
        assert_eq!(ids(&rig.taken_back().await), []);
        let ended = rig.destroyed.recv().await;
        assert_eq!(ended, Some(("stranger".to_owned(), Destroy::Now)));
    });
}

#[test]
fn an_agent_with_less_than_its_tasks_need_says_what_of() {
    paused(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        let executor = rig.running("t").await;
        let less = |options| agent::Options {
            resources: Some(
                Resources::new()
                    .cpus(0.1)
                    .mem_mib(1024)
                    .ports(31000..=31009),
            ),
            ..options
        };
        let refused = rig
            .restart(&store, &alive(&executor), less)
            .await
            .unwrap_err();
        let AgentError::Blocked(blocked) = refused else {
            panic!("{refused}");
        };
        assert_eq!(blocked.key, "resources: cpus");
    });
}

#[test]
fn an_executor_over_http_comes_back_with_what_it_has_not_heard_of() {
    real(async {
        let store = Store::memory();
        let mut rig = Rig::lasting(&store).await;
        rig.run_lasting(custom("t"));
        let (launched, executor) = rig.launched().await;
        assert_eq!(launched.request.environment["MESOS_CHECKPOINT"], "1");
        assert_eq!(
            launched.request.environment["MESOS_RECOVERY_TIMEOUT"],
            "15mins"
        );
        assert!(launched.request.outlives_agent);
        launched.succeed(7);
        let mut events = rig.subscribe(&subscribe(json!({}))).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        assert_eq!(events.event().await["type"], "LAUNCH");
        rig.restart(&store, &alive(&executor), |options| options)
            .await
            .unwrap();
        rig.taken_back().await;
        let task = json!({
            "name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "S1"},
        });
        let known = json!({
            "unacknowledged_tasks": [task], "unacknowledged_updates": [{"status": status("t", "TASK_RUNNING", UUID[0])}],
        });
        let mut events = rig.subscribe(&subscribe(known)).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        assert_eq!(events.event().await["type"], "ACKNOWLEDGED");
        assert_eq!(rig.update().await.state, TaskState::Running);
    });
}
