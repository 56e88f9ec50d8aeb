//! Counters of a node, for its metrics page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a node counts beside its dead letters.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) bytes_sent: Counter,
    pub(crate) bytes_received: Counter,
    /// Frames that were none: the connection was closed.
    pub(crate) bad_frames: Counter,
    /// Greetings that were refused.
    pub(crate) refused_connections: Counter,
    pub(crate) http_requests: Counter,
}
