//! Addressable processes: actors with an address, the same on this node and on another.
//!
//! A process is an actix actor that runs on our engine: it has an id on its node, and speaks a
//! protocol; `id@ip:port` is its address, a plain value. Telling, asking and linking look alike
//! whether the other process is here or across the network.
//!
//! ```
//! use libproc::prelude::*;
//!
//! protocol! {
//!     /// What a counter accepts.
//!     pub protocol Counting {
//!         /// Adds `by`; the reply is the new total.
//!         message Add { by: u64 } -> u64;
//!     }
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
//! fn main() -> std::io::Result<()> {
//!     libproc::run(async {
//!         let here = Node::bind("127.0.0.1:0").await?;
//!         let there = Node::bind("127.0.0.1:0").await?;
//!         let counter = here.spawn("counter", Counter::default());
//!         here.tell(&counter, Add { by: 2 });
//!         let known: Pid<Counting> = counter.to_string().parse().expect("an address is a value");
//!         assert_eq!(there.ask(&known, Add { by: 40 }).await, Ok(42));
//!         here.shutdown().await;
//!         there.shutdown().await;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Who may talk to a node
//! Anybody who reaches its port, unless it is built with [`NodeBuilder::security`]: nodes then prove
//! to each other that they share a secret, or speak TLS with certificates on both sides.
//!
//! # Where to go on
//! - The [`guide`]: from a first process to many nodes, with [what is promised](guide::semantics)
//!   said once, and a page for those who come [from elsewhere](guide::coming_from).
//! - The `examples` of this crate: small programs, some of them of several OS processes.
//! - [`protocol!`], [`Process`], [`Context`], [`Node`]: most of what there is.
//!
//! # Features
//! `sim`: virtual time, a simulated network, seeds that replay, and filters for single messages; for
//! tests of what is built on this crate. Without it nothing of that is compiled.

#[allow(
    unused_extern_crates,
    reason = "`protocol!` names this crate, also inside it"
)]
extern crate self as libproc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod adapter;
mod ask;
mod bind;
mod blob;
mod blocking;
mod body;
mod cluster;
mod context;
mod counters;
mod dead;
pub mod env;
mod groups;
pub mod guide;
pub mod http;
mod lane;
mod letter;
mod limits;
mod link;
mod lookup;
mod members;
pub mod metrics;
mod net;
mod node;
mod overflow;
mod pid;
mod placement;
mod probe;
mod process;
mod protocol;
mod reply;
pub mod security;
#[cfg(feature = "sim")]
pub mod sim;
mod spawn_on;
mod supervisor;
mod system;
mod table;
mod tie;
mod timer;
pub mod trace;
mod transport;
mod waiting;
mod work;
mod worker;

use std::future::Future;

pub use adapter::Bridge;
pub use ask::{AskError, Asked, Deferred};
pub use bind::NodeBuilder;
pub use blob::Blob;
pub use blocking::blocking;
pub use context::{Context, Local};
pub use dead::{DeadLetter, DeadLetterOffice, DeadReason};
pub use link::{ExitReason, Exited};
pub use node::{Node, SpawnError};
pub use overflow::Overflow;
pub use pid::{ID_MAX, InvalidUpid, Pid, Upid};
pub use probe::{Probe, Received};
pub use process::Process;
pub use protocol::{Accepts, Page, Speak, Wire};
pub use reply::{Answer, Later, Reply};
pub use security::{Denied, Security, SecurityError};
pub use spawn_on::{SpawnOnError, Spawnable, SpawnedOn};
pub use timer::Timer;
pub use transport::{Backlog, fits_in_a_message};

// Across hosts: the cluster, discovery, placement, supervision.
pub use groups::{ENTRIES_MAX as GROUP_ENTRIES_MAX, GROUP_NAME_MAX, GroupError, GroupEvent};
pub use lookup::LookupError;
pub use members::{ClusterError, ClusterOptions, Member, MemberEvent, MemberInfo};
pub use members::{ENTRIES_MAX, INFO_MAX, SEEDS_MAX, SUBSCRIBERS_MAX, WORD_MAX};
pub use placement::Placement;
pub use supervisor::{
    Backoff, CHILDREN_MAX, ChildSpec, ChildState, ChildStatus, Restart, Supervisor,
};
pub use supervisor::{Children, Shutdown, StartChild, StopChild, Supervising};

#[doc(hidden)]
pub use adapter::pass;
#[doc(hidden)]
pub use letter::{Owed, ReplyTo};
#[doc(hidden)]
pub use process::open;
#[doc(hidden)]
pub use protocol::{Held, Hold, INLINE_MAX, MessageInfo};

#[doc(hidden)]
pub mod __private {
    pub use {actix, serde};
}

/// What the file of a process imports.
pub mod prelude {
    pub use actix::{Actor, ActorContext, Handler, Message, ResponseFuture, Running};

    pub use crate::http::{self, Respond, Routes};
    pub use crate::{
        Accepts, Answer, AskError, Context, ExitReason, Exited, Later, Local, Node, Pid, Probe,
        Process, Reply, Spawnable, Timer, Upid, Wire, protocol,
    };
}

/// Runs `main` inside an actix `System`, with nodes on every core, until it returns.
///
/// # Errors
/// What `main` returns.
pub fn run<T>(main: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    actix_rt::System::new().block_on(main)
}

/// Runs `main` on this thread alone: for small programs, and for tests.
///
/// # Errors
/// When the runtime cannot be started, and what `main` returns.
pub fn run_alone<T>(main: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, main)
}
