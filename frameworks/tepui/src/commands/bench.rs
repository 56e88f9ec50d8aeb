//! `tepui bench`: what this machine does, side by side with its limits and with peers.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use benches::{allocation, messages, tasks};

/// Measures messages, tasks or allocation on this machine, side by side with peers and limits.
///
/// Figures are medians of interleaved rounds, and are to be read as ratios: machines are noisy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui bench messages
  tepui bench messages --pattern ask --json
  tepui bench tasks --rounds=3
  tepui bench allocation
")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Messages between processes of one node and of two, beside plain actix and bare sockets
    Messages(messages::Args),
    /// Tasks of `true` on a cluster of this program, beside bare fork, exec and wait
    Tasks(tasks::Args),
    /// Rounds of the allocator, with the work of three benchmarks of Apache Mesos
    Allocation(allocation::Args),
}

/// Measures and prints.
///
/// # Errors
/// When a benchmark cannot run.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::Messages(args) => messages::run(args)?,
        What::Tasks(args) => {
            let program = env::current_exe().context("could not find this program")?;
            tasks::run(&program, args)?;
        }
        What::Allocation(args) => allocation::run(args),
    }
    Ok(ExitCode::SUCCESS)
}
