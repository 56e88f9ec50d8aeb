//! Faults that nobody thought of: clusters, frameworks and faults made up from seeds.

use std::time::Duration;

use api::master::TeardownFramework;
use cluster::{Cluster, Outcome, Shape, Storm, faults, seeds, simulate};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use types::{FrameworkCapability, FrameworkInfo, Role, TaskState};

const MINUTE: Duration = Duration::from_secs(60);
/// The time in which faults begin.
const FAULTS: Duration = Duration::from_secs(150);
const ROLES: [&str; 3] = ["*", "batch", "batch/night"];

/// A framework, and what is to become of it.
#[derive(Clone)]
struct Player {
    name: String,
    info: FrameworkInfo,
    storm: Storm,
    items: usize,
    /// When an operator ends it.
    torn_down: Option<Duration>,
}

impl Player {
    fn new(number: usize, rng: &mut StdRng) -> Player {
        let name = format!("storm-{number}");
        let role = ROLES[rng.random_range(0..ROLES.len())];
        let mut info = FrameworkInfo::new(&name).role(Role::new(role).unwrap());
        if rng.random_bool(0.25) {
            info.capabilities
                .remove(&FrameworkCapability::PartitionAware);
        }
        if rng.random_bool(0.2) {
            info.failover_timeout = Duration::from_secs(rng.random_range(1..90));
        }
        let items = rng.random_range(20..80);
        let torn_down = rng.random_bool(0.15).then(|| FAULTS.mul_f64(rng.random()));
        let storm = Storm::new(items, rng.random());
        Player {
            name,
            info,
            storm,
            items,
            torn_down,
        }
    }

    fn has_ended(&self, cluster: &Cluster) -> bool {
        self.storm.is_done() || cluster.is_retired(&self.name)
    }
}

/// Has an operator end a framework, who does not give up before the master says that it has ended.
async fn tear_down(cluster: Cluster, player: Player, after: Duration) {
    cluster.sleep(after).await;
    loop {
        if let Some(framework_id) = cluster.tape(&player.name, |tape| tape.id().cloned())
            && cluster
                .ask(TeardownFramework { framework_id })
                .await
                .is_ok()
        {
            return;
        }
        cluster.sleep(Duration::from_secs(1)).await;
    }
}

/// A cluster that follows from a seed.
fn shape(seed: u64) -> Shape {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut shape = Shape {
        agents: rng.random_range(2..=4),
        ..Shape::default()
    };
    // A master that soon stops waiting for agents that do not exist any more.
    shape.master.agent_reregister_timeout = 2 * MINUTE;
    if rng.random_bool(0.3) {
        shape.master.offer_timeout = Some(Duration::from_secs(5));
    }
    if rng.random_bool(0.3) {
        shape.master.agent_ping_timeout = Duration::from_secs(4);
    }
    shape
}

/// Frameworks under load while hosts and links fail; then everything must come to an end.
async fn chaos(cluster: Cluster) {
    let mut rng = StdRng::seed_from_u64(cluster.seed());
    let count = rng.random_range(2..=4);
    let players: Vec<_> = (0..count)
        .map(|number| Player::new(number, &mut rng))
        .collect();
    for player in &players {
        cluster.start(&player.name, player.info.clone(), player.storm.scheduler());
        if let Some(after) = player.torn_down {
            tokio::task::spawn_local(tear_down(cluster.clone(), player.clone(), after));
        }
    }
    let masters = cluster.shape().master_hosts();
    let mut others = cluster.hosts();
    others.retain(|host| !masters.contains(host));
    let count = rng.random_range(4..=16);
    faults::play(
        &cluster,
        &faults::episodes(rng.random(), &masters, &others, count, FAULTS),
    )
    .await;
    cluster.heal().await;
    for player in &players {
        let what = format!("{} is done", player.name);
        cluster
            .eventually(&what, 20 * MINUTE, || player.has_ended(&cluster))
            .await;
    }
    cluster.settle().await;
    cluster
        .eventually("nothing runs", MINUTE, || cluster.running() == 0)
        .await;
    let probe = Storm::steady(1, 0);
    cluster.start("probe", FrameworkInfo::new("probe"), probe.scheduler());
    cluster
        .eventually("a task runs afterwards", MINUTE, || probe.is_done())
        .await;
    for player in players.iter().filter(|player| player.storm.is_done()) {
        let finished = cluster.tape(&player.name, |tape| tape.count(TaskState::Finished));
        assert_eq!(
            finished,
            player.items + player.storm.surplus(),
            "{}",
            player.name
        );
    }
}

fn run(seed: u64) -> Outcome {
    simulate(seed, shape(seed), chaos)
}

#[test]
fn whatever_fails_everything_comes_to_an_end_and_nothing_is_lost() {
    for seed in seeds(16) {
        let outcome = run(seed);
        println!("seed {seed}: {outcome:?}");
    }
}

/// The same with three masters that elect each other.
fn run_with_three_masters(seed: u64) -> Outcome {
    let shape = Shape {
        masters: 3,
        ..shape(seed)
    };
    simulate(seed, shape, chaos)
}

#[test]
fn whatever_fails_one_of_three_masters_at_most_leads_and_nothing_is_lost() {
    for seed in seeds(4) {
        let outcome = run_with_three_masters(seed);
        println!("seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_seed_of_three_masters_replays_to_the_letter() {
    for seed in seeds(1) {
        let run = || run_with_three_masters(seed);
        assert_eq!(run(), run(), "seed {seed}");
    }
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in seeds(2) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
