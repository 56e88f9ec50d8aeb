//! Prints how long rounds of the allocator take.

use benches::allocation::{Args, run};
use clap::Parser;

/// Measures rounds of the allocator, with the work of three benchmarks of Apache Mesos.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: Args,
}

fn main() {
    run(&Program::parse().args);
}
