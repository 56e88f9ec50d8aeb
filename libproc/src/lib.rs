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
//! # What is promised
//! A message arrives at most once, and in order for one sender and one receiver while the
//! connection between their nodes lives. A connection that breaks, or a peer that falls silent, is
//! [`Exited`] for every link over it, though the process may live. What cannot be delivered is a
//! counted [dead letter](DeadReason), never a silent loss; an ask always gets an answer or an
//! [`AskError`].
//!
//! # Who may talk to a node
//! Anybody who reaches its port, unless it is built with [`NodeBuilder::security`]: nodes then prove
//! to each other that they share a secret, or speak TLS with certificates on both sides.

#[allow(
    unused_extern_crates,
    reason = "`protocol!` names this crate, also inside it"
)]
extern crate self as libproc;

mod ask;
mod bind;
mod context;
mod counters;
mod dead;
pub mod env;
pub mod http;
mod letter;
mod link;
mod net;
mod node;
mod pid;
mod probe;
mod process;
mod protocol;
mod reply;
pub mod security;
#[cfg(feature = "sim")]
pub mod sim;
mod spawn_on;
mod table;
mod timer;
mod transport;
mod work;
mod worker;

use std::future::Future;

pub use ask::{AskError, Asked, Deferred};
pub use bind::NodeBuilder;
pub use context::{Context, Local};
pub use dead::DeadReason;
pub use link::{ExitReason, Exited};
pub use node::{Node, SpawnError};
pub use pid::{ID_MAX, InvalidUpid, Pid, Upid};
pub use probe::{Probe, Received};
pub use process::Process;
pub use protocol::{Accepts, Page, Speak, Wire};
pub use reply::{Answer, Later, Reply};
pub use security::{Denied, Security, SecurityError};
pub use spawn_on::{SpawnOnError, Spawnable};
pub use timer::Timer;

#[doc(hidden)]
pub use process::{Body, Door, open};
#[doc(hidden)]
pub use protocol::MessageInfo;

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
