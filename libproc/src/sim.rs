//! Simulation: hosts on virtual time and a simulated network, all of it following from a seed.
//!
//! A simulation is turmoil's: hosts run software, links between them are held, cut and repaired,
//! hosts crash and bounce. A [`Node`](crate::Node) bound inside one uses its network and clock, and
//! [`env`](crate::env) its randomness, so the same seed gives the same history.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

pub use turmoil;

use crate::node::Node;
use crate::pid::Upid;

thread_local! {
    static HISTORY: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Bytes in flight on one simulated connection before its writer waits.
const TCP_CAPACITY: usize = 1024;

/// What was delivered in the simulation of this thread: how many letters, and a hash over the time,
/// sender, receiver and kind of each in order. Two runs with equal histories went alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How many letters were handled.
    pub letters: u64,
    /// What they were.
    pub hash: u64,
}

/// A simulation in which everything follows from `seed`, and which begins a new [`history`].
///
/// It ends with an error when it has run for `limit` of its own time. Messages take 1 to 10 ms.
#[must_use]
pub fn simulation<'a>(seed: u64, limit: Duration) -> turmoil::Sim<'a> {
    simulation_in_steps(seed, limit, Duration::from_millis(1))
}

/// A [`simulation`] whose network moves once every `step`: the longer, the less it costs to simulate
/// time in which little happens. Timers of a host fall due to the millisecond all the same.
#[must_use]
pub fn simulation_in_steps<'a>(seed: u64, limit: Duration, step: Duration) -> turmoil::Sim<'a> {
    crate::env::seed(seed);
    HISTORY.set((0, 0));
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        .simulation_duration(limit)
        .tick_duration(step)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10))
        .tcp_capacity(TCP_CAPACITY)
        .enable_random_order();
    builder.build()
}

/// Bytes under way in one direction of a connection in memory.
const MEMORY_CAPACITY: usize = 64 << 10;

impl Node {
    /// Connects to this node without a network: what is written there, the node reads as from a
    /// socket. For fuzzing what it does with any bytes.
    ///
    /// # Panics
    /// Outside a `LocalSet`.
    #[must_use]
    pub fn connect_in_memory(&self) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(MEMORY_CAPACITY);
        let stream = crate::net::Stream::Memory(theirs);
        tokio::task::spawn_local(crate::transport::accept(self.clone(), stream));
        ours
    }

    /// Ends the connection to the node at `peer`, if there is one, as a reset on its way would: what
    /// was sent and has not arrived is lost, and either side may connect again.
    pub fn sever(&self, peer: SocketAddr) {
        self.peer(peer).sever();
    }
}

/// What happened so far.
#[must_use]
pub fn history() -> History {
    let (letters, hash) = HISTORY.get();
    History { letters, hash }
}

pub(crate) fn record(to: &Upid, from: Option<&Upid>, index: u16) {
    let (letters, hash) = HISTORY.get();
    let mut hasher = DefaultHasher::new();
    (hash, turmoil::sim_elapsed(), to, from, index).hash(&mut hasher);
    HISTORY.set((letters + 1, hasher.finish()));
}
