//! A log of three replicas on one disk: appends beside bare writes and flushes of that disk, how
//! long a restart takes, how fast an empty replica catches up, how soon another leads, and what a
//! state does with it all.
//!
//! Each replica is a node on a thread of its own, and they talk over loopback. Appends come from a
//! client beside the leader, as a master beside its log. The disk is measured in the same run,
//! by turns: ratios count.

mod appends;
mod catch_up;
mod failover;
mod floor;
mod replicas;
mod restart;
mod variables;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use crate::measure::latency::{Latency, QUANTILES};
use crate::measure::machine::Machine;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to measure
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "appends,restart,catch-up,failover,variables"
    )]
    pub parts: Vec<Part>,
    /// Where files are made, on the disk to be measured; removed in the end [default: a temporary
    /// directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Seconds of each pattern of appends, and of each measurement of the disk
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Bytes of an entry, several patterns of appends
    #[arg(long, value_delimiter = ',', default_value = "128,1024,65536")]
    pub sizes: Vec<usize>,
    /// Appends under way at once, several patterns of appends
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    pub outstanding: Vec<usize>,
    /// Records of the log that is restarted
    #[arg(long, default_value_t = 1_000_000)]
    pub records: u64,
    /// MiB that an empty replica catches up with
    #[arg(long, default_value_t = 512)]
    pub mib: u64,
    /// MiB of variables that are all in the state
    #[arg(long, default_value_t = 100)]
    pub set_mib: u64,
    /// How often the leader is killed
    #[arg(long, default_value_t = 30)]
    pub rounds: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Appends acknowledged by three replicas, beside the bare disk
    Appends,
    /// A replica that starts with many records
    Restart,
    /// A replica that starts with none, beside two that have many
    CatchUp,
    /// The leader is killed, until another accepts an append
    Failover,
    /// Variables of a state that is kept in the log
    Variables,
}

/// Measures what `args` say, and prints it.
///
/// # Errors
/// When files cannot be made, or a log does not do what it should.
pub fn run(args: &Args) -> Result<()> {
    let name = format!("tepui-log-bench-{}", std::process::id());
    let place = args
        .dir
        .clone()
        .unwrap_or_else(std::env::temp_dir)
        .join(name);
    fs::create_dir_all(&place).with_context(|| format!("could not make {}", place.display()))?;
    let outcome = measure(args, &place);
    let removed = fs::remove_dir_all(&place);
    let report = outcome?;
    removed.with_context(|| format!("could not remove {}", place.display()))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(())
}

fn measure(args: &Args, place: &std::path::Path) -> Result<Json> {
    let mut report = Map::new();
    report.insert("machine".to_owned(), serde_json::to_value(Machine::here())?);
    for part in &args.parts {
        let (name, figures) = match part {
            Part::Appends => ("appends", appends::measure(args, place)?),
            Part::Restart => ("restart", restart::measure(args, place)?),
            Part::CatchUp => ("catch_up", catch_up::measure(args, place)?),
            Part::Failover => ("failover", failover::measure(args, place)?),
            Part::Variables => ("variables", variables::measure(args, place)?),
        };
        report.insert(name.to_owned(), figures);
    }
    Ok(Json::Object(report))
}

/// A line for people, unless JSON is wanted.
fn say(args: &Args, line: &str) {
    if !args.json {
        println!("{line}");
    }
}

/// Quantiles in microseconds.
fn quantiles(latency: &Latency) -> Json {
    let micros = |quantile| (latency.at(quantile) / 1000).into();
    let quantiles = QUANTILES.map(|(name, quantile)| (format!("{name}_us"), micros(quantile)));
    Json::Object(quantiles.into_iter().collect())
}

/// The same for people.
fn quantiles_text(latency: &Latency) -> String {
    let quantile = |(name, quantile): (&str, f64)| {
        format!("{name} {:.3} ms", latency.at(quantile) as f64 / 1e6)
    };
    QUANTILES.map(quantile).join(", ")
}

/// How a rate and its latencies are written.
fn rated(per_second: f64, latency: &Latency) -> Json {
    json!({"per_second": per_second, "latency": quantiles(latency)})
}
