//! Links over a connection: who here hears of an exit there, and the other way around.

use std::net::SocketAddr;
use std::sync::Arc;

use super::peer::{Peer, State};
use crate::letter::System;
use crate::link::{ExitReason, Exited};
use crate::node::Node;
use crate::pid::Upid;
use crate::table::Handle;

/// A node that wants to hear of an exit.
pub(crate) struct PeerWatch {
    pub(crate) peer: Arc<Peer>,
    pub(crate) epoch: u64,
}

impl PeerWatch {
    pub(crate) fn tell(self, upid: &Upid, reason: &ExitReason) {
        self.peer.on_connection(self.epoch, |state| {
            state.watched.remove(upid.id());
            state.outbox.exited(upid.id(), reason);
        });
    }
}

impl Peer {
    pub(crate) fn link(self: &Arc<Self>, watcher: Handle, id: &str) {
        let mut state = self.lock();
        let watchers = state.links.entry(id.into()).or_default();
        let first = watchers.is_empty();
        watchers.push(watcher);
        if first {
            state.outbox.link(id);
        }
        self.sent(state);
    }

    pub(crate) fn unlink(self: &Arc<Self>, watcher: Handle, id: &str) {
        let mut state = self.lock();
        let Some(watchers) = state.links.get_mut(id) else {
            return;
        };
        watchers.retain(|other| *other != watcher);
        if watchers.is_empty() {
            state.links.remove(id);
            state.outbox.unlink(id);
            self.sent(state);
        }
    }

    /// The peer says that its process `id` has gone.
    pub(crate) fn exited(&self, epoch: u64, id: &str, reason: &ExitReason) {
        let mut state = self.lock();
        if !state.is_epoch(epoch) {
            return;
        }
        let Some((id, watchers)) = state.links.remove_entry(id) else {
            return;
        };
        drop(state);
        tell(self.node(), self.address(), id, watchers, reason);
    }

    /// Somebody there links to a process here.
    pub(crate) fn watch(self: &Arc<Self>, epoch: u64, id: &str) {
        let watch = PeerWatch {
            peer: self.clone(),
            epoch,
        };
        match self.node().watch_for(id, watch) {
            Some(at) => {
                self.on_connection(epoch, |state| {
                    state.watched.insert(id.into(), at);
                });
            }
            None => {
                let gone = |state: &mut State| state.outbox.exited(id, &ExitReason::NoProcess);
                self.on_connection(epoch, gone);
            }
        }
    }

    pub(crate) fn unwatch(&self, epoch: u64, id: &str) {
        let mut at = None;
        self.on_connection(epoch, |state| at = state.watched.remove(id));
        if let Some(at) = at {
            self.node().forget_peer(at, self.address());
        }
    }
}

/// Tells processes here that `id` at `address` has gone.
pub(super) fn tell(
    node: &Node,
    address: SocketAddr,
    id: Box<str>,
    watchers: Vec<Handle>,
    reason: &ExitReason,
) {
    let upid = Upid::elsewhere(&id, address);
    for watcher in watchers {
        let exited = Exited {
            upid: upid.clone(),
            reason: reason.clone(),
        };
        node.urgent(watcher, System::Exited(Box::new(exited)));
    }
}
