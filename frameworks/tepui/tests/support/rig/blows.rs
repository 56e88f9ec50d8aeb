//! Blows that are dealt to a cluster and its framework at random moments.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::cluster::Cluster;
use super::processes;
use super::scheduler::Scheduler;

/// What chaos does next.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Executor,
    Agent,
    Master,
    Framework,
    /// An agent and the framework while there is no master.
    Outage,
    /// An agent is stopped, perhaps for longer than the master waits.
    Freeze,
}

const BLOWS: [Blow; 10] = [
    Blow::Executor,
    Blow::Executor,
    Blow::Executor,
    Blow::Agent,
    Blow::Agent,
    Blow::Master,
    Blow::Master,
    Blow::Framework,
    Blow::Outage,
    Blow::Freeze,
];
/// How many there are at most.
const BLOWS_MAX: usize = 24;

/// Deals blows at random moments, until the framework is done. Gives the zygotes of agents that
/// were killed.
pub(crate) async fn deal_blows(
    cluster: &mut Cluster,
    scheduler: &mut Scheduler,
    seed: u64,
) -> Vec<i32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut orphaned = Vec::new();
    for _ in 0..BLOWS_MAX {
        // One in four follows at once.
        let pause = if rng.random_bool(0.25) {
            0
        } else {
            rng.random_range(50..700)
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if scheduler.journal().is_done() {
            break;
        }
        let (blow, which) = (
            BLOWS[rng.random_range(0..BLOWS.len())],
            rng.random::<u32>() as usize,
        );
        println!("{:5} ms: {blow:?}", begun.elapsed().as_millis());
        match blow {
            Blow::Executor => {
                let zygotes = cluster.zygotes();
                let executors: Vec<i32> = zygotes
                    .iter()
                    .flat_map(|zygote| processes::children(*zygote))
                    .collect();
                if !executors.is_empty() {
                    // It may have ended by itself just now.
                    let pid = Pid::from_raw(executors[which % executors.len()]);
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            Blow::Agent => {
                let count = cluster.agents.len();
                let agent = &mut cluster.agents[which % count];
                orphaned.extend(processes::children(agent.pid()));
                agent.kill();
                agent.start_again();
            }
            Blow::Master => {
                cluster.master.kill();
                cluster.master.start_again();
            }
            Blow::Framework => {
                scheduler.kill();
                scheduler.start_again();
            }
            Blow::Outage => {
                let count = cluster.agents.len();
                let agent = &mut cluster.agents[which % count];
                orphaned.extend(processes::children(agent.pid()));
                cluster.master.kill();
                agent.kill();
                scheduler.kill();
                agent.start_again();
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_000))).await;
                scheduler.start_again();
                cluster.master.start_again();
            }
            Blow::Freeze => {
                let agent = &cluster.agents[which % cluster.agents.len()];
                agent.signal(Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_millis(rng.random_range(100..4_500))).await;
                agent.signal(Signal::SIGCONT);
            }
        }
    }
    orphaned
}
