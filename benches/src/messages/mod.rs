//! Message throughput: patterns between processes of one node and of two, beside plain actix
//! actors and beside a bare socket.

mod actix_peer;
mod local;
mod remote;

use crate::report::{Figure, interleave};

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Messages a pattern and round
    #[arg(long, default_value_t = 500_000)]
    pub messages: u64,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Only patterns whose name contains this
    #[arg(long, default_value = "")]
    pub pattern: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Measures what `args` say and prints it.
///
/// # Errors
/// When the figures are no JSON.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let figures = measure(args);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        crate::report::print(&figures);
    }
    Ok(())
}

/// Measures every pattern, ours and the peer's in turn.
#[must_use]
pub fn measure(size: &Args) -> Vec<Figure> {
    let n = size.messages;
    let local = [
        (
            "ping-pong, round trip",
            local::ping_pong as fn(u64) -> f64,
            actix_peer::ping_pong as _,
        ),
        (
            "local one way",
            local::one_way as _,
            actix_peer::one_way as fn(u64) -> f64,
        ),
        ("ask, one in flight", local::ask as _, actix_peer::ask as _),
        (
            "spawn, one message, stop",
            local::fork as _,
            actix_peer::fork as _,
        ),
    ];
    let mut figures = Vec::new();
    for (pattern, ours, theirs) in local
        .into_iter()
        .filter(|row| row.0.contains(&size.pattern))
    {
        let [ours_ns, peer_ns] = interleave(size.rounds, [&mut || ours(n), &mut || theirs(n)]);
        let peer = "actix 0.13, one arbiter".to_owned();
        figures.push(Figure {
            pattern: pattern.to_owned(),
            ours_ns,
            peer,
            peer_ns,
        });
    }
    let remote = [
        (
            "remote one way, 100 B",
            remote::one_way as fn(u64) -> f64,
            remote::bare_one_way as _,
        ),
        (
            "remote ask, one in flight",
            remote::ask as _,
            remote::bare_echo as fn(u64) -> f64,
        ),
    ];
    for (pattern, ours, theirs) in remote
        .into_iter()
        .filter(|row| row.0.contains(&size.pattern))
    {
        let n = if pattern.contains("ask") { n / 20 } else { n };
        let [ours_ns, peer_ns] = interleave(size.rounds, [&mut || ours(n), &mut || theirs(n)]);
        let peer = "bare tokio socket".to_owned();
        figures.push(Figure {
            pattern: pattern.to_owned(),
            ours_ns,
            peer,
            peer_ns,
        });
    }
    figures
}
