//! Becoming, and staying, part of the cluster.

use std::time::Duration;

use api::agent::{Ping, Refused, Reregistered, TaskOf};
use api::master::{Register, Reregister, Unregister, UpdateStatus};
use tokio::time::Instant;
use types::{AgentId, Reason, TaskId, TaskState};

use crate::rig::{Rig, SILENCE, command, custom, framework_id, master_info, paused, registered};

fn reregistered(unknown: Vec<TaskOf>) -> Reregistered {
    let agent_id = AgentId::new("S1").unwrap();
    Reregistered {
        agent_id,
        master: master_info(),
        silence: SILENCE,
        unknown,
    }
}

#[test]
fn an_agent_registers_at_once_and_says_what_it_has() {
    paused(async {
        let started = Instant::now();
        let mut rig = Rig::start().await;
        let Register {
            info,
            agent,
            version,
        } = rig.master.expect().await;
        assert!(started.elapsed() < Duration::from_millis(10));
        assert_eq!((agent, version.as_str()), (rig.agent.clone(), api::VERSION));
        assert_eq!((info.id, info.hostname.as_str()), (None, "host"));
        assert_eq!(
            info.resources.to_string(),
            "cpus:4; mem:1024; ports:[31000-31009]"
        );
    });
}

#[test]
fn an_agent_that_is_not_answered_registers_again_with_growing_pauses() {
    paused(async {
        let mut rig = Rig::start().await;
        rig.master.expect::<Register>().await;
        for longest in [1, 2, 4, 8, 16, 32, 60, 60].map(Duration::from_secs) {
            let before = Instant::now();
            rig.master.expect::<Register>().await;
            let pause = before.elapsed() + Duration::from_millis(2);
            assert!(pause >= longest / 2 && pause <= longest + Duration::from_millis(4));
        }
        rig.node.tell(&rig.agent, registered(SILENCE));
        rig.master.expect_nothing(Duration::from_secs(600)).await;
    });
}

#[test]
fn an_agent_registers_again_when_its_master_falls_silent() {
    paused(async {
        let mut rig = Rig::start().await;
        rig.master.expect::<Register>().await;
        rig.node
            .tell(&rig.agent, registered(Duration::from_secs(75)));
        for _ in 0..10 {
            rig.master.expect_nothing(Duration::from_secs(60)).await;
            rig.node
                .ask(&rig.agent, Ping { registered: true })
                .await
                .unwrap();
        }
        rig.master.expect_nothing(Duration::from_secs(74)).await;
        let Reregister { info, .. } = rig.master.expect().await;
        assert_eq!(info.id.as_ref().map(AgentId::as_str), Some("S1"));
        rig.node.tell(&rig.agent, reregistered(vec![]));
        rig.master.expect_nothing(Duration::from_secs(600)).await;
    });
}

#[test]
fn an_agent_registers_again_at_once_when_the_master_is_gone_or_does_not_know_it() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.node
            .ask(&rig.agent, Ping { registered: true })
            .await
            .unwrap();
        let lost = Instant::now();
        rig.lose_master().await;
        rig.find_master();
        rig.master.expect::<Reregister>().await;
        assert!(
            lost.elapsed() < Duration::from_millis(100),
            "{:?}",
            lost.elapsed()
        );
        rig.node.tell(&rig.agent, reregistered(vec![]));
        rig.node
            .ask(&rig.agent, Ping { registered: true })
            .await
            .unwrap();
        let lost = Instant::now();
        rig.node
            .ask(&rig.agent, Ping { registered: false })
            .await
            .unwrap();
        rig.master.expect::<Reregister>().await;
        assert!(
            lost.elapsed() < Duration::from_millis(100),
            "{:?}",
            lost.elapsed()
        );
    });
}

#[test]
fn a_master_that_comes_late_is_found_within_its_first_second() {
    paused(async {
        let mut rig = Rig::start().await;
        rig.lose_master().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        rig.find_master();
        let there = Instant::now();
        rig.master.expect::<Register>().await;
        assert!(
            there.elapsed() < Duration::from_millis(500),
            "{:?}",
            there.elapsed()
        );
    });
}

#[test]
fn an_agent_comes_back_with_its_tasks_and_their_news() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        rig.run(custom("c"));
        let mut command = rig.executor().await;
        let custom = rig.executor().await;
        let running = rig.tells(&mut command, "t", TaskState::Running).await;
        rig.tells(&mut command, "t", TaskState::Finished).await;
        rig.master.expect::<UpdateStatus>().await;
        rig.node.tell(&rig.agent, Ping { registered: false });

        let message: Reregister = rig.master.expect().await;
        assert_eq!(message.frameworks.len(), 1);
        let executors: Vec<_> = message.executors.iter().map(|e| &e.executor_id).collect();
        assert_eq!(executors, [&custom.executor_id]);
        let tasks = message.tasks.iter().map(|task| {
            let latest = (task.status_update_state, task.status_update_id);
            (task.task_id.as_str(), task.state, latest)
        });
        let expected = [
            ("c", TaskState::Staging, (None, None)),
            (
                "t",
                TaskState::Finished,
                (Some(TaskState::Running), Some(running)),
            ),
        ];
        assert_eq!(tasks.collect::<Vec<_>>(), expected);

        // The master does not know yet that it has the agent: nothing is sent.
        let task_id = TaskId::new("lost").unwrap();
        let lost = TaskOf {
            framework_id: framework_id(),
            task_id,
        };
        let known = TaskOf {
            task_id: TaskId::new("t").unwrap(),
            ..lost.clone()
        };
        rig.node.tell(&rig.agent, reregistered(vec![lost, known]));
        let status = rig.update().await;
        assert_eq!(
            (status.state, status.update_id),
            (TaskState::Running, Some(running))
        );
        rig.acknowledge(&status);
        let status = rig.update().await;
        assert_eq!(
            (status.task_id.as_str(), status.state),
            ("lost", TaskState::Dropped)
        );
        assert_eq!(status.reason, Some(Reason::Reconciliation));
        let status = rig.update().await;
        assert_eq!(
            (status.task_id.as_str(), status.state),
            ("t", TaskState::Finished)
        );
    });
}

#[test]
fn an_agent_that_is_disconnected_takes_no_orders_and_keeps_its_news() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.node.tell(&rig.agent, Ping { registered: false });
        rig.run(command("u"));
        rig.tells(&mut executor, "t", TaskState::Running).await;
        let message: Reregister = rig.master.expect().await;
        assert_eq!(message.tasks.len(), 1);
        assert!(rig.launches.try_recv().is_err());
        rig.node.tell(&rig.agent, reregistered(vec![]));
        assert_eq!(rig.update().await.state, TaskState::Running);
    });
}

#[test]
fn an_agent_that_is_refused_ends_with_its_executors() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        let exited = rig.node.exit_of(rig.agent.upid());
        rig.node.tell(
            &rig.agent,
            Refused {
                reason: "go away".to_owned(),
            },
        );
        executor.probe.expect::<api::executor::Shutdown>().await;
        rig.exited(&executor, agent::launcher::ExitStatus::Exited(0));
        exited.await;
    });
}

#[test]
fn an_agent_that_is_stopped_unregisters_only_when_asked() {
    for unregister in [false, true] {
        paused(async {
            let mut rig = Rig::registered().await;
            rig.run(command("t"));
            let mut executor = rig.executor().await;
            rig.tells(&mut executor, "t", TaskState::Running).await;
            let (node, agent) = (rig.node.clone(), rig.agent.clone());
            let stopped =
                tokio::task::spawn_local(
                    async move { agent::stop(&node, &agent, unregister).await },
                );
            executor.probe.expect::<api::executor::Shutdown>().await;
            rig.tells(&mut executor, "t", TaskState::Killed).await;
            rig.exited(&executor, agent::launcher::ExitStatus::Exited(0));
            stopped.await.unwrap();
            assert_eq!(rig.update().await.state, TaskState::Running);
            if unregister {
                rig.master.expect::<Unregister>().await;
            }
            rig.master.expect_nothing(Duration::from_secs(60)).await;
        });
    }
}

#[test]
fn an_agent_that_is_taken_for_another_one_stays_who_it_is() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.node.tell(&rig.agent, Ping { registered: false });
        rig.master.expect::<Reregister>().await;
        let agent_id = AgentId::new("S2").unwrap();
        rig.node.tell(
            &rig.agent,
            Reregistered {
                agent_id,
                ..reregistered(vec![])
            },
        );
        let Reregister { info, .. } = rig.master.expect().await;
        assert_eq!(info.id.as_ref().map(AgentId::as_str), Some("S1"));
    });
}
