//! Prints how long a task takes from offer to end, and how many run a second.

use std::path::PathBuf;

use benches::tasks::{Args, run};
use clap::Parser;

/// Measures tasks of `true` on a cluster of real processes, side by side with bare
/// fork+exec+wait. Build first: cargo build --release
#[derive(Parser)]
struct Program {
    /// The tepui to measure; the one beside this program unless given
    #[arg(long)]
    tepui: Option<PathBuf>,
    #[command(flatten)]
    args: Args,
}

fn main() -> anyhow::Result<()> {
    let program = Program::parse();
    let beside = || Ok::<_, anyhow::Error>(std::env::current_exe()?.with_file_name("tepui"));
    run(&program.tepui.map_or_else(beside, Ok)?, &program.args)
}
