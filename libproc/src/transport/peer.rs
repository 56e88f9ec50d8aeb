//! What a node knows of another: the connection to it, what waits for it, who is linked over it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection;
use super::frame::Kind;
use super::handshake::{self, Met};
use super::outbox::{Outbox, Refused};
use crate::ask::AskError;
use crate::dead::DeadReason;
use crate::letter::{Letter, Outcome, ReplyTo};
use crate::link::{ExitReason, Exited};
use crate::node::Node;
use crate::pid::Upid;
use crate::protocol::Wire;
use crate::table::Handle;

/// Shortest time between two attempts to connect.
const REDIAL: Duration = Duration::from_millis(50);

pub(crate) struct Peer {
    node: Node,
    address: SocketAddr,
    state: Mutex<State>,
    /// Something to send, or the connection is to end.
    wake: Notify,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// How many connections there have been: what belongs to an older one is late.
    epoch: u64,
    outbox: Outbox,
    asks: HashMap<u64, Pending>,
    next_ask: u64,
    /// Processes there, by id, and those here that are linked to them.
    links: BTreeMap<Box<str>, Vec<Handle>>,
    /// Processes here that somebody there is linked to.
    watched: BTreeMap<Box<str>, Handle>,
    dialed: Option<Instant>,
    since: Option<Instant>,
    /// Which start of the node at the address is connected.
    incarnation: u64,
    /// Bytes were taken from the outbox and are being written.
    writing: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Dialing,
    Connected,
}

/// An ask that waits for the peer's answer.
struct Pending {
    reply: ReplyTo,
    decode: fn(&[u8]) -> Outcome,
}

/// The way back to whoever asked from another node.
pub(crate) struct PeerReply {
    pub(crate) peer: Arc<Peer>,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

/// A node that wants to hear of an exit.
pub(crate) struct PeerWatch {
    pub(crate) peer: Arc<Peer>,
    pub(crate) epoch: u64,
}

impl PeerReply {
    pub(crate) fn send<T: Serialize>(self, outcome: &Result<T, AskError>) {
        self.peer.on_connection(self.epoch, |state| {
            let error = match outcome {
                Ok(value) => match state.outbox.reply(self.number, value) {
                    Ok(()) => return,
                    Err(Refused::Busy) => &AskError::Busy,
                    Err(Refused::TooLarge) => &AskError::TooLarge,
                },
                Err(error) => error,
            };
            state.outbox.failed(self.number, error);
        });
    }
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
    pub(crate) fn new(node: Node, address: SocketAddr) -> Peer {
        Peer {
            node,
            address,
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Sends a message, connecting first when there is no connection.
    pub(crate) fn letter<M: Wire>(
        self: &Arc<Self>,
        from: Option<&Upid>,
        to: &Upid,
        message: &M,
        reply: Option<ReplyTo>,
    ) {
        let mut state = self.state.lock();
        let number = reply.is_some().then(|| {
            state.next_ask += 1;
            state.next_ask
        });
        let put = state.outbox.letter(to, from, message, number);
        if let Err(refused) = put {
            drop(state);
            let (reason, error) = match refused {
                Refused::Busy => (DeadReason::PeerBusy, AskError::Busy),
                Refused::TooLarge => (DeadReason::TooLarge, AskError::TooLarge),
            };
            self.node.dead(reason, 1);
            return reply
                .into_iter()
                .for_each(|reply| reply.fail(error.clone()));
        }
        if let (Some(number), Some(reply)) = (number, reply) {
            state.asks.insert(
                number,
                Pending {
                    reply,
                    decode: decode::<M::Result>,
                },
            );
        }
        self.sent(state);
    }

    pub(crate) fn link(self: &Arc<Self>, watcher: Handle, id: &str) {
        let mut state = self.state.lock();
        let watchers = state.links.entry(id.into()).or_default();
        let first = watchers.is_empty();
        watchers.push(watcher);
        if first {
            state.outbox.link(id);
        }
        self.sent(state);
    }

    pub(crate) fn unlink(self: &Arc<Self>, watcher: Handle, id: &str) {
        let mut state = self.state.lock();
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

    /// After something was put into the outbox: wakes the writer, or connects.
    fn sent(self: &Arc<Self>, mut state: parking_lot::MutexGuard<'_, State>) {
        if state.phase != Phase::Idle {
            drop(state);
            return self.wake.notify_one();
        }
        state.phase = Phase::Dialing;
        let wait = state
            .dialed
            .map_or(Duration::ZERO, |at| REDIAL.saturating_sub(at.elapsed()));
        drop(state);
        let peer = self.clone();
        self.node
            .on_worker(move || drop(tokio::task::spawn_local(handshake::dial(peer, wait))));
    }

    /// Changes the state if `epoch` is still the connection, and wakes its writer.
    fn on_connection(&self, epoch: u64, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state.lock();
        if state.epoch != epoch || state.phase != Phase::Connected {
            return false;
        }
        change(&mut state);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Whether an incoming connection of this peer is to be used; ends the one it replaces.
    ///
    /// When both sides dial at once, the dial of the smaller address stands. Another incarnation is
    /// another node that got the address of one that has gone: it is always admitted.
    pub(crate) fn admits(&self, incarnation: u64) -> bool {
        let state = self.state.lock();
        let ours_first = self.node.address() < self.address;
        match state.phase {
            Phase::Idle => true,
            Phase::Dialing => !ours_first,
            Phase::Connected => {
                let fresh = state
                    .since
                    .is_some_and(|since| since.elapsed() < handshake::TIMEOUT);
                !(ours_first && fresh && state.incarnation == incarnation)
            }
        }
    }

    /// Makes `stream` the connection to this peer and serves it on this thread.
    pub(crate) fn connected(self: &Arc<Self>, met: Met, dialed: bool) {
        let Met {
            stream,
            unread,
            incarnation,
        } = met;
        let mut state = self.state.lock();
        if dialed && state.phase != Phase::Dialing {
            return; // the peer's own dial came first
        }
        if state.phase == Phase::Connected {
            let epoch = state.epoch;
            drop(state);
            self.disconnected(epoch);
            state = self.state.lock();
        }
        state.phase = Phase::Connected;
        state.epoch += 1;
        state.since = Some(Instant::now());
        state.incarnation = incarnation;
        let epoch = state.epoch;
        drop(state);
        tracing::debug!(peer = %self.address, dialed, "node connected");
        tokio::task::spawn_local(connection::serve(self.clone(), epoch, stream, unread));
    }

    /// A dial that came to nothing.
    pub(crate) fn not_connected(&self, error: &AskError) {
        let mut state = self.state.lock();
        if state.phase == Phase::Dialing {
            state.dialed = Some(Instant::now());
            let reason = match error {
                AskError::Denied(why) => ExitReason::Denied(*why),
                _ => ExitReason::Unreachable,
            };
            self.fall(state, reason, error);
        }
    }

    /// The connection `epoch` has ended.
    pub(crate) fn disconnected(&self, epoch: u64) {
        let state = self.state.lock();
        if state.epoch == epoch && state.phase == Phase::Connected {
            tracing::debug!(peer = %self.address, "node disconnected");
            self.fall(state, ExitReason::Disconnected, &AskError::Unreachable);
        }
    }

    /// Ends the connection there is, as a reset on its way would.
    #[cfg(feature = "sim")]
    pub(crate) fn sever(&self) {
        let epoch = self.state.lock().epoch;
        self.disconnected(epoch);
    }

    /// Everything that hung on the connection is told, once, that it is gone.
    fn fall(
        &self,
        mut state: parking_lot::MutexGuard<'_, State>,
        reason: ExitReason,
        error: &AskError,
    ) {
        let fallen = std::mem::take(&mut *state);
        state.epoch = fallen.epoch;
        state.next_ask = fallen.next_ask;
        state.dialed = fallen.dialed;
        drop(state);
        self.wake.notify_one();
        if !fallen.outbox.is_empty() {
            self.node.dead(DeadReason::Unreachable, 1);
        }
        let asks: BTreeMap<u64, Pending> = fallen.asks.into_iter().collect();
        for pending in asks.into_values() {
            pending.reply.fail(error.clone());
        }
        for (id, watchers) in fallen.links {
            let upid = Upid::resolved(id, self.address, None);
            for watcher in watchers {
                let exited = Exited {
                    upid: upid.clone(),
                    reason: reason.clone(),
                };
                self.node.urgent(watcher, Letter::Exited(Box::new(exited)));
            }
        }
        for at in fallen.watched.into_values() {
            self.node.forget_peer(at, self.address);
        }
    }

    pub(crate) fn answered(&self, epoch: u64, number: u64, body: &[u8]) {
        if let Some(pending) = self.pending(epoch, number) {
            pending.reply.pass((pending.decode)(body));
        }
    }

    pub(crate) fn failed(&self, epoch: u64, number: u64, body: &[u8]) {
        if let Some(pending) = self.pending(epoch, number) {
            let error = rmp_serde::from_slice(body).unwrap_or(AskError::Undecodable);
            pending.reply.fail(error);
        }
    }

    fn pending(&self, epoch: u64, number: u64) -> Option<Pending> {
        let mut state = self.state.lock();
        (state.epoch == epoch)
            .then(|| state.asks.remove(&number))
            .flatten()
    }

    /// The peer says that its process `id` has gone.
    pub(crate) fn exited(&self, epoch: u64, id: &str, reason: &ExitReason) {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return;
        }
        let Some((id, watchers)) = state.links.remove_entry(id) else {
            return;
        };
        drop(state);
        let upid = Upid::resolved(id, self.address, None);
        for watcher in watchers {
            let exited = Exited {
                upid: upid.clone(),
                reason: reason.clone(),
            };
            self.node.urgent(watcher, Letter::Exited(Box::new(exited)));
        }
    }

    /// Somebody there links to a process here.
    pub(crate) fn watch(self: &Arc<Self>, epoch: u64, id: &str) {
        match self.node.watch_for(
            id,
            PeerWatch {
                peer: self.clone(),
                epoch,
            },
        ) {
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
            self.node.forget_peer(at, self.address);
        }
    }

    pub(crate) fn beat(&self, epoch: u64, kind: Kind) {
        self.on_connection(epoch, |state| state.outbox.beat(kind));
    }

    /// The next bytes to write; none once the connection is no longer `epoch`.
    pub(crate) async fn outgoing(&self, epoch: u64, mut spare: BytesMut) -> Option<BytesMut> {
        loop {
            {
                let mut state = self.state.lock();
                if state.epoch != epoch || state.phase != Phase::Connected {
                    self.wake.notify_one(); // whoever serves the newer connection
                    return None;
                }
                state.writing = !state.outbox.is_empty();
                if state.writing {
                    return Some(state.outbox.take(std::mem::take(&mut spare)));
                }
            }
            self.wake.notified().await;
        }
    }

    /// Whether answers to the peer would be refused.
    pub(crate) fn is_busy(&self, epoch: u64) -> bool {
        let state = self.state.lock();
        state.epoch == epoch && state.outbox.is_busy()
    }

    /// Whether the peer does not read what it causes to be sent.
    pub(crate) fn is_overfull(&self, epoch: u64) -> bool {
        let state = self.state.lock();
        state.epoch == epoch && state.outbox.is_overfull()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().phase == Phase::Idle
    }

    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.state.lock();
        state.phase == Phase::Idle || (state.outbox.is_empty() && !state.writing)
    }
}

fn decode<T: serde::de::DeserializeOwned + Send + 'static>(body: &[u8]) -> Outcome {
    let value: T = rmp_serde::from_slice(body).map_err(|_| AskError::Undecodable)?;
    Ok(Box::new(value))
}
