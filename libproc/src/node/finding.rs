//! Finding: processes by address, and the peers that have the others.

use std::net::SocketAddr;
use std::sync::Arc;

use ecow::EcoString;

use super::Node;
use crate::letter::Sender;
use crate::pid::Upid;
use crate::process::Kind;
use crate::table::Handle;
use crate::transport::Peer;

/// Opens the ids of processes that were given none; no name may begin with it.
pub(super) const ANONYMOUS: char = '~';

/// A process of this node that letters from a peer are for.
pub(crate) struct Target {
    pub(crate) id: Box<str>,
    pub(super) at: Option<Handle>,
    pub(crate) kind: Option<&'static Kind>,
}

/// The id of a process that was given none: `~index.generation`.
pub(super) fn anonymous(at: Handle) -> EcoString {
    // By hand: every spawn without a name comes by here.
    let mut digits = [0; 22];
    let mut start = digits.len();
    for (number, before) in [(at.generation, b'.'), (at.index, ANONYMOUS as u8)] {
        let mut left = number;
        loop {
            start -= 1;
            digits[start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        start -= 1;
        digits[start] = before;
    }
    std::str::from_utf8(&digits[start..])
        .map_or_else(|_| unreachable!("digits are text"), EcoString::from)
}

impl Node {
    /// The place of a process of this node, none when it has none; and none at all for the address
    /// of another node.
    #[inline]
    pub(super) fn place_of(&self, upid: &Upid) -> Option<Option<Handle>> {
        if upid.is_of(self.home()) {
            return Some(upid.handle());
        }
        (upid.address() == self.address()).then(|| self.find(upid.id()))
    }

    /// The living process at `upid` of this node.
    pub(crate) fn locate(&self, upid: &Upid) -> Option<Handle> {
        self.open_mailbox(upid).map(|(at, _)| at)
    }

    /// The address of the process at `at`, also for a while after it has gone.
    pub(crate) fn upid_at(&self, at: Handle) -> Upid {
        let slot = self.0.table.slot(at.index).map(|slot| slot.0.lock());
        let upid = slot
            .filter(|mailbox| mailbox.generation == at.generation)
            .and_then(|mailbox| mailbox.upid.clone());
        // One that was given no name has this address, and of one that went long ago nobody knows
        // more.
        upid.unwrap_or_else(|| Upid::at_home(anonymous(at), self.home().clone(), at))
    }

    /// The address of whoever sent a letter.
    pub(crate) fn upid_of(&self, sender: &Sender) -> Option<Upid> {
        match sender {
            Sender::Nobody => None,
            Sender::Here(at) => Some(self.upid_at(*at)),
            Sender::Afar(upid) => Some(upid.clone()),
        }
    }

    /// Whether an address of this node is known to have nobody any more.
    pub(crate) fn is_gone(&self, upid: &Upid) -> bool {
        self.place_of(upid).is_some() && self.locate(upid).is_none()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Handle> {
        let Some(anonymous) = id.strip_prefix(ANONYMOUS) else {
            return self.named(id).or_else(|| self.start_on_demand(id));
        };
        let (index, generation) = anonymous.split_once('.')?;
        let at = Handle {
            index: index.parse().ok()?,
            generation: generation.parse().ok()?,
        };
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        (mailbox.alive && mailbox.generation == at.generation).then_some(at)
    }

    pub(crate) fn named(&self, id: &str) -> Option<Handle> {
        self.0.names.lock().find(id)
    }

    /// The names of the messages that the process `id` accepts.
    pub(crate) fn page_of(&self, id: &str) -> Option<Vec<String>> {
        let at = self.find(id)?;
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        let living = mailbox.alive && mailbox.generation == at.generation;
        living.then(|| {
            let names = mailbox.kind.map_or(&[][..], |kind| kind.messages).iter();
            names.map(|message| message.name.to_owned()).collect()
        })
    }

    pub(crate) fn target(&self, id: &str) -> Target {
        Target {
            id: id.into(),
            at: None,
            kind: None,
        }
    }

    /// Looks a target up unless that was done before; false when nobody lives there.
    pub(crate) fn resolve(&self, target: &mut Target) -> bool {
        if target.at.is_none()
            && let Some(at) = self.find(&target.id)
            && let Some(slot) = self.0.table.slot(at.index)
        {
            target.kind = slot.0.lock().kind;
            target.at = Some(at);
        }
        target.at.is_some()
    }

    /// Forgets what a target was found to be, if that lives no more; says whether it did.
    pub(crate) fn forget_gone(&self, target: &mut Target) -> bool {
        let gone = target.at.is_some_and(|at| {
            let slot = self.0.table.slot(at.index);
            slot.is_none_or(|slot| {
                let mailbox = slot.0.lock();
                !mailbox.alive || mailbox.generation != at.generation
            })
        });
        if gone {
            target.at = None;
        }
        gone
    }

    /// Lets the process `id` answer HTTP requests for paths that name no process.
    pub fn set_front(&self, id: &str) {
        *self.0.front.lock() = Some(id.into());
    }

    /// Leaves a page of the node's own, such as `metrics/snapshot`, to the process in front.
    pub fn leave_page(&self, path: &'static str) {
        self.0.left_pages.lock().push(path);
    }

    /// Has a guard look at every HTTP request from now on, in place of one that did before.
    pub fn guard_http(&self, guard: crate::http::Guard) {
        *self.0.http_guard.lock() = Some(guard);
    }

    pub(crate) fn http_guard(&self) -> Option<crate::http::Guard> {
        self.0.http_guard.lock().clone()
    }

    pub(crate) fn leaves(&self, path: &str) -> bool {
        self.0.left_pages.lock().contains(&path)
    }

    pub(crate) fn front(&self) -> Option<Handle> {
        self.find(&self.front_id()?)
    }

    pub(crate) fn front_id(&self) -> Option<String> {
        self.0.front.lock().as_deref().map(str::to_owned)
    }

    pub(crate) fn peer(&self, address: SocketAddr) -> Arc<Peer> {
        let mut peers = self.0.peers.lock();
        let new = || Arc::new(Peer::new(self.clone(), address));
        if self.is_over() {
            return new(); // for the caller alone: nothing is kept by a node that has gone
        }
        peers.entry(address).or_insert_with(new).clone()
    }

    /// Forgets a peer that nobody but its caller holds: nodes come and go.
    pub(crate) fn forget(&self, peer: &Arc<Peer>) {
        let mut peers = self.0.peers.lock();
        if Arc::strong_count(peer) <= 2 && peer.retire() {
            peers.remove(&peer.address());
        }
    }
}
