//! How agents come back, and what a master learns from them.

use std::time::Duration;

use api::agent::{KillTask, Registered, Reregistered, RunTask, ShutdownFramework};
use api::master::{AgentState, FrameworkState, Teardown};
use api::scheduler::{Offers, Rescind, Subscribed, Update};
use types::{
    CommandInfo, ExecutorId, ExecutorInfo, FrameworkInfo, Reason, Resources, Source, TaskState,
};

use crate::world::*;

fn info() -> FrameworkInfo {
    framework_info("framework")
}

#[test]
fn an_agent_that_comes_back_is_offered_again() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let report = running.report(info(), TaskState::Running);
        running.scheduler.expect::<Offers>().await;
        let Running {
            agent,
            agent_id,
            mut scheduler,
            ..
        } = running;
        agent.end().await;
        scheduler.expect::<Rescind>().await;
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, report);
        let back = agent.expect::<Reregistered>().await;
        assert_eq!((back.agent_id, back.unknown), (agent_id, vec![]));
        let offers = scheduler.expect::<Offers>().await.offers;
        assert_eq!(offers[0].resources, Resources::new().cpus(3.0).mem_mib(896));
        assert_eq!(world.get_agents().await[0].state, AgentState::Active);
        agent.expect_nothing(Duration::from_secs(600)).await;
    });
}

#[test]
fn an_agent_may_come_back_elsewhere() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let report = running.report(info(), TaskState::Running);
        let mut moved = AgentStand::start(&world.node, "moved", Mute::No).await;
        world.reregister(&moved, &running.agent_id, report);
        moved.expect::<Reregistered>().await;
        assert_eq!(world.get_agents().await.len(), 1);
        assert_eq!(world.get_agents().await[0].pid, moved.pid);
        // The old address means nothing.
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Failed);
        running.agent.said().await;
        assert_eq!(world.tasks().await["t"], TaskState::Running);
        running.agent.end().await;
        assert_eq!(world.get_agents().await[0].state, AgentState::Active);
    });
}

#[test]
fn a_task_that_ran_and_is_not_reported_is_gone() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.expect::<Offers>().await;
        world.reregister(&running.agent, &running.agent_id, Report::default());
        let back = running.agent.expect::<Reregistered>().await;
        assert_eq!(back.unknown, []);
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Gone);
        assert_eq!(status.source, Source::Master);
        assert!(world.tasks().await.is_empty());
    });
}

#[test]
fn an_agent_answers_for_tasks_that_may_be_on_their_way() {
    world(|world| async move {
        let (mut agent, agent_id) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        world.accept(&scheduler, &id, &[&offers[0]], vec![task("t", &offers[0])]);
        agent.expect::<RunTask>().await;
        scheduler.expect::<Offers>().await;
        world.reregister(&agent, &agent_id, Report::default());
        let back = agent.expect::<Reregistered>().await;
        assert_eq!(back.unknown.len(), 1);
        assert_eq!(back.unknown[0].task_id.as_str(), "t");
        assert_eq!(world.tasks().await["t"], TaskState::Staging);
        world.update(&agent, &agent_id, (&id, "t"), TaskState::Dropped);
        let status = scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Dropped);
    });
}

#[test]
fn tasks_come_back_from_a_partition() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let report = running.report(info(), TaskState::Running);
        let Running {
            agent,
            agent_id,
            mut scheduler,
            ..
        } = running;
        agent.end().await;
        let lost = scheduler.skip_to::<Update>().await.status;
        assert_eq!(lost.state, TaskState::Unreachable);
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<Reregistered>().await;
        let back = scheduler.skip_to::<Update>().await.status;
        assert_eq!(back.state, TaskState::Running);
        assert_eq!(back.reason, Some(Reason::AgentReregistered));
        assert_eq!(world.tasks().await["t"], TaskState::Running);
        assert_eq!(world.get_agents().await.len(), 1);
    });
}

#[test]
fn tasks_that_do_not_come_back_from_a_partition_are_gone() {
    world(|world| async move {
        let Running {
            agent,
            agent_id,
            mut scheduler,
            ..
        } = Running::new(&world).await;
        agent.end().await;
        scheduler.skip_to::<Update>().await;
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, Report::default());
        agent.expect::<Reregistered>().await;
        let status = scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Gone);
        assert!(world.tasks().await.is_empty());
    });
}

#[test]
fn a_master_learns_the_world_from_those_who_come_back() {
    world(|mut world| async move {
        let mut running = Running::new(&world).await;
        let mut report = running.report(info(), TaskState::Running);
        let executor_id = ExecutorId::new("e").unwrap();
        let mut executor = ExecutorInfo::custom(executor_id, CommandInfo::shell("run"));
        executor.framework_id = Some(running.framework_id.clone());
        executor.resources = Resources::new().cpus(0.5);
        report.executors.push(executor);
        world.another_master().await;
        world.reregister(&running.agent, &running.agent_id, report);
        running.agent.expect::<Reregistered>().await;
        let frameworks = world.get_frameworks().await;
        assert_eq!(frameworks[0].state, FrameworkState::Recovered);
        assert_eq!(frameworks[0].info.name, "framework");
        assert_eq!(world.tasks().await["t"], TaskState::Running);
        // Nobody is offered what runs there.
        let (mut other, _) = world.scheduler("other").await;
        let offers = other.expect::<Offers>().await.offers;
        let free = Resources::new().cpus(2.5).mem_mib(896);
        assert_eq!(offers[0].resources, free);
        let again = FrameworkInfo {
            id: Some(running.framework_id.clone()),
            ..info()
        };
        world.subscribe(&running.scheduler, again);
        let subscribed = running.scheduler.expect::<Subscribed>().await;
        assert_eq!(subscribed.framework_id, running.framework_id);
        assert_eq!(world.get_frameworks().await.len(), 2);
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        let status = running.scheduler.expect::<Update>().await.status;
        assert_eq!(status.state, TaskState::Finished);
    });
}

#[test]
fn a_recovered_framework_that_never_comes_is_ended() {
    world(|mut world| async move {
        let timeout = Duration::from_secs(60);
        let info = FrameworkInfo {
            failover_timeout: timeout,
            ..info()
        };
        let mut running = Running::of(&world, info.clone()).await;
        let report = running.report(info, TaskState::Running);
        world.another_master().await;
        world.reregister(&running.agent, &running.agent_id, report);
        running.agent.expect::<Reregistered>().await;
        let begin = tokio::time::Instant::now();
        running.agent.expect::<ShutdownFramework>().await;
        assert_eq!(begin.elapsed().as_secs(), 660);
    });
}

#[test]
fn frameworks_that_ended_meanwhile_are_shut_down() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let report = running.report(info(), TaskState::Running);
        let Running {
            agent,
            agent_id,
            scheduler,
            framework_id,
            ..
        } = running;
        agent.end().await;
        let teardown = Teardown {
            framework_id: framework_id.clone(),
        };
        scheduler.say(&world.master, teardown);
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        scheduler.said().await;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<Reregistered>().await;
        let shutdown = agent.expect::<ShutdownFramework>().await;
        assert_eq!(shutdown.framework_id, framework_id);
        assert!(world.tasks().await.is_empty());
    });
}

#[test]
fn a_task_whose_end_was_announced_is_killed_when_it_turns_up() {
    world(|world| async move {
        let fleeting = FrameworkInfo {
            checkpoint: false,
            ..info()
        };
        let running = Running::of(&world, fleeting.clone()).await;
        let report = running.report(fleeting, TaskState::Running);
        let Running {
            agent,
            agent_id,
            mut scheduler,
            ..
        } = running;
        agent.end().await;
        let status = scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Lost);
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<Reregistered>().await;
        assert_eq!(agent.expect::<KillTask>().await.task_id.as_str(), "t");
    });
}

#[test]
fn a_report_of_more_than_there_is_stops_offers_and_nothing_else() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.expect::<Offers>().await;
        let mut report = running.report(info(), TaskState::Running);
        for i in 0..20 {
            let mut more = report.tasks[0].clone();
            more.task_id = format!("more-{i}").parse().unwrap();
            more.resources = Resources::new().cpus(1.0).ports(31000..=31001);
            report.tasks.push(more);
        }
        let Running {
            mut agent,
            agent_id,
            mut scheduler,
            framework_id,
            ..
        } = running;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<Reregistered>().await;
        scheduler.expect::<Rescind>().await;
        for i in 0..20 {
            let of = (&framework_id, format!("more-{i}"));
            world.update(&agent, &agent_id, (of.0, &of.1), TaskState::Finished);
            scheduler.skip_to::<Update>().await;
        }
        let agents = world.get_agents().await;
        assert_eq!(agents[0].used, Resources::new().cpus(1.0).mem_mib(128));
        let free = Resources::new().cpus(3.0).mem_mib(896);
        assert!(agents[0].offered == free || agents[0].offered.is_empty());
    });
}

#[test]
fn who_says_something_without_being_registered_registers() {
    world(|mut world| async move {
        let mut running = Running::new(&world).await;
        world.another_master().await;
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Running);
        // The stand-in answers pings without a word; that nobody adds it is what counts.
        running.agent.expect_nothing(SECOND).await;
        assert_eq!(world.get_agents().await, []);
        world.register(&running.agent, agent_info());
        running.agent.expect::<Registered>().await;
    });
}

#[test]
fn an_acknowledgement_and_a_report_may_cross() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let report = running.report(info(), TaskState::Finished);
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        let status = running.scheduler.skip_to::<Update>().await.status;
        world.acknowledge(&running.scheduler, &running.framework_id, &status);
        running.scheduler.said().await;
        world.reregister(&running.agent, &running.agent_id, report);
        running.agent.skip_to::<Reregistered>().await;
        assert_eq!(world.get_tasks(true).await.len(), 1);
        // The name is free again.
        let offers = running.scheduler.skip_to::<Offers>().await.offers;
        let id = &running.framework_id;
        let again = vec![task("t", &offers[0])];
        world.accept(&running.scheduler, id, &[&offers[0]], again);
        running.agent.skip_to::<RunTask>().await;
    });
}

#[test]
fn an_agent_may_come_back_greater() {
    world(|world| async move {
        let (mut agent, agent_id) = world.agent("agent").await;
        let (mut scheduler, _) = world.scheduler("framework").await;
        scheduler.expect::<Offers>().await;
        let greater = Resources::new().cpus(8.0).mem_mib(4096);
        let reregister = api::master::Reregister {
            info: types::AgentInfo {
                id: Some(agent_id.clone()),
                resources: greater.clone(),
                ..agent_info()
            },
            agent: agent.pid.clone(),
            version: "1.0.1".into(),
            frameworks: vec![],
            executors: vec![],
            tasks: vec![],
        };
        agent.say(&world.master, reregister);
        agent.expect::<Reregistered>().await;
        scheduler.expect::<Rescind>().await;
        let offers = scheduler.expect::<Offers>().await.offers;
        assert_eq!(offers[0].resources, greater);
    });
}
