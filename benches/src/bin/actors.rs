//! Prints what patterns between processes of one node cost.

use std::io;
use std::process::Command;

use benches::actors::{Args, run};
use clap::Parser;

/// Measures patterns between processes of one node.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: Args,
}

fn main() -> anyhow::Result<()> {
    let itself = || io::Result::Ok(Command::new(std::env::current_exe()?));
    run(&Program::parse().args, itself)
}
