//! Messages between two OS processes, beside the least that bare sockets cost in the same run.

mod case;
mod echo;
mod floor;
mod ours;
mod serve;
mod sink;

use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};

pub use case::{CASES, Case, Kind};
pub use serve::{ServeArgs, serve};

use crate::measure::cpu::processor_time;
use crate::measure::machine::Machine;
use crate::measure::page::{Outputs, Page};
use crate::measure::progress::Progress;
use crate::measure::ratio::{Measure, Ratio};
use crate::measure::reading::{Reading, Rows};
use sink::Bare;

/// Most rounds of a run.
const ROUNDS_MAX: usize = 1000;
/// Most questions a second: what one pacing thread can be trusted with.
const RATE_MAX: u64 = 200_000;

/// What to measure, and against whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where `tepui bench serve` listens; without it, one is started on this machine
    #[arg(value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Only these cases, comma-separated: one-way-0, one-way-100, one-way-1024, one-way-many,
    /// round-trip, ask-100, paced
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub cases: Vec<String>,
    /// How many questions a second fall due in `paced`, answered or not. Their latency counts from
    /// when they were due: it is corrected for coordinated omission
    #[arg(long, value_name = "PER SECOND", default_value_t = 10_000)]
    pub rate: u64,
    /// Rounds, of which medians are taken; each measures everything once
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Of the usual counts of messages
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// How many arbiters, threads that run processes, each node has (a server that runs already
    /// has what it was given)
    #[arg(long, default_value_t = 1)]
    pub arbiters: usize,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows it as text of the command")]
    pub outputs: Outputs,
}

/// Who does what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Two libproc nodes.
    Libproc,
    /// The least that messages with such bodies cost.
    Floor,
    /// A socket that gives back what it gets.
    Echo,
}

impl By {
    /// What it is called in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            By::Libproc => "libproc",
            By::Floor => "floor",
            By::Echo => "echo",
        }
    }

    fn does(self, case: Case) -> bool {
        match self {
            By::Libproc => true,
            By::Floor => floor::has(case),
            By::Echo => echo::has(case),
        }
    }
}

/// A serving side that can be measured against.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    bare: Bare,
    /// Started for this run; ends with it.
    _child: Option<Started>,
}

/// An OS process that ends when this is dropped.
#[derive(Debug)]
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already; and what is killed is waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// The one at `address`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn at(address: &str) -> anyhow::Result<Server> {
        let mut found = address
            .to_socket_addrs()
            .with_context(|| format!("could not find {address}"))?;
        let address = found
            .next()
            .with_context(|| format!("{address} has no address"))?;
        Server::meet(address, None)
    }

    /// One of this run's own, made by `command`, to which the flags are added.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command, arbiters: usize) -> anyhow::Result<Server> {
        command
            .args(["--bind", "127.0.0.1:0", "--until-end-of-input"])
            .args(["--arbiters", &arbiters.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Started(command.spawn().context("could not start a server")?);
        let output = child.0.stdout.take().context("a server has an output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        let address = address.context("the server ended before it listened")?;
        Server::meet(address.parse()?, Some(child))
    }

    fn meet(address: SocketAddr, child: Option<Started>) -> anyhow::Result<Server> {
        let bare = ours::find_bare(address)
            .with_context(|| format!("no `tepui bench serve` answers at {address}"))?;
        Ok(Server {
            address,
            bare,
            _child: child,
        })
    }

    /// Measures `case` done `by` somebody.
    ///
    /// # Errors
    /// When the other side fails, or messages are lost.
    pub fn measure(&self, by: By, case: Case, arbiters: usize) -> io::Result<Vec<Reading>> {
        let port = |port| SocketAddr::new(self.address.ip(), port);
        let (ours, theirs) = (processor_time(), ours::used(self.address)?);
        let readings = match by {
            By::Libproc => ours::measure(case, self.address, arbiters),
            By::Floor => floor::measure(case, port(self.bare.floor)),
            By::Echo => echo::measure(case, port(self.bare.echo)),
        };
        let readings = readings?;
        let (ours, theirs) = (
            processor_time() - ours,
            ours::used(self.address)?.saturating_sub(theirs),
        );
        let each = (ours + theirs).as_nanos() as f64 / case.count as f64;
        let finish = |reading: Reading| Reading {
            cpu: Some(each),
            ..reading.by(by.name())
        };
        Ok(readings.into_iter().map(finish).collect())
    }
}

/// Measures what `args` say and shows it; `serving` is this program, so called that it serves.
///
/// # Errors
/// When `args` make no sense, the other side does not answer, or messages are lost.
pub fn run(args: &Args, serving: impl Fn() -> io::Result<Command>) -> anyhow::Result<()> {
    let cases = chosen(args)?;
    let server = match &args.address {
        Some(address) => Server::at(address)?,
        None => Server::start(serving()?, args.arbiters)?,
    };
    let machine = Machine::here();
    let mut turns = Vec::new();
    for case in cases {
        for by in [By::Libproc, By::Floor, By::Echo] {
            if by.does(case) {
                turns.push((by, case.scaled(args.scale)));
            }
        }
    }
    let progress = Progress::new(turns.len() * args.rounds);
    let mut rows = Rows::default();
    for _ in 0..args.rounds {
        for &(by, case) in &turns {
            progress.next(&format!("{} of {}", case.name, by.name()));
            let readings = server
                .measure(by, case, args.arbiters)
                .with_context(|| format!("could not measure {} of {}", case.name, by.name()))?;
            readings
                .into_iter()
                .for_each(|reading| rows.add(args.arbiters, reading));
            progress.done();
        }
    }
    drop(progress);
    let rows = rows.finish();
    let mut ratios = Vec::new();
    for other in [By::Floor, By::Echo] {
        for row in rows.iter().filter(|row| row.by == By::Libproc.name()) {
            for measure in [
                Measure::Median,
                Measure::Percentile50,
                Measure::Percentile99,
            ] {
                ratios.extend(Ratio::of(&rows, row, other.name(), measure));
            }
        }
    }
    let page = Page {
        title: "remote",
        machine,
        rows,
        ratios,
        notes: vec![
            "floor: the same bodies over a bare socket, in one task a side; echo: a bare socket \
             that gives back what it gets."
                .to_owned(),
        ],
    };
    args.outputs.show(&page)
}

/// The cases `args` name, once they are known to make sense.
fn chosen(args: &Args) -> anyhow::Result<Vec<Case>> {
    let positive = args.scale.is_finite() && args.scale > 0.0;
    ensure!(positive, "the scale must be above 0");
    ensure!(
        (1..=ROUNDS_MAX).contains(&args.rounds),
        "rounds: 1 to {ROUNDS_MAX}"
    );
    let some = (1..=serve::ARBITERS_MAX).contains(&args.arbiters);
    ensure!(some, "arbiters: 1 to {}", serve::ARBITERS_MAX);
    ensure!(
        (1..=RATE_MAX).contains(&args.rate),
        "rate: 1 to {RATE_MAX} a second"
    );
    let mut all = CASES.to_vec();
    all.push(Case::paced(args.rate));
    if args.cases.is_empty() {
        return Ok(all);
    }
    let mut cases = Vec::new();
    for name in &args.cases {
        let Some(case) = all.iter().find(|case| case.name == name) else {
            bail!("there is no case `{name}`");
        };
        cases.push(*case);
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_ends_with_everything_delivered_by_whoever_does_it() {
        let address = serve::serve_in_thread();
        let server = Server::meet(address, None).expect("it serves");
        for case in CASES.into_iter().chain([Case::paced(2000)]) {
            for by in [By::Libproc, By::Floor, By::Echo] {
                if !by.does(case) {
                    continue;
                }
                let readings = server.measure(by, case.scaled(0.01), 1);
                let readings = readings.unwrap_or_else(|error| panic!("{case:?}: {error}"));
                assert!(!readings.is_empty(), "{case:?}");
                for reading in readings {
                    assert!(reading.value > 0.0, "{case:?}");
                    assert_eq!(reading.by, by.name());
                }
            }
        }
    }
}
