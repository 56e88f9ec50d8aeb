//! Simulation: hosts on virtual time and a simulated network, all of it following from a seed.
//!
//! A [`World`] has hosts, and each host a [`Node`]. A script, which is an async
//! closure, starts hosts, talks to their processes, cuts and holds links, crashes hosts, and says
//! what it expects. Hours pass in seconds, and the same seed gives the same history to the letter.
//!
//! ```
//! use libproc::prelude::*;
//! use libproc::sim;
//!
//! protocol! {
//!     /// What a counter accepts.
//!     pub protocol Counting { message Add { by: u64 } -> u64; }
//! }
//!
//! #[derive(Default)]
//! struct Counter { total: u64 }
//!
//! impl Actor for Counter { type Context = Context<Self>; }
//! impl Process for Counter { type Protocol = Counting; }
//!
//! impl Handler<Add> for Counter {
//!     type Result = u64;
//!     fn handle(&mut self, Add { by }: Add, _: &mut Context<Self>) -> u64 {
//!         self.total += by;
//!         self.total
//!     }
//! }
//!
//! sim::check(sim::seeds(3), |seed| {
//!     sim::run(seed, async |world| {
//!         let (here, there) = (world.start("here").await, world.start("there").await);
//!         let counter = there.spawn("counter", Counter::default());
//!         assert_eq!(here.ask(&counter, Add { by: 2 }).await, Ok(2));
//!         world.partition("here", "there");
//!         assert_eq!(here.ask(&counter, Add { by: 40 }).await, Err(AskError::Unreachable));
//!         world.repair("here", "there");
//!         assert_eq!(here.ask(&counter, Add { by: 40 }).await, Ok(42));
//!     });
//! });
//! ```
//!
//! # What there is
//! - [`run`] and [`Simulation`]: one run of one seed. [`check`]: many seeds, each twice, with the
//!   histories compared; [`seeds`] takes them from the environment. What fails says how to replay
//!   it.
//! - [`World`]: hosts and faults. [`Node::probe`](crate::Node::probe): a stand-in that speaks a
//!   protocol and remembers. [`Node::filter`](crate::Node::filter): awaits, drops, delays and
//!   doubles single messages, by type; these two work on real nodes as well.
//! - [`simulation`] gives turmoil's own [`Sim`](turmoil::Sim) to those who need all of it.
//!
//! # What follows from the seed
//! The latency of every packet, the order in which hosts run, and everything that takes its clock
//! and chance from [`env`](crate::env) and tokio's time. A handler that reads another clock,
//! another generator, or the order of a `HashMap` is outside of it: [`check`] finds that out. What is
//! simulated costs real time by the step: see [`Simulation::step`].

mod check;
pub mod filter;
mod history;
mod links;
mod run;
mod sift;
mod world;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

pub use turmoil;

pub use check::{check, replay, seeds};
pub use filter::{Filter, Seen, Standing, Upcoming};
pub use history::{History, history};
pub use run::{Simulation, run};
pub use world::World;

pub(crate) use filter::Filters;
pub(crate) use history::{note, note_timer};
pub(crate) use sift::{sift, sift_for_probe};

use crate::node::Node;

/// Segments in flight on one simulated connection before its writer waits.
/// Bytes under way in one direction of a connection in memory.
const MEMORY_CAPACITY: usize = 64 << 10;

const TCP_CAPACITY: usize = 1024;
/// How long a packet takes at least, and at most, unless a link is made slow.
const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
/// When simulations begin, in seconds since 1970.
const EPOCH_S: u64 = 1_700_000_000;

/// Turmoil's simulation, in which everything follows from `seed`, and which begins a new
/// [`history`].
///
/// It ends with an error when it has run for `limit` of its own time. Packets take 1 to 10 ms.
#[must_use]
pub fn simulation<'a>(seed: u64, limit: Duration) -> turmoil::Sim<'a> {
    simulation_in_steps(seed, limit, Duration::from_millis(1))
}

/// A [`simulation`] whose network moves once every `step`: the longer, the less it costs to
/// simulate time in which little happens. Timers of a host fall due to the millisecond all the same.
#[must_use]
pub fn simulation_in_steps<'a>(seed: u64, limit: Duration, step: Duration) -> turmoil::Sim<'a> {
    crate::env::seed(seed);
    history::begin();
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_S))
        .simulation_duration(limit)
        .tick_duration(step)
        .min_message_latency(LATENCY.0)
        .max_message_latency(LATENCY.1)
        .tcp_capacity(TCP_CAPACITY)
        .enable_random_order();
    builder.build()
}

impl Node {
    /// Ends the connection to the node at `peer`, if there is one, as a reset on its way would:
    /// what was sent and has not arrived is lost, and either side may connect again.
    pub fn sever(&self, peer: SocketAddr) {
        self.peer(peer).sever();
    }

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
}
