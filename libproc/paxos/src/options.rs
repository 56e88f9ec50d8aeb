//! Times and limits of a replica, with the defaults and their reasons.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// Times and limits. All replicas of a log should have the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Options {
    /// How often a leader says that it is there.
    pub heartbeat_ms: Millis,
    /// How long a follower waits for a sign of its leader before it thinks of leading. A leader
    /// that has not heard from a quorum for three quarters of this steps down. Several heartbeats,
    /// so that a lost one does no harm.
    pub election_ms: Millis,
    /// Up to this much is added at random, so that not all followers stand at once.
    pub jitter_ms: Millis,
    /// An entry not accepted for this long is sent again; a question not answered is asked again.
    pub resend_ms: Millis,
    /// Entries proposed and not yet chosen, at most.
    pub window: u64,
    /// Bytes of these, at most; one entry is always let through.
    pub window_bytes: usize,
    /// Requests that wait for room in the window, at most. Past it they are refused as busy.
    pub queue: usize,
    /// The longest data of one append, in bytes.
    pub append_bytes: usize,
    /// How far past its own commit a replica accepts. Bounds what it must tell a candidate.
    pub ahead: u64,
    /// Bytes of what it accepts past its own commit, at most; the next entry is always accepted.
    pub ahead_bytes: usize,
    /// Chosen entries kept in memory, for followers that lag a little.
    pub keep: u64,
    /// Bytes of these, at most.
    pub keep_bytes: usize,
    /// Entries in one answer to a replica that catches up, at most.
    pub fetch: u64,
    /// Bytes of these, at most; one entry always goes.
    pub fetch_bytes: usize,
    /// A change of the members that its new members have not caught up for after this long is given up.
    pub change_ms: Millis,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat_ms: Millis(100),
            election_ms: Millis(500),
            jitter_ms: Millis(300),
            resend_ms: Millis(200),
            window: 64,
            window_bytes: 4 << 20,
            queue: 65_536,
            append_bytes: 4 << 20,
            ahead: 256,
            ahead_bytes: 8 << 20,
            keep: 1_024,
            keep_bytes: 8 << 20,
            fetch: 4_096,
            fetch_bytes: 4 << 20,
            change_ms: Millis(5_000),
        }
    }
}

/// Members of a configuration, at most: votes are bits of a word.
pub const MEMBERS_MAX: usize = 31;

/// Learners a leader speaks to, at most.
pub(crate) const LEARNERS_MAX: usize = 16;

/// Questions for a read position that wait at one replica, at most.
pub(crate) const READS_MAX: usize = 65_536;
