//! The wordcount example as a program; it is also the program its own tasks run.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    examples::init_logging();
    examples::exit(examples::wordcount::main(examples::wordcount::Args::parse()))
}
