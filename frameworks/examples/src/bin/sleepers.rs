//! The sleepers example as a program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    examples::init_logging();
    examples::exit(examples::sleepers::main(examples::sleepers::Args::parse()))
}
