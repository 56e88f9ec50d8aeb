//! What happens when a scheduler is gone, for a while or for good.

use std::time::Duration;

use api::agent::ShutdownFramework;
use api::master::{FrameworkState, Teardown};
use api::scheduler::{Offers, Rejected, Subscribed, Update};
use types::{FrameworkId, FrameworkInfo, Reason, TaskState};

use crate::world::*;

fn info_with(id: Option<&FrameworkId>, timeout: Duration) -> FrameworkInfo {
    FrameworkInfo {
        id: id.cloned(),
        failover_timeout: timeout,
        ..framework_info("framework")
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn tasks_go_on_while_their_scheduler_is_away_in_time() {
    world(|world| async move {
        let running = Running::of(&world, info_with(None, MINUTE)).await;
        let Running {
            mut agent,
            agent_id,
            scheduler,
            framework_id,
            ..
        } = running;
        scheduler.end().await;
        agent.expect_nothing(MINUTE / 2).await;
        let frameworks = world.get_frameworks().await;
        assert_eq!(frameworks[0].state, FrameworkState::Disconnected);
        // An update that comes meanwhile is not lost: the agent says it again.
        world.update(&agent, &agent_id, (&framework_id, "t"), TaskState::Killing);
        let info = info_with(Some(&framework_id), MINUTE);
        let (mut scheduler, id) = world.scheduler_of("another", info).await;
        assert_eq!(id, framework_id);
        scheduler.expect::<Offers>().await;
        world.update(&agent, &agent_id, (&framework_id, "t"), TaskState::Killing);
        let status = scheduler.expect::<Update>().await.status;
        assert_eq!(status.state, TaskState::Killing);
        scheduler.expect_nothing(MINUTE * 2).await;
        assert_eq!(
            world.get_frameworks().await[0].state,
            FrameworkState::Active
        );
    });
}

#[test]
fn tasks_end_when_their_scheduler_stays_away() {
    world(|world| async move {
        let running = Running::of(&world, info_with(None, MINUTE)).await;
        let Running {
            mut agent,
            scheduler,
            framework_id,
            ..
        } = running;
        scheduler.end().await;
        let begin = tokio::time::Instant::now();
        let shutdown = agent.expect::<ShutdownFramework>().await;
        assert_eq!(shutdown.framework_id, framework_id);
        assert_eq!(begin.elapsed().as_secs(), 60);
        let all = world.get_tasks(true).await;
        assert_eq!(all[0].task.state, TaskState::Killed);
        let last = all[0].task.statuses.last().unwrap();
        assert_eq!(last.reason, Some(Reason::FrameworkRemoved));
        let frameworks = world.get_frameworks().await;
        assert_eq!(frameworks[0].state, FrameworkState::Completed);
        let mut late = SchedulerStand::start(&world.node, "late", Mute::No).await;
        world.subscribe(&late, info_with(Some(&framework_id), MINUTE));
        let rejected = late.expect::<Rejected>().await;
        assert_eq!(rejected.reason, "Framework has been removed");
        // What it used is free.
        let (mut other, _) = world.scheduler("other").await;
        let offers = other.expect::<Offers>().await.offers;
        assert_eq!(offers[0].resources, agent_info().resources);
    });
}

#[test]
fn without_a_failover_timeout_tasks_end_at_once() {
    world(|world| async move {
        let running = Running::of(&world, info_with(None, Duration::ZERO)).await;
        let mut agent = running.agent;
        let begin = tokio::time::Instant::now();
        running.scheduler.end().await;
        agent.expect::<ShutdownFramework>().await;
        assert!(begin.elapsed() < Duration::from_millis(100));
    });
}

#[test]
fn another_scheduler_takes_a_framework_over() {
    world(|world| async move {
        let Running {
            mut agent,
            agent_id,
            scheduler: mut old,
            framework_id,
            ..
        } = Running::of(&world, info_with(None, MINUTE)).await;
        let offers = old.expect::<Offers>().await.offers;
        let info = info_with(Some(&framework_id), MINUTE);
        let (mut new, id) = world.scheduler_of("new", info).await;
        assert_eq!(id, framework_id);
        assert_eq!(
            old.expect::<Rejected>().await.reason,
            "Framework failed over"
        );
        let again = new.expect::<Offers>().await.offers;
        assert_ne!(again[0].id, offers[0].id);
        assert_eq!(again[0].resources, offers[0].resources);
        // The old one has nothing to say any more, and its end means nothing.
        let framework_id_of_old = framework_id.clone();
        old.say(
            &world.master,
            Teardown {
                framework_id: framework_id_of_old,
            },
        );
        old.said().await;
        old.end().await;
        world.update(&agent, &agent_id, (&framework_id, "t"), TaskState::Running);
        new.expect::<Update>().await;
        agent.expect_nothing(MINUTE * 2).await;
        assert_eq!(
            world.get_frameworks().await[0].state,
            FrameworkState::Active
        );
    });
}

#[test]
fn a_teardown_ends_tasks_and_the_framework() {
    world(|world| async move {
        let Running {
            mut agent,
            agent_id,
            mut scheduler,
            framework_id,
            ..
        } = Running::new(&world).await;
        scheduler.expect::<Offers>().await;
        let teardown = Teardown {
            framework_id: framework_id.clone(),
        };
        scheduler.say(&world.master, teardown);
        agent.expect::<ShutdownFramework>().await;
        scheduler.expect_nothing(SECOND).await;
        assert!(world.tasks().await.is_empty());
        // The agent may not have heard.
        world.update(&agent, &agent_id, (&framework_id, "t"), TaskState::Failed);
        agent.expect::<ShutdownFramework>().await;
        world.subscribe(&scheduler, info_with(Some(&framework_id), MINUTE));
        scheduler.expect::<Rejected>().await;
        world.subscribe(&scheduler, info_with(None, MINUTE));
        let subscribed = scheduler.expect::<Subscribed>().await;
        assert_ne!(subscribed.framework_id, framework_id);
    });
}

#[test]
fn only_so_many_frameworks_of_the_past_are_remembered() {
    let options = master::Options {
        max_completed_frameworks: 3,
        ..options()
    };
    world_with(options, |world| async move {
        for i in 0..5 {
            let name = format!("framework-{i}");
            let (scheduler, framework_id) = world.scheduler(&name).await;
            scheduler.say(&world.master, Teardown { framework_id });
            scheduler.said().await;
        }
        assert_eq!(world.get_frameworks().await.len(), 3);
    });
}
