//! Faults that nobody thought of: schedules from seeds, on clusters under load.

use std::time::Duration;

use cluster::{Cluster, History, Shape, Storm, faults, seeds, simulate};
use types::{FrameworkInfo, Role, TaskState};

const MINUTE: Duration = Duration::from_secs(60);
/// How long faults begin, and how many.
const FAULTS: (usize, Duration) = (12, Duration::from_secs(150));
/// How many items of work each framework has.
const ITEMS: usize = 60;

/// Three frameworks under load while hosts and links fail; then everything must come to an end.
async fn chaos(cluster: Cluster) {
    let seed = cluster.seed();
    let storms: Vec<_> = (0..3).map(|number| (number, Storm::new(ITEMS, seed ^ number))).collect();
    for (number, storm) in &storms {
        let name = format!("storm-{number}");
        let role = Role::new(["*", "batch", "batch/night"][*number as usize]).unwrap();
        let info = FrameworkInfo::new(&name).role(role);
        cluster.start(&name, info, storm.scheduler());
    }
    let mut hosts = cluster.hosts();
    hosts.sort_by_key(|host| host != "master"); // all links lead to it
    let (count, length) = FAULTS;
    faults::play(&cluster, &faults::episodes(seed, &hosts, count, length)).await;
    cluster.heal().await;
    for (number, storm) in &storms {
        let what = format!("storm-{number} is done");
        cluster.eventually(&what, 20 * MINUTE, || storm.is_done()).await;
    }
    cluster.settle().await;
    assert_eq!(cluster.running(), 0);
    let probe = Storm::steady(1, 0);
    cluster.start("probe", FrameworkInfo::new("probe"), probe.scheduler());
    cluster.eventually("a task runs afterwards", MINUTE, || probe.is_done()).await;
    for (number, storm) in &storms {
        let finished = cluster.tape(&format!("storm-{number}"), |t| t.count(TaskState::Finished));
        assert_eq!(finished, ITEMS + storm.surplus());
    }
}

/// Coarse steps, and a master that soon stops waiting for agents that do not exist any more.
fn shape() -> Shape {
    let mut shape = Shape { step: Duration::from_millis(10), ..Shape::default() };
    shape.master.agent_reregister_timeout = 2 * MINUTE;
    shape
}

fn run(seed: u64) -> History {
    simulate(seed, shape(), chaos).history
}

#[test]
fn whatever_fails_everything_comes_to_an_end_and_nothing_is_lost() {
    for seed in seeds(20) {
        let began = std::time::Instant::now();
        let outcome = simulate(seed, shape(), chaos);
        println!("seed {seed}: {outcome:?} in {:?}", began.elapsed());
    }
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in seeds(2) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
