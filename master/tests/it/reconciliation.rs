//! What frameworks are told when they ask what became of their tasks.

use std::time::Duration;

use api::master::{Reconcile, ReconcileTask};
use api::scheduler::{Failure, Offers, Update};
use types::{AgentId, FrameworkCapability, FrameworkInfo, Reason, Source, TaskState};

use crate::world::*;

fn of_old() -> FrameworkInfo {
    let mut info = framework_info("old");
    info.capabilities
        .remove(&FrameworkCapability::PartitionAware);
    info
}

impl Running {
    fn ask(&self, world: &World, tasks: &[(&str, Option<&AgentId>)]) {
        let task = |(task, agent): &(&str, Option<&AgentId>)| ReconcileTask {
            task_id: task.parse().unwrap(),
            agent_id: agent.cloned(),
        };
        let reconcile = Reconcile {
            framework_id: self.framework_id.clone(),
            tasks: tasks.iter().map(task).collect(),
        };
        self.scheduler.say(&world.master, reconcile);
    }

    async fn answer(&mut self) -> (String, TaskState) {
        let status = self.scheduler.expect::<Update>().await.status;
        assert_eq!(status.reason, Some(Reason::Reconciliation));
        assert_eq!(status.source, Source::Master);
        assert_eq!(status.update_id, None);
        (status.task_id.to_string(), status.state)
    }
}

#[test]
fn no_names_ask_for_all_tasks() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let offers = running.scheduler.expect::<Offers>().await.offers;
        let more = vec![task("u", &offers[0])];
        let id = running.framework_id.clone();
        world.accept(&running.scheduler, &id, &[&offers[0]], more);
        running.scheduler.expect::<Offers>().await;
        running.ask(&world, &[]);
        assert_eq!(running.answer().await, ("t".into(), TaskState::Running));
        assert_eq!(running.answer().await, ("u".into(), TaskState::Staging));
        running.scheduler.expect_nothing(SECOND).await;
    });
}

#[test]
fn known_tasks_have_their_state_whatever_agent_is_named() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.expect::<Offers>().await;
        let agent_id = running.agent_id.clone();
        running.ask(&world, &[("t", None), ("t", Some(&agent_id))]);
        assert_eq!(running.answer().await.1, TaskState::Running);
        assert_eq!(running.answer().await.1, TaskState::Running);
    });
}

#[test]
fn an_end_is_not_told_before_its_update() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.expect::<Offers>().await;
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        running.scheduler.expect::<Update>().await;
        running.scheduler.expect::<Offers>().await;
        running.ask(&world, &[]);
        assert_eq!(running.answer().await, ("t".into(), TaskState::Finished));
    });
}

#[test]
fn tasks_nobody_has_are_gone_or_unknown() {
    for (info, gone, unknown) in [
        (framework_info("new"), TaskState::Gone, TaskState::Unknown),
        (of_old(), TaskState::Lost, TaskState::Lost),
    ] {
        world(|world| async move {
            let mut running = Running::of(&world, info).await;
            running.scheduler.expect::<Offers>().await;
            let here = running.agent_id.clone();
            // An id of this master's which it never gave away cannot be on its way.
            let master = world.get_master().await.info.id;
            let nowhere: AgentId = format!("{master}-S99").parse().unwrap();
            running.ask(
                &world,
                &[("x", Some(&here)), ("y", Some(&nowhere)), ("z", None)],
            );
            assert_eq!(running.answer().await, ("x".into(), gone));
            assert_eq!(running.answer().await, ("y".into(), unknown));
            assert_eq!(running.answer().await, ("z".into(), unknown));
        });
    }
}

#[test]
fn tasks_of_lost_agents_are_unreachable() {
    for (info, state) in [
        (framework_info("new"), TaskState::Unreachable),
        (of_old(), TaskState::Lost),
    ] {
        world(|world| async move {
            let Running {
                agent,
                agent_id,
                mut scheduler,
                framework_id,
                task,
            } = Running::of(&world, info).await;
            agent.end().await;
            scheduler.skip_to::<Failure>().await;
            let (other, _) = world.agent("other").await;
            scheduler.expect::<Offers>().await;
            let mut running = Running {
                agent: other,
                agent_id: agent_id.clone(),
                scheduler,
                framework_id,
                task,
            };
            running.ask(&world, &[("t", None), ("x", Some(&agent_id))]);
            for _ in 0..2 {
                let status = running.scheduler.expect::<Update>().await.status;
                assert_eq!(status.state, state);
                assert_eq!(status.reason, Some(Reason::Reconciliation));
                assert!(status.unreachable_since_ms.is_some());
            }
            running.ask(&world, &[]);
            running.scheduler.expect_nothing(SECOND).await;
        });
    }
}

#[test]
fn a_young_master_does_not_call_unknown_what_may_be_on_its_way() {
    world(|world| async move {
        let info = FrameworkInfo {
            id: Some("of-another-age".parse().unwrap()),
            ..framework_info("framework")
        };
        let mut running = Running::of(&world, info).await;
        running.scheduler.expect::<Offers>().await;
        let elsewhere: AgentId = "elsewhere".parse().unwrap();
        running.ask(&world, &[("x", Some(&elsewhere)), ("y", None)]);
        running
            .scheduler
            .expect_nothing(Duration::from_secs(600))
            .await;
        running.ask(&world, &[("x", Some(&elsewhere)), ("y", None)]);
        assert_eq!(running.answer().await, ("x".into(), TaskState::Unknown));
        assert_eq!(running.answer().await, ("y".into(), TaskState::Unknown));
    });
}
