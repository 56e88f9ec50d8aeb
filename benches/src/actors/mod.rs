//! Patterns between processes of one node: what actors of every system are measured with.

mod ask;
mod big;
mod burn;
mod client_server;
mod dispatch_defer;
mod fork_join;
mod many_links;
mod memory;
mod million;
mod one_way;
mod ping_pong;
mod ring;
mod stage;
mod timers;

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

pub use stage::Load;

use crate::measure::machine::Machine;
use crate::measure::page::{Outputs, Page};
use crate::measure::progress::Progress;
use crate::measure::reading::{Reading, Rows};

/// Most arbiters a node is measured on.
const ARBITERS_MAX: usize = 1024;
/// Most rounds of a run.
const ROUNDS_MAX: usize = 1000;

/// A pattern: what is done, and how.
pub struct Pattern {
    /// What it is called on the command line and in tables.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// Plays it once; its readings.
    pub run: fn(Load) -> io::Result<Vec<Reading>>,
}

/// Every pattern, in the order of tables.
pub const PATTERNS: &[Pattern] = &[
    Pattern {
        name: "ping-pong",
        about: "two processes, one ball: 200,000 round trips",
        run: ping_pong::run,
    },
    Pattern {
        name: "one-way",
        about: "2,000,000 messages from one to another, in bursts of 1000",
        run: one_way::one_way,
    },
    Pattern {
        name: "fan-in",
        about: "500,000 messages from each of four to one",
        run: one_way::fan_in,
    },
    Pattern {
        name: "ring",
        about: "a token round 1000 processes: 1,000,000 hops",
        run: ring::run,
    },
    Pattern {
        name: "fork-join",
        about: "100,000 processes spawned; each gets a message and stops",
        run: fork_join::run,
    },
    Pattern {
        name: "big",
        about: "100 processes, each pings others at random 5000 times",
        run: big::run,
    },
    Pattern {
        name: "ask-1",
        about: "a process asks another 200,000 times, one in flight",
        run: ask::one,
    },
    Pattern {
        name: "ask-100",
        about: "a process asks another 500,000 times, 100 in flight",
        run: ask::many,
    },
    Pattern {
        name: "ask-1-task",
        about: "as ask-1, awaited by a task that is no process",
        run: ask::one_from_task,
    },
    Pattern {
        name: "ask-100-task",
        about: "as ask-100, awaited by 100 tasks that are no processes",
        run: ask::many_from_tasks,
    },
    Pattern {
        name: "ask-paced",
        about: "20,000 asks fall due each second, answered or not, for two seconds",
        run: ask::paced,
    },
    Pattern {
        name: "burn",
        about: "64 processes, 1000 messages of 4.5 us each",
        run: burn::run,
    },
    Pattern {
        name: "memory",
        about: "100,000 idle processes",
        run: memory::anonymous,
    },
    Pattern {
        name: "memory-named",
        about: "100,000 processes with names, after a letter each",
        run: memory::named,
    },
    Pattern {
        name: "memory-linked",
        about: "the same, each linked to another",
        run: memory::linked,
    },
    Pattern {
        name: "memory-named-peak",
        about: "as memory-named, all 100,000 letters waiting at once first",
        run: memory::named_all_at_once,
    },
    Pattern {
        name: "memory-linked-peak",
        about: "as memory-linked, all 100,000 letters waiting at once first",
        run: memory::linked_all_at_once,
    },
    Pattern {
        name: "timers",
        about: "as ask-1, with 100,000 pending timers in both, and with time-outs",
        run: timers::run,
    },
    Pattern {
        name: "million",
        about: "1,000,000 processes at once: spawned, greeted, stopped",
        run: million::run,
    },
    Pattern {
        name: "client-server",
        about: "libprocess's ClientServer: 8 clients, 10,000 requests each, 250 in flight",
        run: client_server::run,
    },
    Pattern {
        name: "throughput",
        about: "libprocess's ThroughputPerformance: a pair for each arbiter, 1000 pings in flight",
        run: client_server::throughput,
    },
    Pattern {
        name: "dispatch-defer",
        about: "libprocess's DispatchDefer: 100,000 rounds of asking oneself, with 40 KiB",
        run: dispatch_defer::run,
    },
    Pattern {
        name: "many-links",
        about: "libprocess's LargeNumberOfLinks: 10,000 processes come and go among 5000 links",
        run: many_links::run,
    },
];

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only these patterns, comma-separated (see `--list`)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub patterns: Vec<String>,
    /// How many arbiters, threads that run processes, the node has; several numbers are measured
    /// in turn
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,2",
        value_name = "NUMBERS"
    )]
    pub arbiters: Vec<usize>,
    /// Rounds, of which medians are taken; each plays every pattern once
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Of the usual counts of messages and processes
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Say what the patterns are, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// Play once in this OS process and print `libproc PATTERN ARBITERS VALUE CPU` lines, in
    /// nanoseconds or bytes: for profilers, and for scripts
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows it as text of the command")]
    pub outputs: Outputs,
}

/// Measures what `args` say and shows it. Every pattern is played in an OS process of its own,
/// started by `itself`: this program, so called that it comes back here.
///
/// # Errors
/// When `args` name no pattern, or one does not end well.
pub fn run(args: &Args, itself: impl Fn() -> io::Result<Command>) -> anyhow::Result<()> {
    if args.list {
        for pattern in PATTERNS {
            println!("{:<16} {}", pattern.name, pattern.about);
        }
        return Ok(());
    }
    let patterns = chosen(args)?;
    if args.once {
        return once(args, &patterns);
    }
    let machine = Machine::here();
    let progress = Progress::new(patterns.len() * args.arbiters.len() * args.rounds);
    let mut rows = Rows::default();
    for _ in 0..args.rounds {
        for pattern in &patterns {
            for &arbiters in &args.arbiters {
                progress.next(&format!("{} on {arbiters}", pattern.name));
                let scale = args.scale;
                let readings = alone(itself()?, pattern, Load { arbiters, scale })?;
                readings
                    .into_iter()
                    .for_each(|reading| rows.add(arbiters, reading));
                progress.done();
            }
        }
    }
    drop(progress);
    let page = Page {
        title: "actors",
        machine,
        rows: rows.finish(),
        ratios: Vec::new(),
        notes: vec![
            "arb: arbiters; cpu: processor time of all threads, which other jobs disturb less. \
             Percentiles are of runs of their own, in which single operations are \
             timed, which costs tens of nanoseconds each. Those of ask-paced count from when an \
             ask was due (corrected for coordinated omission), those of ask-paced-sent from when \
             it was sent."
                .to_owned(),
        ],
    };
    args.outputs.show(&page)
}

/// The patterns `args` name, once they are known to make sense.
fn chosen(args: &Args) -> anyhow::Result<Vec<&'static Pattern>> {
    let positive = args.scale.is_finite() && args.scale > 0.0;
    ensure!(positive, "the scale must be above 0");
    ensure!(
        (1..=ROUNDS_MAX).contains(&args.rounds),
        "rounds: 1 to {ROUNDS_MAX}"
    );
    for arbiters in &args.arbiters {
        ensure!(
            (1..=ARBITERS_MAX).contains(arbiters),
            "arbiters: 1 to {ARBITERS_MAX}"
        );
    }
    if args.patterns.is_empty() {
        return Ok(PATTERNS.iter().collect());
    }
    let find = |name: &String| {
        let found = PATTERNS.iter().find(|pattern| pattern.name == name);
        found.with_context(|| format!("there is no pattern `{name}`: see --list"))
    };
    args.patterns.iter().map(find).collect()
}

/// Plays `patterns` in this OS process.
fn once(args: &Args, patterns: &[&Pattern]) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for pattern in patterns {
        for &arbiters in &args.arbiters {
            let scale = args.scale;
            let readings = (pattern.run)(Load { arbiters, scale });
            let readings = readings.with_context(|| format!("could not play {}", pattern.name))?;
            if args.outputs.json.is_none() {
                for Reading {
                    name, value, cpu, ..
                } in &readings
                {
                    let cpu = cpu.map(|cpu| format!(" {cpu:.2}")).unwrap_or_default();
                    println!("libproc {name} {arbiters} {value:.2}{cpu}");
                }
            }
            all.extend(readings);
        }
    }
    match &args.outputs.json {
        Some(path) => crate::measure::page::write_json(path, &all),
        None => Ok(()),
    }
}

/// Plays `pattern` in an OS process of its own, so that each finds a fresh heap.
fn alone(itself: Command, pattern: &Pattern, load: Load) -> anyhow::Result<Vec<Reading>> {
    let mut command = itself;
    command
        .args(["--once", "--json", "-", "--patterns", pattern.name])
        .args(["--arbiters", &load.arbiters.to_string()])
        .args(["--scale", &load.scale.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .context("could not start this program again")?;
    if !output.status.success() {
        bail!(
            "{} on {} arbiters ended with {}",
            pattern.name,
            load.arbiters,
            output.status
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_plays_to_its_end_on_one_arbiter_and_on_two() {
        for pattern in PATTERNS {
            for arbiters in [1, 2] {
                let scale = 0.002;
                let readings = (pattern.run)(Load { arbiters, scale });
                let readings = readings.unwrap_or_else(|error| panic!("{}: {error}", pattern.name));
                assert!(!readings.is_empty(), "{}", pattern.name);
                for reading in readings {
                    assert!(reading.value.is_finite(), "{}", reading.name);
                }
            }
        }
    }

    #[test]
    fn patterns_have_names_of_their_own() {
        let mut names: Vec<_> = PATTERNS.iter().map(|pattern| pattern.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PATTERNS.len());
    }
}
