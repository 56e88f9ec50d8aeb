//! Whose a store is, and how large its files are.

use super::segment;

/// The replica that a store belongs to: written into every file, so that none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The log, of all there are.
    pub cluster: u64,
    /// The replica, of those of the log.
    pub node: u64,
}

/// How a store is to be.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Bytes of a segment, 16 MiB unless given: what truncation gives back at once, and what is
    /// filled with zeros at once (a few tens of milliseconds). A record must fit into one. Counts
    /// only when a store is made.
    pub segment_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            segment_bytes: segment::BYTES,
        }
    }
}
