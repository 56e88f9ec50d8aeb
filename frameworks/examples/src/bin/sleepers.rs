//! The sleepers example as a program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    examples::init_logging();
    examples::sleepers::main(examples::sleepers::Args::parse())
}
