//! Three masters that elect each other through their own log, and what becomes of the one that leads.

use std::time::Duration;

use cluster::{Cluster, Shape, Storm, seeds, simulate};
use types::{FrameworkInfo, TaskState};

const MINUTE: Duration = Duration::from_secs(60);
/// How long it may take until another one leads: silence, chance, and a few words.
const ELECTION: Duration = Duration::from_secs(2);

fn three() -> Shape {
    Shape {
        masters: 3,
        ..Shape::default()
    }
}

/// Starts twenty tasks that last, and waits until they run.
async fn steady(cluster: &Cluster) -> Storm {
    let storm = Storm::steady(20, 600).patient(20 * MINUTE);
    cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
    let all = || cluster.running() == 20;
    cluster.eventually("all tasks run", MINUTE, all).await;
    storm
}

async fn leader(cluster: &Cluster) -> String {
    let leads = || cluster.leading_host().is_some();
    cluster.eventually("somebody leads", MINUTE, leads).await;
    cluster.leading_host().expect("it was there")
}

/// Waits until another one leads.
async fn follower_of(cluster: &Cluster, before: &str) -> String {
    let other = || cluster.leading_host().is_some_and(|host| host != before);
    cluster.eventually("another leads", ELECTION, other).await;
    leader(cluster).await
}

/// All tasks are the first ones, and all of them finish.
async fn nothing_was_lost(cluster: &Cluster, storm: &Storm) {
    cluster.settle().await;
    assert_eq!(cluster.running(), 20);
    cluster
        .eventually("all is done", 20 * MINUTE, || storm.is_done())
        .await;
    cluster.settle().await;
    cluster.tape("storm", |tape| {
        assert_eq!(tape.count(TaskState::Finished), 20);
        assert_eq!(tape.tasks().len(), 20);
    });
}

#[test]
fn a_leader_that_crashes_is_followed_within_two_seconds_and_no_task_is_lost() {
    for seed in seeds(1) {
        simulate(seed, three(), async |cluster| {
            let storm = steady(&cluster).await;
            for _ in 0..3 {
                let before = leader(&cluster).await;
                cluster.crash(&before).await;
                follower_of(&cluster, &before).await;
                cluster.restart(&before).await;
                cluster.settle().await;
                assert_eq!(cluster.running(), 20);
            }
            nothing_was_lost(&cluster, &storm).await;
        });
    }
}

#[test]
fn a_leader_that_is_cut_off_stops_before_another_leads() {
    for seed in seeds(1) {
        simulate(seed, three(), async |cluster| {
            let storm = steady(&cluster).await;
            // From everybody; then from the other masters only, so that agents hear two of them.
            for alone in [true, false] {
                let before = leader(&cluster).await;
                let masters = cluster.shape().master_hosts();
                match alone {
                    true => cluster.isolate(&before),
                    false => masters
                        .iter()
                        .filter(|host| **host != before)
                        .for_each(|host| cluster.cut(&before, host)),
                }
                follower_of(&cluster, &before).await;
                cluster.sleep(MINUTE / 2).await;
                cluster.rejoin(&before);
                cluster.settle().await;
                assert_eq!(cluster.running(), 20);
            }
            nothing_was_lost(&cluster, &storm).await;
        });
    }
}

#[test]
fn masters_that_all_crash_go_on_with_what_they_had_on_disk() {
    for seed in seeds(1) {
        simulate(seed, three(), async |cluster| {
            let storm = steady(&cluster).await;
            let masters = cluster.shape().master_hosts();
            for host in &masters {
                cluster.crash(host).await;
            }
            // One agent does not come back: the registry alone knows of it, and its framework hears.
            cluster.crash("agent-1").await;
            cluster.retire("agent-1");
            for host in &masters {
                cluster.restart(host).await;
            }
            let left = cluster.running();
            let unreachable = || {
                let told = cluster.tape("storm", |tape| {
                    let lost = |told: &&cluster::tape::Told| {
                        told.last()
                            .is_some_and(|state| state == TaskState::Unreachable)
                    };
                    tape.tasks().values().filter(lost).count()
                });
                told == 20 - left
            };
            cluster
                .eventually("the framework hears", 15 * MINUTE, unreachable)
                .await;
            drop(storm);
        });
    }
}
