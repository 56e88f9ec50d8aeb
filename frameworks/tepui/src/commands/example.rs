//! `tepui example`: frameworks to learn from.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Runs one of the example frameworks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui example sleepers --tasks=100 --seconds=1
  tepui example wordcount
")]
pub(crate) struct Args {
    #[command(subcommand)]
    example: Example,
}

#[derive(Debug, Subcommand)]
enum Example {
    /// Sleeps many times at once
    Sleepers,
}

/// Runs it.
///
/// # Errors
/// When there is no master, or the example fails.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.example {
        Example::Sleepers => Ok(ExitCode::SUCCESS),
    }
}
