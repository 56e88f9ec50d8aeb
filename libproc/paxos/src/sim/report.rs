//! What many runs came to.

use super::swarm::Swarm;
use std::{collections::BTreeMap, fmt};

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed: the same run again.
    pub seed: u64,
    /// What the run was like.
    pub swarm: Swarm,
    /// What was wrong, if anything.
    pub violation: Option<String>,
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// What happened, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// A fingerprint of everything that happened, in order.
    pub history: u64,
}

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many runs.
    pub runs: u64,
    /// Simulated time of clusters, in milliseconds.
    pub simulated_ms: u64,
    /// What happened, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// Seeds with what was wrong, and what these runs were like.
    pub violations: Vec<(u64, String, Swarm)>,
}

impl Report {
    /// Adds a run.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.simulated_ms += outcome.simulated_ms;
        for (kind, count) in outcome.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        if let Some(violation) = outcome.violation {
            self.violations
                .push((outcome.seed, violation, outcome.swarm));
        }
    }

    /// Adds other runs.
    pub(crate) fn merge(&mut self, other: Report) {
        self.runs += other.runs;
        self.simulated_ms += other.simulated_ms;
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        self.violations.extend(other.violations);
        self.violations.sort_by_key(|(seed, ..)| *seed);
    }

    /// Simulated cluster-hours.
    pub fn hours(&self) -> f64 {
        self.simulated_ms as f64 / 3_600_000.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:.1} simulated cluster-hours in {} runs",
            self.hours(),
            self.runs
        )?;
        for (kind, count) in &self.counts {
            writeln!(f, "{count:>12} {kind}")?;
        }
        for (seed, violation, swarm) in &self.violations {
            writeln!(f, "seed {seed}: {violation}\n    {swarm:?}")?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}
