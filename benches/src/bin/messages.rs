//! Prints the message throughput of this machine.

use benches::messages::{Size, measure};
use clap::Parser;

/// Measures message throughput, side by side with plain actix and bare sockets.
#[derive(Parser)]
struct Args {
    /// Messages a pattern and round
    #[arg(long, default_value_t = 500_000)]
    messages: u64,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only patterns whose name contains this
    #[arg(long, default_value = "")]
    pattern: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let Args { messages, rounds, pattern, .. } = args;
    let figures = measure(&Size { pattern, rounds, messages });
    if args.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        benches::report::print(&figures);
    }
    Ok(())
}
