//! `tepui bench`: what this machine does, side by side with its limits.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use benches::api::{calls, schedulers, state};
use benches::{actors, allocation, jobs, masters, remote, tasks};

/// Measures actors, messages between nodes, tasks, allocation or the API on this machine.
///
/// Figures are medians of interleaved rounds, and are to be read as ratios: machines are noisy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui bench actors
  tepui bench actors --patterns=ring,ask-1 --arbiters=1,2,4 --rounds=9
  tepui bench remote
  tepui bench tasks --rounds=3
  tepui bench allocation
")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Patterns between processes of one node: ping-pong, one-way, ring, ask, memory and others
    #[command(after_help = "\
Examples:
  tepui bench actors
  tepui bench actors --list
  tepui bench actors --patterns=ring,ask-1 --arbiters=1,2,4 --rounds=9
  tepui bench actors --patterns=ask-paced --json=asks.json --plot=asks.svg
  tepui bench actors --once --patterns=ring --arbiters=1     # for a profiler
")]
    Actors(actors::Args),
    /// Messages between two nodes, beside the least that bare sockets cost in the same run
    #[command(after_help = "\
Examples:
  tepui bench serve --bind=10.0.0.7:5060     # there
  tepui bench remote 10.0.0.7:5060           # here
  tepui bench remote                         # both on this machine
  tepui bench remote --cases=paced --rate=20000 --plot=latency.svg
  tepui bench remote --cases=round-trip,ask-100 --json=-
")]
    Remote(remote::Args),
    /// Answers `tepui bench remote` on another machine, until Ctrl-C
    #[command(after_help = "\
Examples:
  tepui bench serve --bind=10.0.0.7:5060
")]
    Serve(remote::ServeArgs),
    /// Tasks of `true` on a cluster of this program, beside bare fork, exec and wait
    #[command(after_help = "\
Examples:
  tepui bench tasks --rounds=3 --json
")]
    Tasks(tasks::Args),
    /// Jobs of `true` through a queue and three agents, beside bare fork, exec and wait; and what a
    /// queue costs by how much waits in it
    #[command(after_help = "\
Examples:
  tepui bench jobs
  tepui bench jobs --queue-only
")]
    Jobs(jobs::Args),
    /// Rounds of the allocator, with the work of three benchmarks of Apache Mesos
    #[command(after_help = "\
Examples:
  tepui bench allocation
")]
    Allocation(allocation::Args),
    /// The pages of a master with many agents and tasks: how fast they come, and whom that holds up
    #[command(after_help = "\
Examples:
  tepui bench state
  tepui bench state --agents=10000 --tasks=100000 --json
")]
    State(state::Args),
    /// Calls of schedulers over HTTP, beside hyper answering the same with nothing
    #[command(after_help = "\
Examples:
  tepui bench calls --connections=1 --in-flight=1
")]
    Calls(calls::Args),
    /// Masters of which the one that leads is killed: how soon another accepts a write; and how soon
    /// many agents with their tasks are in the books of a new one, and what memory that takes
    #[command(after_help = "\
Examples:
  tepui bench failover
  tepui bench failover --rounds=200 --agents=0 --json
")]
    Failover(masters::Args),
    /// Schedulers connected over HTTP: memory of each, and the time to the first offers
    #[command(after_help = "\
Examples:
  tepui bench schedulers --schedulers=10000
")]
    Schedulers(schedulers::Args),
}

/// Measures and prints.
///
/// # Errors
/// When a benchmark cannot run.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::Actors(args) => actors::run(args, || itself("actors"))?,
        What::Remote(args) => remote::run(args, || itself("serve"))?,
        What::Serve(args) => remote::serve(args)?,
        What::Tasks(args) => tasks::run(&program()?, args)?,
        What::Jobs(args) => jobs::run(&program()?, args)?,
        What::State(args) => state::run(&program()?, args)?,
        What::Calls(args) => calls::run(&program()?, args)?,
        What::Failover(args) => masters::run(&program()?, args)?,
        What::Schedulers(args) => schedulers::run(&program()?, args)?,
        What::Allocation(args) => allocation::run(args),
    }
    Ok(ExitCode::SUCCESS)
}

/// Where this program is.
fn program() -> Result<PathBuf> {
    env::current_exe().context("could not find this program")
}

/// This program, called as `tepui bench` and `what`.
fn itself(what: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["bench", what]);
    Ok(command)
}
