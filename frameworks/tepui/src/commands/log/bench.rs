//! `tepui log bench`: what a log does on this machine's disk.

use std::process::ExitCode;

use anyhow::Result;
use benches::log;

/// Measures a log of three replicas on one disk of this machine, beside bare writes and flushes.
///
/// Figures are to be read as ratios of one run: machines and disks are noisy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log bench
  tepui log bench --parts=appends --seconds=10 --dir=/var/lib/bench
  tepui log bench --parts=restart,catch-up,failover --json
")]
pub(crate) struct Args {
    #[command(flatten)]
    args: log::Args,
}

/// Measures and prints.
///
/// # Errors
/// When a benchmark cannot run.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    log::run(&args.args)?;
    Ok(ExitCode::SUCCESS)
}
