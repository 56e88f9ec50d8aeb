//! Prints how long a task takes from offer to end, and how many run a second.

use std::path::PathBuf;

use benches::tasks::{Size, measure};
use clap::Parser;

/// Measures tasks of `true` on a cluster of real processes, side by side with bare
/// fork+exec+wait. Build first: cargo build --release
#[derive(Parser)]
struct Args {
    /// The tepui to measure; the one beside this program unless given
    #[arg(long)]
    tepui: Option<PathBuf>,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Tasks a round
    #[arg(long, default_value_t = 1000)]
    tasks: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let beside = || Ok::<_, anyhow::Error>(std::env::current_exe()?.with_file_name("tepui"));
    let tepui = args.tepui.map_or_else(beside, Ok)?;
    let report = measure(&tepui, Size { rounds: args.rounds, tasks: args.tasks })?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}
