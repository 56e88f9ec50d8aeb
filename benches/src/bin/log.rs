//! Prints what a replicated log does on the disk of this machine.

use benches::log::{Args, run};
use clap::Parser;

/// Measures a log of three replicas on one disk, beside bare writes and flushes of it.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    log: Args,
}

fn main() -> anyhow::Result<()> {
    run(&Program::parse().log)
}
