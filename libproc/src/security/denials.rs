//! Connections that were denied: counted by reason, and logged, but not as often as strangers like.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Denied;
use crate::metrics::Counter;

/// Shortest time between two lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What a node remembers of connections that were denied, by it or by its peers.
#[derive(Default)]
pub(crate) struct Denials {
    counts: [Counter; Denied::ALL.len()],
    callers: Mutex<Logged>,
    peers: Mutex<Logged>,
}

#[derive(Default)]
struct Logged {
    at: Option<Instant>,
    /// What was not logged since.
    unlogged: u64,
}

impl Denials {
    /// Somebody came from `from`, said to be the node at `claimed` if anything, and was denied.
    pub(crate) fn of_caller(&self, from: SocketAddr, claimed: Option<SocketAddr>, denied: Denied) {
        if let Some(unlogged) = self.count(denied, &self.callers) {
            let claimed = claimed.map(tracing::field::display);
            tracing::warn!(%from, claimed, reason = ?denied, unlogged, "a connection was denied");
        }
    }

    /// This node dialed `peer`, and one of the two denied the other.
    pub(crate) fn of_peer(&self, peer: SocketAddr, denied: Denied) {
        if let Some(unlogged) = self.count(denied, &self.peers) {
            tracing::warn!(%peer, reason = %denied, unlogged, "no connection to a node");
        }
    }

    /// How often each reason came up.
    pub(crate) fn by_reason(&self) -> impl Iterator<Item = (Denied, u64)> {
        Denied::ALL
            .iter()
            .map(|denied| (*denied, self.counts[*denied as usize].get()))
    }

    /// Counts; gives how much was not logged, when it is time for a line.
    fn count(&self, denied: Denied, logged: &Mutex<Logged>) -> Option<u64> {
        self.counts[denied as usize].add(1);
        let mut logged = logged.lock();
        if logged.at.is_some_and(|at| at.elapsed() < LOG_EVERY) {
            logged.unlogged += 1;
            return None;
        }
        logged.at = Some(Instant::now());
        Some(std::mem::take(&mut logged.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_has_a_number_of_its_own() {
        for (number, denied) in Denied::ALL.into_iter().enumerate() {
            assert_eq!(denied as usize, number);
        }
    }
}
