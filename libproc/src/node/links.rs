//! Links: who is told when a process has gone.

use std::net::SocketAddr;

use super::Node;
use crate::link::{ExitReason, Watcher};
use crate::pid::Upid;
use crate::table::Handle;
use crate::transport::PeerWatch;

impl Node {
    pub(crate) fn link(&self, watcher: Handle, to: &Upid) {
        if to.address() != self.address() {
            return self.peer(to.address()).link(watcher, to.id());
        }
        match self.locate(to) {
            Some(at) => self.watch(at, to, Watcher::Process(watcher)),
            None => Watcher::Process(watcher).tell(self, to, &ExitReason::NoProcess),
        }
    }

    pub(crate) fn unlink(&self, watcher: Handle, to: &Upid) {
        if to.address() != self.address() {
            let peer = self.0.peers.lock().get(&to.address()).cloned();
            return peer
                .into_iter()
                .for_each(|peer| peer.unlink(watcher, to.id()));
        }
        if let Some(at) = self.locate(to) {
            let process = |other: &Watcher| matches!(other, Watcher::Process(at) if *at == watcher);
            self.unwatch(at, process);
        }
    }

    /// Somebody at a peer links to the process `id` here; none when there is no such process.
    pub(crate) fn watch_for(&self, id: &str, watch: PeerWatch) -> Option<Handle> {
        let at = self.find(id)?;
        self.forget_peer(at, watch.peer.address());
        let upid = self.upid_at(at);
        self.watch(at, &upid, Watcher::Peer(watch));
        Some(at)
    }

    pub(crate) fn forget_peer(&self, at: Handle, address: SocketAddr) {
        self.unwatch(
            at,
            |other| matches!(other, Watcher::Peer(of) if of.peer.address() == address),
        );
    }

    /// Has `watcher` told when the process at `at`, known as `upid`, has gone: at once if it has.
    pub(crate) fn watch(&self, at: Handle, upid: &Upid, watcher: Watcher) {
        if let Err(watcher) = self.watch_living(at, watcher) {
            watcher.tell(self, upid, &ExitReason::NoProcess);
        }
    }

    /// Has `watcher` told when the process at `at` goes.
    ///
    /// # Errors
    /// The watcher comes back when that has gone.
    pub(crate) fn watch_living(&self, at: Handle, watcher: Watcher) -> Result<(), Watcher> {
        let Some(slot) = self.0.table.slot(at.index) else {
            return Err(watcher);
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            return Err(watcher);
        }
        mailbox.waiting.watch(watcher);
        Ok(())
    }

    pub(crate) fn unwatch(&self, at: Handle, whom: impl Fn(&Watcher) -> bool) {
        if let Some(slot) = self.0.table.slot(at.index) {
            let mut mailbox = slot.0.lock();
            if mailbox.generation == at.generation {
                mailbox.waiting.unwatch(whom);
            }
        }
    }
}
