//! Message throughput: patterns between processes of one node and of two, beside plain actix
//! actors and beside a bare socket.

mod actix_peer;
mod local;
mod remote;

use crate::report::{Figure, interleave};

/// How much to do.
#[derive(Debug, Clone)]
pub struct Size {
    /// Only patterns whose name contains this.
    pub pattern: String,
    /// Rounds, of which the medians are taken.
    pub rounds: usize,
    /// Messages a round and pattern.
    pub messages: u64,
}

/// Measures every pattern, ours and the peer's in turn.
#[must_use]
pub fn measure(size: &Size) -> Vec<Figure> {
    let n = size.messages;
    let local = [
        ("ping-pong, round trip", local::ping_pong as fn(u64) -> f64, actix_peer::ping_pong as _),
        ("one way", local::one_way as _, actix_peer::one_way as fn(u64) -> f64),
        ("ask, one in flight", local::ask as _, actix_peer::ask as _),
        ("spawn, one message, stop", local::fork as _, actix_peer::fork as _),
    ];
    let mut figures = Vec::new();
    for (pattern, ours, theirs) in local.into_iter().filter(|row| row.0.contains(&size.pattern)) {
        let [ours_ns, peer_ns] = interleave(size.rounds, [&mut || ours(n), &mut || theirs(n)]);
        let peer = "actix 0.13, one arbiter".to_owned();
        figures.push(Figure { pattern: pattern.to_owned(), ours_ns, peer, peer_ns });
    }
    let remote = [
        ("remote one way, 100 B", remote::one_way as fn(u64) -> f64, remote::bare_one_way as _),
        ("remote ask, one in flight", remote::ask as _, remote::bare_echo as fn(u64) -> f64),
    ];
    for (pattern, ours, theirs) in remote.into_iter().filter(|row| row.0.contains(&size.pattern)) {
        let n = if pattern.contains("ask") { n / 20 } else { n };
        let [ours_ns, peer_ns] = interleave(size.rounds, [&mut || ours(n), &mut || theirs(n)]);
        let peer = "bare tokio socket".to_owned();
        figures.push(Figure { pattern: pattern.to_owned(), ours_ns, peer, peer_ns });
    }
    figures
}
