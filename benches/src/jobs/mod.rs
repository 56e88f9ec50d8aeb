//! Jobs: how many a second go through a queue and three agents, and whether a long queue is slower.

mod queue;
mod rate;

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Jobs of `true` a round
    #[arg(long, default_value_t = 10_000)]
    jobs: u32,
    /// Runs of a job each round, as one array, instead of so many jobs
    #[arg(long)]
    array: bool,
    /// The longest queue that is measured
    #[arg(long, default_value_t = 1_000_000)]
    longest: u64,
    /// Only the queue, without a cluster
    #[arg(long)]
    queue_only: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
struct Report {
    rate: Option<rate::Rate>,
    queue: Vec<queue::Costs>,
}

/// Measures with the program `tepui` and prints.
///
/// # Errors
/// When the cluster or the queue does not start, or a job does not end as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    let rate = match args.queue_only {
        true => None,
        false => Some(rate::measure(tepui, args)?),
    };
    let report = Report {
        rate,
        queue: queue::measure(args.longest)?,
    };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!("{report}"),
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rate) = &self.rate {
            writeln!(f, "{rate}")?;
        }
        writeln!(
            f,
            "{:>10} {:>14} {:>14} {:>14} {:>14} {:>12}",
            "waiting", "submit one", "list 100", "launch one", "end one", "bytes each"
        )?;
        for costs in &self.queue {
            writeln!(f, "{costs}")?;
        }
        Ok(())
    }
}
