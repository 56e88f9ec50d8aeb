//! What outlives a master: a registry that is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::master::Options;
use api::agent::{Registered, Reregistered};
use api::master::{FrameworkState, ReconcileTask};
use api::scheduler::{Failure, Rejected, Subscribed, Update};
use libproc::Node;
use state::{Change, Entry, MemoryStorage, State, Storage, StorageError};
use tokio::sync::Notify;
use types::{FrameworkId, FrameworkInfo, TaskState};

use crate::world::*;

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Each master has ids of its own.
fn life(seed: u64) -> Options {
    Options {
        seed: Some(seed),
        ..options()
    }
}

fn info_with(id: Option<&FrameworkId>, timeout: Duration) -> FrameworkInfo {
    FrameworkInfo {
        id: id.cloned(),
        failover_timeout: timeout,
        ..framework_info("framework")
    }
}

#[test]
fn an_agent_that_does_not_come_back_is_unreachable_and_frameworks_hear_it() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        world.master_from(&state, life(10)).await;
        let running = Running::of(&world, info_with(None, TEN_MINUTES * 6)).await;
        let Running {
            agent,
            agent_id,
            scheduler,
            framework_id,
            ..
        } = running;
        agent.end().await;
        scheduler.end().await;
        world.master_from(&state, life(11)).await;
        let info = info_with(Some(&framework_id), TEN_MINUTES * 6);
        let (mut scheduler, _) = world.scheduler_of("again", info).await;
        let ask = || api::master::Reconcile {
            framework_id: framework_id.clone(),
            tasks: vec![ReconcileTask {
                task_id: "t".parse().unwrap(),
                agent_id: Some(agent_id.clone()),
            }],
        };
        // It may yet come.
        scheduler.say(&world.master, ask());
        scheduler
            .expect_nothing(TEN_MINUTES - Duration::from_secs(5))
            .await;
        let failure = scheduler.expect::<Failure>().await;
        assert_eq!(failure.agent_id, agent_id);
        assert_eq!(failure.executor_id, None);
        scheduler.say(&world.master, ask());
        let status = scheduler.expect::<Update>().await.status;
        assert_eq!(status.state, TaskState::Unreachable);
        assert!(status.unreachable_since_ms.is_some());
        // The next master knows as well, and takes it back nevertheless.
        world.master_from(&state, life(12)).await;
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, Default::default());
        assert_eq!(agent.expect::<Reregistered>().await.agent_id, agent_id);
    });
}

#[test]
fn an_agent_that_comes_back_in_time_is_not_given_up() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        world.master_from(&state, life(10)).await;
        let (agent, agent_id) = world.agent("agent").await;
        agent.end().await;
        world.master_from(&state, life(11)).await;
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, Default::default());
        agent.expect::<Reregistered>().await;
        let (mut scheduler, _) = world.scheduler("framework").await;
        scheduler.skip_to::<api::scheduler::Offers>().await;
        scheduler.expect_nothing(TEN_MINUTES * 2).await;
    });
}

#[test]
fn a_framework_that_was_away_has_the_rest_of_its_time() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        world.master_from(&state, life(10)).await;
        let hour = TEN_MINUTES * 6;
        let (scheduler, id) = world.scheduler_of("framework", info_with(None, hour)).await;
        scheduler.end().await;
        tokio::time::sleep(hour / 2).await;
        world.master_from(&state, life(11)).await;
        let state_of = async |world: &World| world.get_frameworks().await[0].state;
        assert_eq!(world.get_frameworks().await[0].info.id, Some(id));
        assert_eq!(state_of(&world).await, FrameworkState::Recovered);
        // Virtual time does not move the clock on the wall: the hour begins anew here.
        tokio::time::sleep(hour + Duration::from_secs(1)).await;
        assert_eq!(state_of(&world).await, FrameworkState::Completed);
    });
}

#[test]
fn a_framework_that_has_ended_does_not_come_back_to_the_next_master() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        world.master_from(&state, life(10)).await;
        let (scheduler, id) = world.scheduler("framework").await;
        let framework_id = id.clone();
        scheduler.say(&world.master, api::master::Teardown { framework_id });
        scheduler.said().await;
        world.get_master().await;
        scheduler.end().await;
        world.master_from(&state, life(11)).await;
        let mut late = SchedulerStand::start(&world.node, "late", Mute::No).await;
        world.subscribe(&late, info_with(Some(&id), TEN_MINUTES));
        let rejected = late.expect::<Rejected>().await;
        assert_eq!(rejected.reason, "Framework has been removed");
    });
}

#[test]
fn a_master_that_was_followed_changes_nothing_and_ends() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        let elsewhere = Node::bind("127.0.0.1:0").await.unwrap();
        let old = ::master::start_from(&elsewhere, life(10), &state)
            .await
            .unwrap();
        world.master_from(&state, life(11)).await;
        let exit = elsewhere.exit_of(old.upid());
        let mut agent = AgentStand::start(&elsewhere, "agent", Mute::No).await;
        let register = api::master::Register {
            info: agent_info(),
            agent: agent.pid.clone(),
            version: "1".to_owned(),
        };
        agent.say(&old, register);
        exit.await;
        agent.expect_nothing(Duration::from_secs(1)).await;
        assert_eq!(state.names().await.unwrap(), ["registry"]);
        elsewhere.shutdown().await;
    });
}

/// A storage whose writes wait.
pub(crate) struct Slow {
    pub(crate) storage: MemoryStorage,
    pub(crate) open: Arc<(AtomicBool, Notify)>,
}

impl Storage for Slow {
    fn get(&self, name: &str) -> Coming<Option<Entry>> {
        self.storage.get(name)
    }

    fn names(&self) -> Coming<Vec<String>> {
        self.storage.names()
    }

    fn commit(&self, changes: Vec<Change>) -> Coming<bool> {
        let (storage, open) = (self.storage.clone(), self.open.clone());
        Box::pin(async move {
            let opened = open.1.notified();
            if !open.0.load(Ordering::SeqCst) {
                opened.await;
            }
            storage.commit(changes).await
        })
    }
}

type Coming<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send>>;

#[test]
fn an_agent_is_in_the_registry_before_it_is_answered() {
    world(|mut world| async move {
        let open = Arc::new((AtomicBool::new(true), Notify::new()));
        let storage = MemoryStorage::default();
        let state = State::new(Slow {
            storage: storage.clone(),
            open: open.clone(),
        });
        world.master_from(&state, life(10)).await;
        open.0.store(false, Ordering::SeqCst);
        let mut agents = Vec::new();
        for id in ["a", "b", "c"] {
            let agent = AgentStand::start(&world.node, id, Mute::No).await;
            world.register(&agent, agent_info());
            agents.push(agent);
        }
        for agent in &mut agents {
            agent.expect_nothing(Duration::from_secs(1)).await;
        }
        open.0.store(true, Ordering::SeqCst);
        open.1.notify_waiters();
        for agent in &mut agents {
            agent.expect::<Registered>().await;
        }
        let names = State::new(storage).names().await.unwrap();
        assert_eq!(names.len(), 4, "{names:?}");
    });
}

#[test]
fn a_store_that_does_not_end_ends_the_master() {
    world(|mut world| async move {
        let open = Arc::new((AtomicBool::new(true), Notify::new()));
        let state = State::new(Slow {
            storage: MemoryStorage::default(),
            open: open.clone(),
        });
        world.master_from(&state, life(10)).await;
        let exit = world.node.exit_of(world.master.upid());
        open.0.store(false, Ordering::SeqCst);
        let agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.register(&agent, agent_info());
        exit.await;
        let another = State::new(MemoryStorage::default());
        world.master_from(&another, life(11)).await;
    });
}

#[test]
fn a_framework_of_an_earlier_master_takes_its_tasks_back() {
    world(|mut world| async move {
        let state = State::new(MemoryStorage::default());
        world.master_from(&state, life(10)).await;
        let running = Running::of(&world, info_with(None, TEN_MINUTES)).await;
        let report = running.report(info_with(None, TEN_MINUTES), TaskState::Running);
        let Running {
            agent,
            agent_id,
            scheduler,
            framework_id,
            ..
        } = running;
        agent.end().await;
        scheduler.end().await;
        world.master_from(&state, life(11)).await;
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<Reregistered>().await;
        let mut scheduler = SchedulerStand::start(&world.node, "again", Mute::No).await;
        world.subscribe(&scheduler, info_with(Some(&framework_id), TEN_MINUTES));
        let subscribed = scheduler.expect::<Subscribed>().await;
        assert_eq!(subscribed.framework_id, framework_id);
        assert_eq!(world.tasks().await["t"], TaskState::Running);
        agent.expect_nothing(TEN_MINUTES * 3).await;
    });
}
