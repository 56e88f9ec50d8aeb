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
    /// Connections that were refused for what they said, or who they are.
    pub(crate) refused_connections: Counter,
    /// Connections that had not shown who they are in time, or when others needed their place.
    pub(crate) evicted_connections: Counter,
    pub(crate) http_requests: Counter,
    /// Of these, requests of clients that did not show that they may make them.
    pub(crate) denied_requests: Counter,
}
