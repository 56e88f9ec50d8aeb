//! Frameworks that fail, end, and compete.

use std::time::Duration;

use api::master::{FrameworkState, GetFrameworks, TeardownFramework};
use cluster::{Cluster, Shape, Storm, seeds, simulate};
use sdk::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

async fn state_of(cluster: &Cluster, name: &str) -> FrameworkState {
    let frameworks = cluster
        .ask(GetFrameworks {})
        .await
        .expect("the master answers");
    let named = frameworks
        .into_iter()
        .find(|framework| framework.info.name == name);
    named.expect("the master remembers it").state
}

fn with_timeout(timeout: Duration) -> FrameworkInfo {
    FrameworkInfo {
        failover_timeout: timeout,
        ..FrameworkInfo::new("storm")
    }
}

#[test]
fn a_framework_that_fails_over_in_time_finds_its_tasks_running() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::steady(20, 300);
            cluster.start("storm", with_timeout(2 * MINUTE), storm.scheduler());
            cluster
                .eventually("all run", MINUTE, || cluster.running() == 20)
                .await;
            cluster.crash("storm").await;
            cluster.sleep(MINUTE).await;
            assert_eq!(cluster.running(), 20);
            cluster.settle().await;
            assert_eq!(cluster.running(), 20);
            cluster
                .eventually("all is done", 6 * MINUTE, || storm.is_done())
                .await;
            cluster.settle().await;
            cluster.tape("storm", |tape| {
                assert_eq!(tape.tasks().len(), 20, "none was launched again");
                assert_eq!(tape.subscriptions(), 2);
            });
        });
    }
}

#[test]
fn a_framework_that_does_not_fail_over_in_time_is_gone_with_its_tasks() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::steady(20, 3_600);
            cluster.start("storm", with_timeout(MINUTE), storm.scheduler());
            cluster
                .eventually("all run", MINUTE, || cluster.running() == 20)
                .await;
            cluster.crash("storm").await;
            cluster
                .eventually("its tasks end", 2 * MINUTE, || cluster.running() == 0)
                .await;
            assert_eq!(state_of(&cluster, "storm").await, FrameworkState::Completed);
            cluster.restart("storm").await;
            let refused = || cluster.tape("storm", |tape| tape.errors().len() == 1);
            cluster.eventually("it is refused", MINUTE, refused).await;
            cluster.settle().await;
        });
    }
}

#[test]
fn a_framework_that_is_cut_off_misses_nothing() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::new(40, cluster.seed());
            cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
            for _ in 0..3 {
                cluster.sleep(Duration::from_secs(20)).await;
                cluster.cut("master", "storm");
                cluster.sleep(Duration::from_secs(25)).await;
                cluster.repair("master", "storm");
            }
            cluster
                .eventually("all is done", 10 * MINUTE, || storm.is_done())
                .await;
            cluster.settle().await;
            cluster.tape("storm", |tape| assert!(tape.disconnections() > 0));
        });
    }
}

#[test]
fn a_framework_that_stops_or_is_torn_down_takes_its_tasks_with_it() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let (one, two) = (Storm::steady(8, 3_600), Storm::steady(8, 3_600));
            let first = cluster.start("one", FrameworkInfo::new("one"), one.scheduler());
            cluster.start("two", FrameworkInfo::new("two"), two.scheduler());
            cluster
                .eventually("all run", MINUTE, || cluster.running() == 16)
                .await;
            assert!(first.visit(|_, calls| calls.stop()));
            cluster
                .eventually("half of it ends", MINUTE, || cluster.running() == 8)
                .await;
            cluster.settle().await;
            let framework_id = cluster.tape("two", |tape| tape.id().cloned()).unwrap();
            let torn = cluster.ask(TeardownFramework { framework_id }).await;
            assert_eq!(torn, Ok(Ok(())));
            cluster
                .eventually("all ends", MINUTE, || cluster.running() == 0)
                .await;
            cluster.settle().await;
            assert!(cluster.is_retired("one") && cluster.is_retired("two"));
        });
    }
}

#[test]
fn a_crash_of_an_executor_fails_its_task() {
    simulate(1, Shape::default(), async |cluster| {
        let runner = || Once {
            line: "sleep 5; crash",
            launched: false,
        };
        cluster.start("once", FrameworkInfo::new("once"), runner);
        let failed = || cluster.tape("once", |tape| tape.count(TaskState::Failed) == 1);
        cluster.eventually("the task fails", MINUTE, failed).await;
        cluster.settle().await;
    });
}

/// Runs one command.
struct Once {
    line: &'static str,
    launched: bool,
}

impl Framework for Once {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(1.0).mem_mib(32);
        for offer in offers {
            let launch = !std::mem::replace(&mut self.launched, true);
            calls.accept(&offer, launch.then(|| Task::command(self.line, &need)));
        }
    }

    fn on_update(&mut self, _: TaskUpdate, _: &mut Calls) {}
}

#[test]
fn frameworks_with_weights_of_one_and_two_get_one_and_two_parts() {
    for seed in seeds(2) {
        let mut shape = Shape::default();
        let weights = [("one", 1.0), ("two", 2.0)];
        shape.master.weights = weights
            .map(|(role, weight)| {
                (
                    Role::new(role).unwrap(),
                    allocator::Weight::from_f64(weight).unwrap(),
                )
            })
            .into();
        simulate(seed, shape, async |cluster| {
            let need = Resources::new().cpus(0.5).mem_mib(64);
            for name in ["one", "two"] {
                let info = FrameworkInfo::new(name).role(Role::new(name).unwrap());
                let storm = Storm::steady(400, 10).needing(need.clone());
                cluster.start(name, info, storm.scheduler());
            }
            cluster.sleep(MINUTE).await;
            let mut sums = [0_usize; 2];
            for _ in 0..60 {
                cluster.sleep(Duration::from_secs(1)).await;
                for (name, sum) in ["one", "two"].into_iter().zip(&mut sums) {
                    let id = cluster.tape(name, |tape| tape.id().cloned()).unwrap();
                    let ours = |truth: &cluster::truth::Truth| {
                        truth
                            .running()
                            .keys()
                            .filter(|(framework, _)| *framework == id)
                            .count()
                    };
                    *sum += cluster.truth(ours);
                }
            }
            let [one, two] = sums.map(|sum| sum as f64);
            assert!((1.7..2.3).contains(&(two / one)), "{one} and {two}");
        });
    }
}
