//! Runs libproc and its peers, interleaved, and prints one table of medians and ratios.

mod building;
mod figures;
mod limits;
mod peers;
mod runs;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use benches::measure::machine::Machine;
use benches::measure::page::write_json;
use benches::measure::progress::Progress;
use clap::Parser;
use serde::Serialize;

use figures::{Figures, Key, Rounds};
use limits::Verdict;
use peers::{CASES, LIBPROC, OURS_ALONE, PATTERNS, PEERS, Peer};
use runs::Ending;

/// Measures libproc beside tokio, actix, ractor, kameo, coerce, Erlang and CAF.
///
/// Every round runs every peer once for each pattern, each in OS processes of its own. Medians are
/// taken over the rounds, and ratios of medians of the same run.
#[derive(Parser)]
struct Args {
    /// Rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these patterns and cases, comma-separated
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these peers, comma-separated
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Threads that run actors; several numbers are measured in turn
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Of the usual counts of messages
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Keep every core busy with work of the lowest priority, so that none falls asleep: as on a
    /// machine that has other things to do
    #[arg(long)]
    busy: bool,
    /// Write JSON to this file; to the standard output, in place of the tables, when it is `-`
    #[arg(long)]
    json: Option<PathBuf>,
    /// Spins: what `--busy` starts
    #[arg(long, hide = true)]
    spin: bool,
}

/// One measurement of a round.
struct Turn {
    peer: &'static Peer,
    remote: bool,
    name: &'static str,
    threads: usize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.spin {
        loop {
            std::hint::spin_loop();
        }
    }
    ensure!(
        args.scale.is_finite() && args.scale > 0.0,
        "the scale must be above 0"
    );
    ensure!(args.rounds > 0, "one round at least");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("target");
    let chosen = chosen_peers(&args)?;
    let mut missing = building::build(&chosen, here, &target);
    let present = |peer: &&&'static Peer| !missing.contains_key(peer.name);
    let present: Vec<&'static Peer> = chosen.iter().filter(present).copied().collect();

    let turns = turns(&args, &present);
    let machine = Machine::here();
    let _spinning = args.busy.then(|| spin(machine.cores)).transpose()?;
    let mut figures = Figures::default();
    let progress = Progress::new(turns.len() * args.rounds);
    for _ in 0..args.rounds {
        for turn in &turns {
            let Turn {
                peer,
                remote,
                name,
                threads,
            } = turn;
            progress.next(&format!("{} of {} on {threads}", name, peer.name));
            let measured = match remote {
                true => runs::remote(peer, &target, name, args.scale),
                false => runs::local(peer, &target, name, *threads, args.scale),
            };
            match measured {
                Ok(all) => {
                    for figure in all {
                        figures.add(*remote, *threads, peer.name, figure);
                    }
                }
                Err(error) => {
                    let reason = format!("{name} on {threads}: {error:#}");
                    missing.entry(peer.name).or_insert(reason);
                }
            }
            progress.done();
        }
    }
    drop(progress);
    show(&args, &machine, &figures, &missing)
}

fn chosen_peers(args: &Args) -> anyhow::Result<Vec<&'static Peer>> {
    for name in &args.peers {
        let known = PEERS.iter().any(|peer| peer.name == name);
        ensure!(known, "there is no peer `{name}`");
    }
    for name in &args.only {
        let known = PATTERNS.iter().chain(&CASES).any(|known| known == name);
        ensure!(known, "there is no pattern or case `{name}`");
    }
    let named =
        |peer: &&Peer| args.peers.is_empty() || args.peers.iter().any(|name| name == peer.name);
    Ok(PEERS.iter().filter(named).collect())
}

/// What one round consists of: for each pattern everybody in turn, so that all meet the same
/// machine.
fn turns(args: &Args, present: &[&'static Peer]) -> Vec<Turn> {
    let wanted = |name: &&&str| args.only.is_empty() || args.only.iter().any(|only| only == **name);
    let mut turns = Vec::new();
    for &name in PATTERNS.iter().filter(wanted) {
        for &threads in &args.threads {
            for &peer in present.iter().filter(|peer| peer.local) {
                if peer.name == LIBPROC || !OURS_ALONE.contains(&name) {
                    turns.push(Turn {
                        peer,
                        remote: false,
                        name,
                        threads,
                    });
                }
            }
        }
    }
    for &name in CASES.iter().filter(wanted) {
        for &peer in present.iter().filter(|peer| peer.count(name) > 0) {
            turns.push(Turn {
                peer,
                remote: true,
                name,
                threads: 1,
            });
        }
    }
    turns
}

/// Starts work of the lowest priority, as many as there are cores.
fn spin(cores: usize) -> anyhow::Result<Vec<Ending>> {
    let this = std::env::current_exe()?;
    let start = |_| {
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"])
            .arg(&this)
            .arg("--spin")
            .stdin(Stdio::null());
        nice.spawn().map(Ending).context("could not start `nice`")
    };
    (0..cores).map(start).collect()
}

/// What is written as JSON.
#[derive(Serialize)]
struct Written<'a> {
    machine: &'a Machine,
    rounds: usize,
    busy: bool,
    figures: Vec<One<'a>>,
    limits: &'a [Verdict],
    missing: &'a BTreeMap<&'static str, String>,
}

/// One figure of it.
#[derive(Serialize)]
struct One<'a> {
    remote: bool,
    name: &'a str,
    threads: usize,
    peer: &'a str,
    #[serde(flatten)]
    rounds: &'a Rounds,
}

impl<'a> One<'a> {
    fn of(key: &'a Key, rounds: &'a Rounds) -> One<'a> {
        let Key { name, peer, .. } = key;
        let (remote, threads) = (key.remote, key.threads);
        One {
            remote,
            name,
            threads,
            peer,
            rounds,
        }
    }
}

fn show(
    args: &Args,
    machine: &Machine,
    figures: &Figures,
    missing: &BTreeMap<&'static str, String>,
) -> anyhow::Result<()> {
    let verdicts = limits::verdicts(figures, &args.threads);
    if let Some(path) = &args.json {
        let one = |(key, rounds)| One::of(key, rounds);
        let figures = figures.iter().map(one).collect();
        let (rounds, busy, limits) = (args.rounds, args.busy, &verdicts[..]);
        write_json(
            path,
            &Written {
                machine,
                rounds,
                busy,
                figures,
                limits,
                missing,
            },
        )?;
        if path == Path::new("-") {
            return Ok(());
        }
    }
    let (rounds, busy) = (
        args.rounds,
        if args.busy { "; cores kept busy" } else { "" },
    );
    println!("{}; medians of {rounds} rounds{busy}\n", machine.line());
    print!(
        "{}",
        table::medians(
            figures,
            false,
            &names(figures, false, &PATTERNS),
            &args.threads
        )
    );
    println!();
    print!(
        "{}",
        table::medians(figures, true, &names(figures, true, &CASES), &[1])
    );
    println!();
    print!("{}", table::limits(&verdicts));
    for (peer, reason) in missing {
        println!("\n{peer} is missing: {reason}");
    }
    Ok(())
}

/// The names of all figures, in the order of `order`; a pattern may have several, that begin as it
/// does.
fn names(figures: &Figures, remote: bool, order: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (key, _) in figures.iter().filter(|(key, _)| key.remote == remote) {
        if !names.contains(&key.name) {
            names.push(key.name.clone());
        }
    }
    let place = |name: &String| {
        let exact = order.iter().position(|known| known == name);
        exact.or_else(|| order.iter().position(|known| name.starts_with(known)))
    };
    names.sort_by_key(|name| place(name).unwrap_or(order.len()));
    names
}
