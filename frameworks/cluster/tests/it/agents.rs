//! Agents that are cut off, and agents that crash.

use std::time::Duration;

use api::master::{AgentState, GetAgents};
use cluster::{Cluster, Shape, Storm, seeds, simulate};
use types::{FrameworkInfo, TaskState};

const MINUTE: Duration = Duration::from_secs(60);

/// A framework whose tasks run everywhere, for an hour.
async fn with_tasks(cluster: &Cluster, count: usize) -> Storm {
    let storm = Storm::steady(count, 3_600);
    cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
    let all = || cluster.running() == count;
    cluster.eventually("all tasks run", MINUTE, all).await;
    cluster.settle().await;
    storm
}

/// How many tasks run on a host.
fn running_on(cluster: &Cluster, host: &str) -> usize {
    cluster.truth(|truth| {
        truth
            .running()
            .values()
            .filter(|task| task.host == host)
            .count()
    })
}

fn count(cluster: &Cluster, state: TaskState) -> usize {
    cluster.tape("storm", |tape| tape.count(state))
}

async fn agents_in(cluster: &Cluster, state: AgentState) -> usize {
    let agents = cluster.ask(GetAgents {}).await.expect("the master answers");
    agents.iter().filter(|agent| agent.state == state).count()
}

#[test]
fn an_agent_that_is_cut_off_for_half_a_minute_comes_back_with_its_tasks() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            with_tasks(&cluster, 24).await;
            let there = running_on(&cluster, "agent-1");
            cluster.cut("master", "agent-1");
            cluster.sleep(MINUTE / 2).await;
            assert_eq!(agents_in(&cluster, AgentState::Disconnected).await, 1);
            cluster.settle().await;
            assert_eq!(
                (cluster.running(), running_on(&cluster, "agent-1")),
                (24, there)
            );
            assert_eq!(count(&cluster, TaskState::Running), 24);
            assert_eq!(agents_in(&cluster, AgentState::Active).await, 3);
        });
    }
}

#[test]
fn an_agent_that_is_cut_off_for_three_minutes_is_unreachable_and_comes_back_with_its_tasks() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            // Its tasks must not be replaced meanwhile, or there would be more of them.
            drop(with_tasks(&cluster, 24).await.patient(60 * MINUTE));
            let there = running_on(&cluster, "agent-1");
            assert!(there > 0);
            cluster.cut("master", "agent-1");
            cluster.sleep(3 * MINUTE).await;
            assert_eq!(agents_in(&cluster, AgentState::Unreachable).await, 1);
            assert_eq!(count(&cluster, TaskState::Unreachable), there);
            cluster.settle().await;
            assert_eq!(
                (cluster.running(), running_on(&cluster, "agent-1")),
                (24, there)
            );
            assert_eq!(count(&cluster, TaskState::Running), 24);
        });
    }
}

#[test]
fn a_one_way_cut_is_noticed_from_either_side() {
    for seed in seeds(2) {
        for (from, to) in [("master", "agent-1"), ("agent-1", "master")] {
            simulate(seed, Shape::default(), async move |cluster| {
                with_tasks(&cluster, 24).await;
                cluster.cut_one_way(from, to);
                cluster.sleep(MINUTE).await;
                assert_eq!(agents_in(&cluster, AgentState::Disconnected).await, 1);
                cluster.settle().await;
                assert_eq!(cluster.running(), 24);
            });
        }
    }
}

#[test]
fn an_agent_that_crashes_loses_its_tasks_and_its_resources_return() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            with_tasks(&cluster, 24).await;
            let lost = running_on(&cluster, "agent-1");
            cluster.crash("agent-1").await;
            assert_eq!(cluster.running(), 24 - lost);
            cluster.sleep(Duration::from_secs(5)).await;
            cluster.settle().await;
            assert_eq!(count(&cluster, TaskState::Gone), lost);
            let again = || cluster.running() == 24;
            cluster
                .eventually("the lost tasks run again", MINUTE, again)
                .await;
        });
    }
}

#[test]
fn an_agent_that_crashes_and_stays_away_is_unreachable_and_its_work_is_done_elsewhere() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::steady(16, 120);
            cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
            cluster
                .eventually("all run", MINUTE, || cluster.running() == 16)
                .await;
            cluster.crash("agent-1").await;
            cluster.retire("agent-1");
            cluster
                .eventually("all is done", 10 * MINUTE, || storm.is_done())
                .await;
            assert_eq!(agents_in(&cluster, AgentState::Unreachable).await, 1);
            cluster.settle().await;
        });
    }
}

#[test]
fn a_connection_that_is_reset_costs_nothing() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            with_tasks(&cluster, 24).await;
            for _ in 0..5 {
                for host in ["agent-1", "agent-2", "storm"] {
                    cluster.reset("master", host);
                }
                cluster.sleep(Duration::from_secs(1)).await;
            }
            cluster.settle().await;
            assert_eq!(count(&cluster, TaskState::Running), 24);
        });
    }
}

#[test]
fn an_agent_that_leaves_ends_its_tasks_and_they_are_done_elsewhere() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::steady(8, 30);
            cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
            cluster
                .eventually("all run", MINUTE, || cluster.running() == 8)
                .await;
            cluster.stop_agent("agent-1", true).await;
            assert_eq!(running_on(&cluster, "agent-1"), 0);
            cluster
                .eventually("all is done", 5 * MINUTE, || storm.is_done())
                .await;
            cluster.settle().await;
            assert_eq!(agents_in(&cluster, AgentState::Active).await, 2);
            cluster.crash("agent-1").await;
            cluster.restart("agent-1").await;
            cluster.settle().await;
            assert_eq!(agents_in(&cluster, AgentState::Active).await, 3);
        });
    }
}
