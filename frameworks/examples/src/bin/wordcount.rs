//! The wordcount example as a program; it is also the program its own tasks run.

use std::process::ExitCode;

use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    examples::init_logging();
    examples::wordcount::main(examples::wordcount::Args::parse())
}
