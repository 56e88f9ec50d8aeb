//! Finding: processes by address, and the peers that have the others.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Node;
use crate::pid::Upid;
use crate::protocol::MessageInfo;
use crate::table::Handle;
use crate::transport::Peer;

/// Opens the ids of processes that were given none; no name may begin with it.
pub(super) const ANONYMOUS: char = '~';

/// A process of this node that letters from a peer are for.
pub(crate) struct Target {
    pub(crate) id: Box<str>,
    pub(super) at: Option<Handle>,
    pub(crate) messages: &'static [MessageInfo],
}

impl Node {
    /// The living process at `upid` of this node.
    pub(super) fn locate(&self, upid: &Upid) -> Option<Handle> {
        if upid.address() != self.0.address {
            return None;
        }
        if let Some(at) = upid.hint()
            && let Some(slot) = self.0.table.slot(at.index)
        {
            let mailbox = slot.0.lock();
            // The hint may be of another node that had this address: the id tells.
            if mailbox.generation == at.generation && mailbox.upid.as_ref() == Some(upid) {
                return Some(at);
            }
        }
        let at = self.find(upid.id())?;
        upid.remember(at);
        Some(at)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Handle> {
        let Some(anonymous) = id.strip_prefix(ANONYMOUS) else {
            return self.0.names.lock().get(id).copied();
        };
        let (index, generation) = anonymous.split_once('.')?;
        let at = Handle {
            index: index.parse().ok()?,
            generation: generation.parse().ok()?,
        };
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        (mailbox.alive && mailbox.generation == at.generation).then_some(at)
    }

    pub(crate) fn target(&self, id: &str) -> Target {
        Target {
            id: id.into(),
            at: None,
            messages: &[],
        }
    }

    /// Looks a target up unless that was done before; false when nobody lives there.
    pub(crate) fn resolve(&self, target: &mut Target) -> bool {
        if target.at.is_none()
            && let Some(at) = self.find(&target.id)
            && let Some(slot) = self.0.table.slot(at.index)
        {
            target.messages = slot.0.lock().messages;
            target.at = Some(at);
        }
        target.at.is_some()
    }

    /// Lets the process `id` answer HTTP requests for paths that name no process.
    pub fn set_front(&self, id: &str) {
        *self.0.front.lock() = Some(id.into());
    }

    /// Leaves a page of the node's own, such as `metrics/snapshot`, to the process in front.
    pub fn leave_page(&self, path: &'static str) {
        self.0.left_pages.lock().push(path);
    }

    pub(crate) fn leaves(&self, path: &str) -> bool {
        self.0.left_pages.lock().contains(&path)
    }

    pub(crate) fn front(&self) -> Option<Handle> {
        let front = self.0.front.lock().clone();
        self.find(&front?)
    }

    pub(crate) fn peer(&self, address: SocketAddr) -> Arc<Peer> {
        let mut peers = self.0.peers.lock();
        let new = || Arc::new(Peer::new(self.clone(), address));
        peers.entry(address).or_insert_with(new).clone()
    }

    /// Forgets a peer that nobody but its caller holds: nodes come and go.
    pub(crate) fn forget(&self, peer: &Arc<Peer>) {
        let mut peers = self.0.peers.lock();
        if Arc::strong_count(peer) <= 2 && peer.is_idle() {
            peers.remove(&peer.address());
        }
    }
}
