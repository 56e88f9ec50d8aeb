//! `tepui bench`: how fast messages are, and where the benchmarks are.

use std::process::ExitCode;

use anyhow::Result;

use crate::output;

/// Tells how to run the benchmarks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui bench
")]
pub(crate) struct Args {}

/// Prints how.
///
/// # Errors
/// When stdout is gone.
pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    output::line(
        "The benchmarks are programs of their own, to be run from the source:\n\
         \n  cargo run --release -p benches --bin messages     # between processes and nodes\
         \n  cargo run --release -p benches --bin allocation   # who is offered what\
         \n  cargo run --release -p benches --bin tasks        # from launch to end",
    )?;
    Ok(ExitCode::SUCCESS)
}
