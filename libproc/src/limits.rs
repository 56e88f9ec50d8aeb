//! The limits of a node that its builder sets.

use std::time::Duration;

/// How long a peer may be silent before its connection counts as broken.
const SILENCE: Duration = Duration::from_secs(15);
/// Shortest such time: below, scheduling alone would look like silence.
const SILENCE_MIN: Duration = Duration::from_millis(30);
/// Bytes that may wait for one peer: a second's worth on a fast network.
const PEER_BUFFER: usize = 16 << 20;
/// Fewest such bytes: a chunk of the outbox.
const PEER_BUFFER_MIN: usize = 64 << 10;
/// Connections of a node, HTTP included: each costs a file descriptor and some kilobytes.
const CONNECTIONS: usize = 16_384;
/// How long a thread goes on polling its sockets after it has read something: a few round trips
/// of a local network, and little beside what it costs to be woken (50 us).
const STAY_AWAKE: Duration = Duration::from_micros(50);
/// Longest such time: past it, waking up is cheap by comparison.
const STAY_AWAKE_MAX: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) silence: Duration,
    pub(crate) peer_buffer: usize,
    pub(crate) connections: usize,
    pub(crate) stay_awake: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            silence: SILENCE,
            peer_buffer: PEER_BUFFER,
            connections: CONNECTIONS,
            stay_awake: STAY_AWAKE,
        }
    }
}

impl crate::NodeBuilder {
    /// How long a peer may be silent before its connection counts as broken; 15 s unless given, 30
    /// ms at least. After a third of it a ping asks.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.limits.silence = silence.max(SILENCE_MIN);
        self
    }

    /// How many bytes may wait to be sent to one peer: the high-water mark. 16 MiB unless given, 64
    /// KiB at least.
    ///
    /// While more waits, a `tell` to the peer is a counted dead letter, an `ask` fails with
    /// [`Busy`](crate::AskError::Busy), and a large answer becomes that. Links, exits, failures and
    /// heartbeats are never refused. Up to 8 MiB more may be on the way, and wait at the peer.
    #[must_use]
    pub fn peer_buffer(mut self, bytes: usize) -> Self {
        self.limits.peer_buffer = bytes.max(PEER_BUFFER_MIN);
        self
    }

    /// How many connections the node may have, HTTP included; 16,384 unless given. While it has so
    /// many, another that comes in is closed at once, and counted.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.limits.connections = most;
        self
    }

    /// How long a thread goes on polling its sockets after it has read something, before it sleeps;
    /// 50 us unless given, 1 ms at most, zero turns it off.
    ///
    /// Being woken takes longer than an answer on a fast network: this saves most of a round trip.
    /// It is done only while it brings something, never on a machine all of whose cores are busy,
    /// and never in a simulation.
    #[must_use]
    pub fn stay_awake(mut self, time: Duration) -> Self {
        self.limits.stay_awake = time.min(STAY_AWAKE_MAX);
        self
    }
}
