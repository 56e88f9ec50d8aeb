//! Prints the message throughput of this machine.

use benches::messages::{Args, run};
use clap::Parser;

/// Measures message throughput, side by side with plain actix and bare sockets.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: Args,
}

fn main() -> anyhow::Result<()> {
    run(&Program::parse().args)
}
