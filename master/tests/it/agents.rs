//! How agents come, stay and go.

use std::time::Duration;

use api::agent::{Refused, Registered};
use api::master::{AgentState, Register, Unregister};
use api::scheduler::{Failure, Offers, Rescind, Update};
use types::{AgentInfo, FrameworkCapability, Reason, Source, TaskState};

use crate::world::*;

#[test]
fn an_agent_that_registers_gets_an_id_and_is_seen() {
    world(|world| async move {
        let (_agent, id) = world.agent("agent").await;
        let master = world.get_master().await;
        assert_eq!(id.as_str(), format!("{}-S0", master.info.id));
        assert_eq!(master.agents, 1);
        assert_eq!(master.total, agent_info().resources);
        let agents = world.get_agents().await;
        assert_eq!(agents[0].state, AgentState::Active);
        assert_eq!(agents[0].total, agent_info().resources);
    });
}

#[test]
fn an_agent_that_repeats_itself_gets_the_same_answer() {
    world(|world| async move {
        let (mut agent, id) = world.agent("agent").await;
        world.register(&agent, agent_info());
        let again = agent.expect::<Registered>().await;
        assert_eq!(again.agent_id, id);
        assert_eq!(again.silence, Duration::from_secs(75));
        assert_eq!(world.get_agents().await.len(), 1);
    });
}

#[test]
fn two_registrations_at_once_make_one_agent() {
    world(|world| async move {
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        for _ in 0..3 {
            world.register(&agent, agent_info());
        }
        agent.expect::<Registered>().await;
        agent.expect_nothing(SECOND).await;
        assert_eq!(world.get_agents().await.len(), 1);
    });
}

#[test]
fn an_agent_speaks_for_itself_only() {
    world(|world| async move {
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        let stranger = AgentStand::start(&world.node, "stranger", Mute::No).await;
        let register = Register {
            info: agent_info(),
            agent: agent.pid.clone(),
            version: String::new(),
        };
        stranger.say(&world.master, register.clone());
        world.node.tell(&world.master, register);
        agent.expect_nothing(SECOND).await;
        assert_eq!(world.get_agents().await, []);
    });
}

#[test]
fn an_impossible_agent_is_refused() {
    world(|world| async move {
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        let info = AgentInfo {
            hostname: "h".repeat(10_000),
            ..agent_info()
        };
        world.register(&agent, info);
        agent.expect::<Refused>().await;
        assert_eq!(world.get_agents().await, []);
    });
}

#[test]
fn a_silent_agent_is_unreachable_after_75_seconds() {
    world(|world| async move {
        let mut agent = AgentStand::start(&world.node, "agent", Mute::Yes(Vec::new())).await;
        world.register(&agent, agent_info());
        agent.expect::<Registered>().await;
        let registered = tokio::time::Instant::now();
        let (mut scheduler, _) = world.scheduler("framework").await;
        scheduler.expect::<Offers>().await;
        scheduler.expect::<Rescind>().await;
        let failure = scheduler.expect::<Failure>().await;
        assert_eq!(failure.executor_id, None);
        let elapsed = registered.elapsed();
        let range = Duration::from_secs(75)..Duration::from_secs(76);
        assert!(range.contains(&elapsed), "{elapsed:?}");
        assert_eq!(world.get_agents().await[0].state, AgentState::Unreachable);
        assert_eq!(world.get_master().await.agents, 0);
    });
}

#[test]
fn an_agent_that_answers_stays() {
    world(|world| async move {
        let (mut agent, _) = world.agent("agent").await;
        agent.expect_nothing(Duration::from_secs(3600)).await;
        assert_eq!(world.get_agents().await[0].state, AgentState::Active);
    });
}

#[test]
fn a_broken_connection_rescinds_offers_and_keeps_tasks() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let offer = running.scheduler.skip_to::<Offers>().await.offers;
        running.agent.end().await;
        let rescinded = running.scheduler.expect::<Rescind>().await;
        assert_eq!(rescinded.offer_id, offer[0].id);
        running
            .scheduler
            .expect_nothing(Duration::from_secs(30))
            .await;
        assert_eq!(world.get_agents().await[0].state, AgentState::Disconnected);
        assert_eq!(world.tasks().await["t"], TaskState::Running);
    });
}

#[test]
fn tasks_of_a_lost_agent_are_unreachable() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.agent.end().await;
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Unreachable);
        assert_eq!(status.reason, Some(Reason::AgentRemoved));
        assert_eq!(status.source, Source::Master);
        assert_eq!(status.update_id, None);
        assert!(status.unreachable_since_ms.is_some());
        running.scheduler.expect::<Failure>().await;
        assert_eq!(world.tasks().await["t"], TaskState::Unreachable);
    });
}

#[test]
fn tasks_of_a_lost_agent_are_lost_for_frameworks_of_old() {
    world(|world| async move {
        let mut info = framework_info("old");
        info.capabilities
            .remove(&FrameworkCapability::PartitionAware);
        let mut running = Running::of(&world, info).await;
        running.agent.end().await;
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Lost);
    });
}

#[test]
fn tasks_without_checkpoints_end_with_their_agent() {
    world(|world| async move {
        let mut info = framework_info("fleeting");
        info.checkpoint = false;
        let mut running = Running::of(&world, info).await;
        running.agent.end().await;
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Lost);
        assert_eq!(status.reason, Some(Reason::AgentDisconnected));
        assert!(world.tasks().await.is_empty());
    });
}

#[test]
fn an_agent_that_unregisters_is_gone_with_its_tasks() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let agent_id = running.agent_id.clone();
        running.agent.say(&world.master, Unregister { agent_id });
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Gone);
        assert_eq!(status.reason, Some(Reason::AgentRemoved));
        running.scheduler.expect::<Failure>().await;
        assert_eq!(world.get_agents().await, []);
    });
}

#[test]
fn an_agent_that_starts_anew_at_its_address_ends_the_old_one() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.agent.end().await;
        let (_agent, id) = world.agent("agent").await;
        assert_ne!(id, running.agent_id);
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Gone);
        assert_eq!(status.agent_id, Some(running.agent_id.clone()));
        let offers = running.scheduler.skip_to::<Offers>().await.offers;
        assert_eq!(offers[0].agent_id, id);
        assert_eq!(offers[0].resources, agent_info().resources);
        assert_eq!(world.get_agents().await.len(), 1);
    });
}
