//! Masters that fail, and what is left of the cluster.

use std::time::Duration;

use cluster::{Shape, Storm, seeds, simulate};
use types::{FrameworkInfo, TaskState};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_master_that_crashes_learns_everything_back_and_no_task_dies() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let storm = Storm::steady(20, 120);
            cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
            let all = || cluster.running() == 20;
            cluster.eventually("all tasks run", MINUTE, all).await;
            for down in [1, 30] {
                cluster.crash("master").await;
                cluster.sleep(Duration::from_secs(down)).await;
                cluster.settle().await;
                assert_eq!(cluster.running(), 20);
            }
            cluster
                .eventually("all is done", 3 * MINUTE, || storm.is_done())
                .await;
            cluster.settle().await;
            cluster.tape("storm", |tape| {
                assert_eq!(tape.count(TaskState::Finished), 20);
                assert_eq!(tape.tasks().len(), 20);
                assert!(tape.disconnections() >= 2);
            });
        });
    }
}
