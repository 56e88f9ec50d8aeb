//! The master: offers resources, launches tasks on agents, and keeps the books of a cluster.
//!
//! One process, [`api::MASTER`], speaks [`api::master::Mastering`]; beside it runs its allocator,
//! which decides who is offered what. The books are plain structs without a clock; the files named
//! `from_…` are the doors of the process, one for each kind of conversation partner.
//!
//! What is lost with a master is learned back: agents register again with what runs on them,
//! schedulers subscribe again with their ids.
//!
//! ```
//! use libproc::Node;
//! use master::Options;
//!
//! # fn main() -> std::io::Result<()> {
//! libproc::run(async {
//!     let node = Node::bind("127.0.0.1:0").await?;
//!     let master = master::start(&node, Options::default());
//!     let summary = node.ask(&master, api::master::GetMaster {}).await.expect("a master answers");
//!     assert_eq!(summary.agents, 0);
//!     node.shutdown().await;
//!     Ok(())
//! })
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod accept;
mod allocator_process;
mod books;
mod candidate;
mod failover;
mod from_agent;
mod from_allocator;
mod from_operator;
mod from_scheduler;
mod http;
mod ids;
mod launch;
mod liveness;
mod maintenance;
mod metrics;
mod options;
mod orders;
mod pages;
mod process;
mod reconcile;
mod recovered;
mod registrar;
mod registry;
mod removal;
mod reregistration;
mod status;
mod subscription;
mod validation;

use api::master::Mastering;
use libproc::{Node, Pid};
use state::State;

pub use candidate::{Stand, master_of, stand};
pub use options::Options;
pub use registrar::RecoveryError;

/// What may wait for one agent, in bytes, where a framework brings large tasks: as many as one call
/// can launch. To be given to [`libproc::NodeBuilder::peer_buffer`] for the node of a master or an
/// agent; with less, what does not fit is lost.
pub const PEER_BUFFER: usize = 64 << 20;

/// Starts a master and its allocator on `node`, and makes it the node's front page.
///
/// # Panics
///
/// Panics when a master runs on the node already.
pub fn start(node: &Node, options: Options) -> Pid<Mastering> {
    spawn(node, process::MasterProcess::new(node, options))
}

/// Starts a master that goes on with the registry in `state`, and leaves its own there: agents and
/// frameworks, and what operators set, outlive it. No other master may lead with it at the same
/// time: the one that began before changes nothing any more, and ends when it tries.
///
/// # Errors
///
/// When the registry cannot be read or written, or is too new.
///
/// # Panics
///
/// Panics when a master runs on the node already.
pub async fn start_from(
    node: &Node,
    options: Options,
    state: &State,
) -> Result<Pid<Mastering>, RecoveryError> {
    let ids = ids::Ids::new(options.seed);
    let recovered = registrar::recover(state, &options, ids.master()).await?;
    let master = process::MasterProcess::following(node, options, ids, recovered);
    Ok(spawn(node, master))
}

fn spawn(node: &Node, master: process::MasterProcess) -> Pid<Mastering> {
    if let Some(guard) = http::gate::guard(&master.options.authentication) {
        node.guard_http(guard);
    }
    let master = node.spawn(api::MASTER, master);
    node.set_front(api::MASTER);
    http::v0::FRONT
        .iter()
        .for_each(|page| node.leave_page(page));
    master
}
