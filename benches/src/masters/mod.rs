//! Masters that elect each other through their own log: how soon another one accepts a write when
//! the one that leads is killed, and how soon agents and their tasks are in its books.
//!
//! Masters are OS processes, killed by SIGKILL. A write is one of an operator over HTTP, answered
//! when the registry has it on a majority of disks. Agents pretend, and share the machine.

mod ensemble;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::api::Output;
use crate::api::crowd::{Crowd, Size};
use crate::measure::latency::Latency;

use ensemble::{End, Ensemble};

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Masters of the ensemble
    #[arg(long, default_value_t = 3)]
    pub masters: usize,
    /// How often the one that leads is killed
    #[arg(long, default_value_t = 50)]
    pub rounds: usize,
    /// How often it is told to end, so that it hands over
    #[arg(long, default_value_t = 10)]
    pub handovers: usize,
    /// Agents that come back to a new master; 0 leaves them out
    #[arg(long, default_value_t = 2_000)]
    pub agents: usize,
    /// Tasks they come with
    #[arg(long, default_value_t = 100_000)]
    pub tasks: usize,
    /// How often they come back, of which the median is taken
    #[arg(long, default_value_t = 3)]
    pub returns: usize,
    /// Where masters keep their logs [default: a temporary directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Where the report goes
    #[command(flatten)]
    pub output: Output,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    masters: usize,
    killed: Writes,
    told_to_end: Writes,
    returned: Option<Returned>,
}

/// How long until the next master had accepted a write.
#[derive(Debug, Clone, Serialize)]
struct Writes {
    rounds: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Writes {
    fn of(latency: &Latency) -> Writes {
        let ms = |quantile| latency.at(quantile) as f64 / 1e6;
        Writes {
            rounds: latency.count() as usize,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
        }
    }
}

/// Agents and tasks that came back to a new master.
#[derive(Debug, Clone, Serialize)]
struct Returned {
    agents: usize,
    tasks: usize,
    /// From when the first agent came, until the last was told that it is in the books.
    median_ms: f64,
    max_ms: f64,
    /// Resident memory of the master then, and the most it ever was; of the worst of the times.
    resident_mb: f64,
    peak_mb: f64,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When a master does not start, or does not answer as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.masters > 2,
        "another one leads only where there are three or more"
    );
    let name = format!("tepui-failover-bench-{}", std::process::id());
    let place = args
        .dir
        .clone()
        .unwrap_or_else(std::env::temp_dir)
        .join(name);
    std::fs::create_dir_all(&place)
        .with_context(|| format!("could not make {}", place.display()))?;
    let report = measure(tepui, args, &place);
    let removed = std::fs::remove_dir_all(&place);
    args.output.show(&report?)?;
    removed.with_context(|| format!("could not remove {}", place.display()))
}

fn measure(tepui: &Path, args: &Args, place: &Path) -> anyhow::Result<Report> {
    let mut ensemble = Ensemble::start(tepui, args.masters, place)?;
    let (mut killed, mut told) = (Latency::new(), Latency::new());
    for _ in 0..args.rounds {
        ensemble.follow(End::Kill, &mut killed)?;
    }
    for _ in 0..args.handovers {
        ensemble.follow(End::Tell, &mut told)?;
    }
    let returned = match args.agents {
        0 => None,
        agents => Some(come_back(&mut ensemble, agents, args)?),
    };
    Ok(Report {
        masters: args.masters,
        killed: Writes::of(&killed),
        told_to_end: Writes::of(&told),
        returned,
    })
}

fn come_back(ensemble: &mut Ensemble, agents: usize, args: &Args) -> anyhow::Result<Returned> {
    let size = Size {
        agents,
        tasks: args.tasks,
    };
    // The registry knows them from now on.
    drop(Crowd::gather(ensemble.leader(), size, false)?);
    let mut times = Vec::new();
    let mut returned = Returned {
        agents,
        tasks: args.tasks,
        median_ms: 0.0,
        max_ms: 0.0,
        resident_mb: 0.0,
        peak_mb: 0.0,
    };
    for _ in 0..args.returns.max(1) {
        ensemble.follow(End::Kill, &mut Latency::new())?;
        let crowd = Crowd::gather(ensemble.leader(), size, false)?;
        times.push(crowd.took.as_secs_f64() * 1e3);
        let (resident, peak) = ensemble.memory_of_leader()?;
        returned.resident_mb = returned.resident_mb.max(resident / 1e6);
        returned.peak_mb = returned.peak_mb.max(peak / 1e6);
    }
    times.sort_by(f64::total_cmp);
    returned.median_ms = times[times.len() / 2];
    returned.max_ms = times[times.len() - 1];
    Ok(returned)
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Writes {
            rounds,
            p50_ms,
            p99_ms,
            max_ms,
        } = self;
        write!(
            f,
            "{rounds} times: p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, max {max_ms:.0} ms"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masters = self.masters;
        writeln!(f, "{masters} masters; until the next had accepted a write,")?;
        writeln!(f, "the leader killed {} (limit 2000)", self.killed)?;
        write!(f, "the leader told to end {}", self.told_to_end)?;
        if let Some(returned) = &self.returned {
            let Returned { agents, tasks, .. } = returned;
            write!(
                f,
                "\n{agents} agents with {tasks} tasks in its books: median {:.0} ms, max {:.0} ms \
                 (limit 1000); memory {:.0} MB, at most {:.0} MB (limit 300)",
                returned.median_ms, returned.max_ms, returned.resident_mb, returned.peak_mb
            )?;
        }
        Ok(())
    }
}
