//! `tepui log check`: verifies the files of a replica, or the protocol itself.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use replog::store::{Damage, Directory, Finding, Key, Survey, survey};
use serde_json::{Value as Json, json};

use crate::output;

/// Reads every byte of a replica's files, and says which record of which file is damaged.
///
/// Changes nothing. The replica must not be running. Exits with 1 when something that was
/// acknowledged is lost; the other replicas give it back when this one is started.
///
/// With --hours, it checks no files but the protocol: it simulates whole logs on networks and disks
/// that do everything wrong, and looks for anything that was promised and is not kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log check /var/lib/log
  tepui log check /var/lib/log --json
  tepui log check --hours=10
")]
pub(crate) struct Args {
    /// The directory of a replica
    #[arg(value_name = "DIRECTORY", required_unless_present = "hours")]
    directory: Option<PathBuf>,
    /// Simulate so many hours of logs instead, each another seed
    #[arg(long, value_name = "HOURS", conflicts_with = "directory", value_parser = hours)]
    hours: Option<f64>,
    /// The first seed of the simulations
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "hours")]
    seed: u64,
    /// Simulations that run at once [default: one a core]
    #[arg(long, value_name = "COUNT", requires = "hours",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks it.
///
/// # Errors
/// When there is no log, it is in use, or it cannot be read.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Some(directory) = &args.directory else {
        return simulate(args);
    };
    let shown = directory.display();
    let disk = Directory::open(directory)?;
    let survey = survey(&disk).with_context(|| format!("could not check {shown}"))?;
    match args.json {
        true => output::json(&json(&survey))?,
        false => print(&survey)?,
    }
    Ok(match survey.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A number of hours.
fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number of hours"))?;
    match hours.is_finite() && hours > 0.0 {
        true => Ok(hours),
        false => Err("give more than no hours".to_owned()),
    }
}

/// Simulates whole logs.
fn simulate(args: &Args) -> Result<ExitCode> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, usize::from);
    let report = paxos::sim::run(args.hours.unwrap_or_default(), args.seed, threads);
    match args.json {
        true => output::json(&simulated(&report))?,
        false => output::line(report.to_string().trim_end())?,
    }
    Ok(match report.violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn print(survey: &Survey) -> Result<()> {
    for finding in &survey.findings {
        output::line(&text(finding))?;
    }
    let slots = match (survey.first_slot, survey.last_slot) {
        (Some(first), Some(last)) => format!("positions {first} to {last}"),
        _ => "no entries".to_owned(),
    };
    let verdict = match survey.is_sound() {
        true => "nothing that counts is lost",
        false => "damaged: the other replicas have to repair it",
    };
    output::line(&format!(
        "replica {} of the log {:016x}: {} records in {} segments, {slots}: {verdict}",
        survey.identity.node, survey.identity.cluster, survey.records, survey.segments
    ))
}

fn text(finding: &Finding) -> String {
    match finding {
        Finding::Damaged(damage) => damage.to_string(),
        Finding::Known(damage) => format!("{damage}: later records make it good, or tell of it"),
        Finding::Torn(Damage { file, bytes, .. }) => {
            let count = bytes.end - bytes.start;
            let start = bytes.start;
            format!(
                "{file}: a write of {count} bytes at {start} was interrupted; it was never \
                     acknowledged"
            )
        }
        Finding::Head(file) => format!("{file}: the head is damaged; it is known from the others"),
        Finding::Superblock => {
            "superblock: one of its two slots is damaged; the other counts".to_owned()
        }
    }
}

fn json(survey: &Survey) -> Json {
    let findings = survey.findings.iter().map(|finding| {
        let (kind, damage) = match finding {
            Finding::Damaged(damage) => ("damaged", Some(damage)),
            Finding::Known(damage) => ("known", Some(damage)),
            Finding::Torn(damage) => ("torn", Some(damage)),
            Finding::Head(_) => ("head", None),
            Finding::Superblock => ("superblock", None),
        };
        let slot = damage.and_then(|damage| match damage.key {
            Some(Key::Slot(slot)) => Some(slot),
            Some(Key::Meta(_)) | None => None,
        });
        json!({
            "kind": kind,
            "file": damage.map(|damage| &damage.file),
            "offset": damage.map(|damage| damage.bytes.start),
            "bytes": damage.map(|damage| damage.bytes.end - damage.bytes.start),
            "position": slot,
            "text": text(finding),
        })
    });
    json!({
        "node": survey.identity.node,
        "log": format!("{:016x}", survey.identity.cluster),
        "records": survey.records,
        "segments": survey.segments,
        "first": survey.first_slot,
        "last": survey.last_slot,
        "sound": survey.is_sound(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

/// What simulations came to.
fn simulated(report: &paxos::sim::Report) -> Json {
    let violations = report.violations.iter().map(|(seed, violation, swarm)| {
        json!({"seed": seed, "violation": violation, "options": format!("{swarm:?}")})
    });
    json!({
        "hours": report.hours(),
        "runs": report.runs,
        "counts": report.counts,
        "violations": violations.collect::<Vec<_>>(),
    })
}
