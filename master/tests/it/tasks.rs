//! How tasks are launched, change, end and are killed.

use std::time::Duration;

use api::agent::{self, AcknowledgeUpdate, KillTask, RunTask, ShutdownExecutor};
use api::executor::Exit;
use api::master::{self, ExecutorExited, Kill};
use api::scheduler::{self, Failure, FromExecutor, Offers, Update};
use types::{CommandInfo, ExecutorId, ExecutorInfo, KillPolicy, Reason, Resources, Source};
use types::{TaskInfo, TaskState};

use crate::world::*;

fn kill(running: &Running, task: &str) -> Kill {
    Kill {
        framework_id: running.framework_id.clone(),
        task_id: task.parse().unwrap(),
        agent_id: None,
        kill_policy: None,
    }
}

#[test]
fn a_task_runs_ends_and_is_history_once_acknowledged() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let used = Resources::new().cpus(1.0).mem_mib(128);
        assert_eq!(world.get_agents().await[0].used, used);
        let of = (&running.framework_id, "t");
        let update = world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Finished);
        assert_eq!(status.update_id, Some(update));
        assert_eq!(status.agent_id, Some(running.agent_id.clone()));
        // What it used is free at once.
        assert_eq!(world.get_agents().await[0].used, Resources::new());
        running.scheduler.skip_to::<Offers>().await;
        assert!(world.tasks().await.is_empty());
        world.acknowledge(&running.scheduler, &running.framework_id, &status);
        let acknowledged = running.agent.expect::<AcknowledgeUpdate>().await;
        assert_eq!(acknowledged.update_id, update);
        let all = world.get_tasks(true).await;
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].task.state, TaskState::Finished);
        assert_eq!(all[0].hostname, "host");
    });
}

#[test]
fn an_update_that_is_repeated_is_forwarded_again_and_counts_once() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.skip_to::<Offers>().await;
        let status =
            types::TaskStatus::new("t".parse().unwrap(), TaskState::Failed, Source::Executor, 1);
        let update = master::UpdateStatus {
            agent_id: running.agent_id.clone(),
            framework_id: running.framework_id.clone(),
            status: status.acknowledged_as(types::UpdateId::random()),
            latest: TaskState::Failed,
        };
        for _ in 0..3 {
            running.agent.say(&world.master, update.clone());
        }
        for _ in 0..3 {
            let status = running.scheduler.expect::<Update>().await.status;
            assert_eq!(status.state, TaskState::Failed);
        }
        running.scheduler.expect::<Offers>().await;
        let agents = world.get_agents().await;
        assert_eq!(agents[0].offered, agent_info().resources);
    });
}

#[test]
fn the_latest_state_frees_resources_before_its_update_comes() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let status = types::TaskStatus::new(
            "t".parse().unwrap(),
            TaskState::Running,
            Source::Executor,
            1,
        );
        let update = master::UpdateStatus {
            agent_id: running.agent_id.clone(),
            framework_id: running.framework_id.clone(),
            status: status.acknowledged_as(types::UpdateId::random()),
            latest: TaskState::Finished,
        };
        running.agent.say(&world.master, update);
        running.agent.said().await;
        assert_eq!(world.get_agents().await[0].tasks, 0);
        assert_eq!(world.get_agents().await[0].used, Resources::new());
    });
}

#[test]
fn a_wrong_task_is_an_error_and_the_others_run() {
    world(|world| async move {
        let (mut agent, _) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        let wrong = TaskInfo {
            resources: Resources::new().cpus(100.0),
            ..task("wrong", &offers[0])
        };
        let tasks = vec![task("a", &offers[0]), wrong, task("b", &offers[0])];
        world.accept(&scheduler, &id, &[&offers[0]], tasks);
        let status = scheduler.expect::<Update>().await.status;
        assert_eq!(status.task_id.as_str(), "wrong");
        assert_eq!(status.state, TaskState::Error);
        assert_eq!(status.reason, Some(Reason::TaskInvalid));
        assert_eq!(status.source, Source::Master);
        for name in ["a", "b"] {
            let run = agent.expect::<RunTask>().await;
            assert_eq!(run.task.task_id.as_str(), name);
            assert_eq!(run.framework.id, Some(id.clone()));
        }
        let agents = world.get_agents().await;
        assert_eq!(agents[0].used, Resources::new().cpus(2.0).mem_mib(256));
    });
}

#[test]
fn a_name_is_used_once_at_a_time() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let offers = running.scheduler.skip_to::<Offers>().await.offers;
        let again = vec![task("t", &offers[0])];
        let id = &running.framework_id;
        world.accept(&running.scheduler, id, &[&offers[0]], again);
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Error);
        running.agent.expect_nothing(SECOND).await;
    });
}

#[test]
fn a_kill_goes_to_the_agent() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let kill_policy = Some(KillPolicy {
            grace_period: Duration::from_secs(9),
        });
        let kill = Kill {
            kill_policy,
            ..kill(&running, "t")
        };
        running.scheduler.say(&world.master, kill);
        let killed = running.agent.expect::<KillTask>().await;
        assert_eq!(killed.task_id.as_str(), "t");
        assert_eq!(killed.kill_policy, kill_policy);
    });
}

#[test]
fn a_kill_of_nothing_is_answered() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.skip_to::<Offers>().await;
        running
            .scheduler
            .say(&world.master, kill(&running, "other"));
        let status = running.scheduler.expect::<Update>().await.status;
        assert_eq!(status.state, TaskState::Unknown);
        assert_eq!(status.reason, Some(Reason::Reconciliation));
        running.agent.expect_nothing(SECOND).await;
    });
}

#[test]
fn a_kill_waits_for_an_agent_that_is_away() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let report = running.report(framework_info("framework"), TaskState::Running);
        let kill = kill(&running, "t");
        let Running {
            agent,
            agent_id,
            scheduler,
            ..
        } = running;
        agent.end().await;
        scheduler.say(&world.master, kill);
        let mut agent = AgentStand::start(&world.node, "agent", Mute::No).await;
        world.reregister(&agent, &agent_id, report);
        agent.expect::<agent::Reregistered>().await;
        assert_eq!(agent.expect::<KillTask>().await.task_id.as_str(), "t");
    });
}

#[test]
fn only_the_scheduler_kills() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let (stranger, _) = world.scheduler("stranger").await;
        stranger.say(&world.master, kill(&running, "t"));
        world.node.tell(&world.master, kill(&running, "t"));
        running.agent.expect_nothing(SECOND).await;
    });
}

#[test]
fn only_the_agent_tells_of_its_tasks() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.skip_to::<Offers>().await;
        let (stranger, stranger_id) = world.agent("stranger").await;
        running.scheduler.expect::<Offers>().await;
        let of = (&running.framework_id, "t");
        world.update(&stranger, &running.agent_id, of, TaskState::Failed);
        world.update(&stranger, &stranger_id, of, TaskState::Failed);
        running.scheduler.expect_nothing(SECOND).await;
        assert_eq!(world.tasks().await["t"], TaskState::Running);
    });
}

fn with_executor(task: TaskInfo) -> TaskInfo {
    let id = ExecutorId::new("e").unwrap();
    let mut executor = ExecutorInfo::custom(id, CommandInfo::shell("run"));
    executor.resources = Resources::new().cpus(1.0);
    TaskInfo {
        command: None,
        executor: Some(executor),
        ..task
    }
}

#[test]
fn an_executor_is_paid_for_once_and_until_it_ends() {
    world(|world| async move {
        let (mut agent, agent_id) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        let tasks = ["a", "b"].map(|name| with_executor(task(name, &offers[0])));
        world.accept(&scheduler, &id, &[&offers[0]], tasks.into());
        agent.expect::<RunTask>().await;
        agent.expect::<RunTask>().await;
        let used = || async { world.get_agents().await[0].used.total_cpus().to_string() };
        assert_eq!(used().await, "3");
        let rest = scheduler.expect::<Offers>().await.offers;
        assert_eq!(rest[0].executor_ids, [ExecutorId::new("e").unwrap()]);
        for name in ["a", "b"] {
            world.update(&agent, &agent_id, (&id, name), TaskState::Finished);
        }
        agent.said().await;
        assert_eq!(used().await, "1");
        let exited = ExecutorExited {
            agent_id: agent_id.clone(),
            framework_id: id.clone(),
            executor_id: ExecutorId::new("e").unwrap(),
            exit: Exit::Code(3),
        };
        agent.say(&world.master, exited.clone());
        agent.say(&world.master, exited);
        let failure = scheduler.skip_to::<Failure>().await;
        assert_eq!(failure.exit, Some(Exit::Code(3)));
        assert_eq!(failure.agent_id, agent_id);
        assert_eq!(used().await, "0");
    });
}

#[test]
fn words_pass_between_scheduler_and_executor() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        running.scheduler.skip_to::<Offers>().await;
        let executor_id = ExecutorId::new("e").unwrap();
        let to = master::ToExecutor {
            framework_id: running.framework_id.clone(),
            agent_id: running.agent_id.clone(),
            executor_id: executor_id.clone(),
            data: b"hello".to_vec(),
        };
        running.scheduler.say(&world.master, to);
        assert_eq!(
            running.agent.expect::<agent::ToExecutor>().await.data,
            b"hello"
        );
        let from = master::ToFramework {
            framework_id: running.framework_id.clone(),
            agent_id: running.agent_id.clone(),
            executor_id: executor_id.clone(),
            data: b"world".to_vec(),
        };
        running.agent.say(&world.master, from);
        assert_eq!(
            running.scheduler.expect::<FromExecutor>().await.data,
            b"world"
        );
        let shutdown = master::ShutdownExecutor {
            framework_id: running.framework_id.clone(),
            agent_id: running.agent_id.clone(),
            executor_id,
        };
        running.scheduler.say(&world.master, shutdown);
        running.agent.expect::<ShutdownExecutor>().await;
    });
}

#[test]
fn an_update_without_a_name_needs_no_acknowledgement() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let source = Source::Agent;
        let task_id = "t".parse().unwrap();
        let update = master::UpdateStatus {
            agent_id: running.agent_id.clone(),
            framework_id: running.framework_id.clone(),
            status: types::TaskStatus::new(task_id, TaskState::Dropped, source, 1),
            latest: TaskState::Dropped,
        };
        running.agent.say(&world.master, update);
        running.scheduler.skip_to::<scheduler::Update>().await;
        let all = world.get_tasks(true).await;
        assert_eq!(all[0].task.state, TaskState::Dropped);
    });
}
