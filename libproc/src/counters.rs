//! What a node counts as it goes, for its metrics.

use crate::metrics::{Counter, Timer};

/// What a node counts beside its dead letters.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) bytes_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) frames_received: Counter,
    /// Frames that were none: the connection was closed.
    pub(crate) bad_frames: Counter,
    /// Connections that were refused for what they said, or who they are.
    pub(crate) refused_connections: Counter,
    /// Connections that had not shown who they are in time, or when others needed their place.
    pub(crate) evicted_connections: Counter,
    pub(crate) http_requests: Counter,
    /// By class: 1xx to 5xx.
    pub(crate) http_responses: [Counter; 5],
    /// From a request to the head of its response.
    pub(crate) http_latency: Timer,
    /// Of these, requests of clients that did not show that they may make them.
    pub(crate) denied_requests: Counter,
}
