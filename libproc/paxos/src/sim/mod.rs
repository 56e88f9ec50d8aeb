//! Whole logs simulated, event by event, from a seed.
//!
//! Replicas on a network that loses, doubles, delays and cuts, on disks that sync in groups, forget what was
//! not synced, and lose what was, on machines that crash, stand still and run fast or slow. A run is
//! drawn from its seed down to its limits and probabilities. First everything goes wrong and nothing may be
//! violated; then the faults end and everything must go on. The same seed is the same run.

mod chance;
mod checker;
mod disk;
mod faults;
mod report;
mod site;
mod swarm;
mod world;

pub use crate::flaw::Flaw;
pub use report::{Outcome, Report};
pub use swarm::Swarm;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One run.
pub fn replay(seed: u64, flaw: Option<Flaw>) -> Outcome {
    world::World::new(seed, flaw).run()
}

/// One run, of which every step is told to `trace`.
pub fn replay_traced(seed: u64, flaw: Option<Flaw>, trace: fn(&str)) -> Outcome {
    world::World::new(seed, flaw).traced(trace).run()
}

/// Runs, from `seed` on, until so many cluster-hours are simulated, or 20 runs were wrong.
pub fn run(hours: f64, seed: u64, threads: usize) -> Report {
    let (next, simulated_ms) = (AtomicU64::new(seed), AtomicU64::new(0));
    let enough = AtomicBool::new(false);
    let goal = (hours * 3_600_000.0) as u64;
    let one = || {
        let mut report = Report::default();
        while !enough.load(Ordering::Relaxed) {
            let outcome = replay(next.fetch_add(1, Ordering::Relaxed), None);
            let ms = outcome.simulated_ms;
            report.add(outcome);
            let total = simulated_ms.fetch_add(ms, Ordering::Relaxed) + ms;
            if total >= goal || report.violations.len() >= 20 {
                enough.store(true, Ordering::Relaxed);
            }
        }
        report
    };
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(one)).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => report.merge(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    report
}

/// How many runs, from `seed` on, until a planted bug is found, and what was seen; at most `limit`.
pub fn seeds_to_detection(flaw: Flaw, seed: u64, limit: u64) -> Option<(u64, String)> {
    (0..limit).find_map(|run| {
        replay(seed + run, Some(flaw))
            .violation
            .map(|violation| (run + 1, violation))
    })
}
