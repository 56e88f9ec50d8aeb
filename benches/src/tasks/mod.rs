//! Tasks of `true` on a cluster of real processes, beside what the machine can do bare.
//!
//! A cluster of one agent stands while every measure is taken in turn, several rounds over, so
//! that all of them meet the same machine.

pub(crate) mod bare;
pub(crate) mod cluster;
mod storm;

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::measure::reading::median;
use cluster::Cluster;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Tasks a round
    #[arg(long, default_value_t = 1000)]
    pub tasks: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When the cluster does not start, or a task does not end as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    let report = measure(tepui, args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

/// What was measured: medians over the rounds, times in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Bare fork+exec+wait of `true`, one after the other.
    pub bare_ms: f64,
    /// As many a second, one after the other.
    pub bare_per_second: f64,
    /// As many a second, two at a time.
    pub bare_two_per_second: f64,
    /// `tepui run true` on the standing cluster, from start to exit, by percentile.
    pub run_p50_ms: f64,
    /// See `run_p50_ms`.
    pub run_p99_ms: f64,
    /// What `tepui run true` may take: three times bare and ten milliseconds.
    pub run_limit_ms: f64,
    /// From sending an accept to hearing `TASK_RUNNING`, one task at a time.
    pub accept_to_running_p50_ms: f64,
    /// See `accept_to_running_p50_ms`.
    pub accept_to_running_p99_ms: f64,
    /// Tasks a second through the one agent, many in flight.
    pub tasks_per_second: f64,
    /// Of the bare rate, one after the other.
    pub share_of_bare: f64,
    /// Of the bare rate, two at a time.
    pub share_of_bare_two: f64,
    /// Resident memory of the idle master, before any task.
    pub master_idle_mib: f64,
    /// Resident memory of the idle agent, before any task.
    pub agent_idle_mib: f64,
}

/// Measures everything with `tepui`.
///
/// # Errors
/// When the cluster does not start, or a task does not end as it should.
pub fn measure(tepui: &Path, size: &Args) -> anyhow::Result<Report> {
    ensure!(
        tepui.exists(),
        "no {}: build it with cargo build --release",
        tepui.display()
    );
    let cluster = Cluster::start(tepui)?;
    let (master_idle_mib, agent_idle_mib) = cluster.resident_mib()?;
    let mut run = Histogram::<u64>::new(3)?;
    let mut running = Histogram::<u64>::new(3)?;
    let (mut bare, mut two, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..size.rounds.max(1) {
        eprintln!("round {} of {}", round + 1, size.rounds.max(1));
        bare.push(bare::one_after_the_other(size.tasks)?);
        for _ in 0..20 {
            run.record(micros(run_true(tepui, cluster.master())?))?;
        }
        for latency in storm::one_by_one(cluster.master(), 50)? {
            running.record(micros(latency))?;
        }
        rates.push(storm::tasks_per_second(cluster.master(), size.tasks)?);
        two.push(bare::two_at_a_time(size.tasks)?);
    }
    let (bare_per_second, bare_two_per_second) = (median(bare), median(two));
    let tasks_per_second = median(rates);
    let bare_ms = 1e3 / bare_per_second;
    let ms = |histogram: &Histogram<u64>, q| histogram.value_at_quantile(q) as f64 / 1e3;
    Ok(Report {
        bare_ms,
        bare_per_second,
        bare_two_per_second,
        run_p50_ms: ms(&run, 0.5),
        run_p99_ms: ms(&run, 0.99),
        run_limit_ms: 3.0 * bare_ms + 10.0,
        accept_to_running_p50_ms: ms(&running, 0.5),
        accept_to_running_p99_ms: ms(&running, 0.99),
        tasks_per_second,
        share_of_bare: tasks_per_second / bare_per_second,
        share_of_bare_two: tasks_per_second / bare_two_per_second,
        master_idle_mib,
        agent_idle_mib,
    })
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}

/// How long `tepui run true` takes.
fn run_true(tepui: &Path, master: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut command = Command::new(tepui);
    command
        .args(["run", "--master", master, "true"])
        .stdin(Stdio::null());
    let status = command.status().context("could not run tepui")?;
    ensure!(status.success(), "tepui run true {status}");
    Ok(began.elapsed())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, value: String, beside: String| {
            writeln!(f, "{what:<36} {value:>12}   {beside}")
        };
        let bare = format!("{:.2} ms", self.bare_ms);
        line(
            "bare fork+exec+wait of true",
            bare,
            format!("{:.0}/s", self.bare_per_second),
        )?;
        let two = format!("{:.0}/s", self.bare_two_per_second);
        line("the same, two at a time", two, String::new())?;
        let run = format!("{:.1} ms", self.run_p50_ms);
        let limit = format!(
            "p99 {:.1} ms; limit {:.1} ms",
            self.run_p99_ms, self.run_limit_ms
        );
        line("tepui run true, p50", run, format!("{limit}; Mesos 660 ms"))?;
        let running = format!("{:.1} ms", self.accept_to_running_p50_ms);
        let p99 = format!("p99 {:.1} ms", self.accept_to_running_p99_ms);
        line("accept to TASK_RUNNING, p50", running, p99)?;
        let rate = format!("{:.0}/s", self.tasks_per_second);
        let shares = (100.0 * self.share_of_bare, 100.0 * self.share_of_bare_two);
        let beside = format!(
            "{:.0} % of bare, {:.0} % of two at a time",
            shares.0, shares.1
        );
        line(
            "tasks of true through one agent",
            rate,
            format!("{beside}; Mesos 5 to 12/s"),
        )?;
        let master = format!("{:.1} MiB", self.master_idle_mib);
        line("idle master, resident", master, "limit 25 MB".to_owned())?;
        let agent = format!("{:.1} MiB", self.agent_idle_mib);
        line(
            "idle agent, resident",
            agent,
            "limit 25 MB, its zygote included".to_owned(),
        )
    }
}
