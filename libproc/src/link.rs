//! Links: a process is told, exactly once, that another has gone.

use std::fmt;

use actix::Message;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::letter::System;
use crate::node::Node;
use crate::pid::Upid;
use crate::security::Denied;
use crate::table::Handle;
use crate::transport::PeerWatch;

/// The process at `upid` has gone, or cannot be heard any more.
///
/// Delivered exactly once a link, also when the process was gone already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// The process that was linked to.
    pub upid: Upid,
    /// How it went.
    pub reason: ExitReason,
}

impl Message for Exited {
    type Result = ();
}

/// How a process went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// It stopped, or was told to.
    Stopped,
    /// It panicked with this text.
    Panicked(String),
    /// It gave up, and said why: see [`Context::fail`](crate::Context::fail).
    Failed(String),
    /// There was no process at that address.
    NoProcess,
    /// The connection to its node broke, or the node fell silent; the process may live.
    Disconnected,
    /// Its node could not be reached.
    Unreachable,
    /// Its node, or this one, does not take the other for a member of its cluster.
    Denied(Denied),
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Stopped => f.write_str("stopped"),
            ExitReason::Panicked(text) => write!(f, "panicked: {text}"),
            ExitReason::Failed(why) => write!(f, "failed: {why}"),
            ExitReason::NoProcess => f.write_str("no such process"),
            ExitReason::Disconnected => f.write_str("disconnected"),
            ExitReason::Unreachable => f.write_str("unreachable"),
            ExitReason::Denied(why) => write!(f, "denied: {why}"),
        }
    }
}

/// Who is told of an exit.
pub(crate) enum Watcher {
    /// A process of the same node.
    Process(Handle),
    /// Some process on another node: its node tells it on.
    Peer(PeerWatch),
    /// A task that waits for the exit.
    Task(oneshot::Sender<ExitReason>),
    /// This node, which keeps things on behalf of the process: see
    /// [`Node::forget_process`](crate::node::Node::forget_process).
    Keeper(Handle),
    /// A process of the same node that is to stop then.
    Bound(Handle),
}

impl Watcher {
    pub(crate) fn tell(self, node: &Node, upid: &Upid, reason: &ExitReason) {
        match self {
            Watcher::Process(at) => {
                let exited = Exited {
                    upid: upid.clone(),
                    reason: reason.clone(),
                };
                node.urgent(at, System::Exited(Box::new(exited)));
            }
            Watcher::Peer(watch) => watch.tell(upid, reason),
            // A task that stopped waiting wants no news.
            Watcher::Task(sender) => drop(sender.send(reason.clone())),
            Watcher::Keeper(at) => node.forget_process(at),
            Watcher::Bound(at) => node.urgent(at, System::Stop(Box::new(ExitReason::Stopped))),
        }
    }
}
