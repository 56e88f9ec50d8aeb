//! What a node knows of another: the connection to it, what waits for it, who is linked over it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection;
use super::fallen;
use super::frame::Kind;
use super::handshake::{self, Met};
use super::linking;
use super::outbox::Outbox;
use super::sending::Pending;
use crate::ask::AskError;
use crate::dead::DeadReason;
use crate::link::ExitReason;
use crate::net::Direct;
use crate::node::Node;
use crate::table::Handle;

/// Shortest time between two attempts to connect.
const REDIAL: Duration = Duration::from_millis(50);

/// Chunks that are written by whoever fills the last of them, at most: others wait for the lock.
const CHUNKS_AT_ONCE: usize = 4;

/// What waits between a node and one of its peers, for [`Node::backlogs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The address of the peer.
    pub peer: SocketAddr,
    /// Bytes of letters and answers that wait to be sent, or are being written.
    pub unsent_bytes: u64,
    /// Bytes that came from the peer and wait for a process whose mailbox is full.
    pub held_bytes: u64,
}

/// What a peer looks like from outside.
pub(crate) struct PeerLook {
    pub(crate) address: SocketAddr,
    pub(crate) phase: &'static str,
    /// Bytes that wait to be sent there.
    pub(crate) outbox_bytes: usize,
    /// Asks that wait for its answers.
    pub(crate) asks: usize,
}

pub(crate) struct Peer {
    pub(super) node: Node,
    address: SocketAddr,
    state: Mutex<State>,
    /// Something may be sent that could not be before, or the connection is to end.
    wake: Notify,
    /// Less waits than the high-water mark: whoever waits for that tries again, and passes it on.
    pub(super) room: Notify,
    /// Bytes that came from the peer and wait for a full mailbox.
    held: AtomicUsize,
}

pub(super) struct State {
    phase: Phase,
    /// How many connections there have been: what belongs to an older one is late.
    epoch: u64,
    pub(super) outbox: Outbox,
    pub(super) asks: HashMap<u64, Pending>,
    pub(super) next_ask: u64,
    /// Processes there, by id, and those here that are linked to them.
    pub(super) links: BTreeMap<Box<str>, Vec<Handle>>,
    /// Processes here that somebody there is linked to.
    pub(super) watched: BTreeMap<Box<str>, Handle>,
    dialed: Option<Instant>,
    since: Option<Instant>,
    /// Which start of the node at the address is connected.
    incarnation: u64,
    /// Bytes were taken from the outbox and are being written.
    writing: bool,
    /// The writer waits for something to send.
    asleep: bool,
    /// Where whoever fills a chunk may write it.
    direct: Option<Direct>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Dialing,
    Connected,
    /// The node has forgotten it: another stands for the address now.
    Retired,
}

impl State {
    fn new(outbox: Outbox) -> State {
        State {
            phase: Phase::Idle,
            epoch: 0,
            outbox,
            asks: HashMap::new(),
            next_ask: 0,
            links: BTreeMap::new(),
            watched: BTreeMap::new(),
            dialed: None,
            since: None,
            incarnation: 0,
            writing: false,
            asleep: false,
            direct: None,
        }
    }

    pub(super) fn is_epoch(&self, epoch: u64) -> bool {
        self.epoch == epoch && self.phase == Phase::Connected
    }

    pub(super) fn is_retired(&self) -> bool {
        self.phase == Phase::Retired
    }
}

impl Peer {
    pub(crate) fn new(node: Node, address: SocketAddr) -> Peer {
        let outbox = Outbox::new(node.limits().peer_buffer);
        Peer {
            node,
            address,
            state: Mutex::new(State::new(outbox)),
            wake: Notify::new(),
            room: Notify::new(),
            held: AtomicUsize::new(0),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// After something was put into the outbox: wakes the writer, or connects.
    #[inline]
    pub(super) fn sent(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if state.phase != Phase::Idle {
            return self.rouse(state);
        }
        self.call(state);
    }

    #[cold]
    fn call(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.phase = Phase::Dialing;
        let dialed = state.dialed;
        drop(state);
        let peer = self.clone();
        self.node.on_worker(move || {
            let wait = |at: Instant| REDIAL.saturating_sub(at.elapsed());
            let wait = dialed.map_or(Duration::ZERO, wait);
            drop(tokio::task::spawn_local(handshake::dial(peer, wait)));
        });
    }

    /// Writes full chunks at once, as far as the socket takes them: while their bytes are in the
    /// cache, and so that the peer is at work on them while more are made. The rest is the writer's.
    #[cold]
    fn write_chunks(&self, state: &mut State) {
        let (false, Some(direct)) = (state.writing, &state.direct) else {
            return;
        };
        let outbox = &mut state.outbox;
        for _ in 0..CHUNKS_AT_ONCE {
            if !outbox.has_full_chunk() {
                return;
            }
            let Some(bytes) = outbox.next() else { return };
            // What is wrong with the connection is for the writer to find out.
            let count = direct.try_write(&bytes).unwrap_or(0);
            self.node.counters().bytes_sent.add(count as u64);
            if count < bytes.len() {
                return outbox.wrote_part(bytes, count);
            }
            outbox.wrote(bytes);
        }
    }

    /// Lets whoever sends over the connection `epoch` write to it.
    pub(super) fn write_at_once(&self, epoch: u64, direct: Option<Direct>) {
        let mut state = self.state.lock();
        if state.is_epoch(epoch) {
            state.direct = direct;
        }
    }

    /// After something may be sent that could not be before: writes full chunks, and wakes the writer
    /// if it sleeps and there is more.
    #[inline]
    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        if state.outbox.has_full_chunk() {
            self.write_chunks(&mut state);
        }
        if state.asleep && state.outbox.has_next() {
            state.asleep = false;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Changes the state if `epoch` is still the connection, and wakes its writer.
    pub(super) fn on_connection(&self, epoch: u64, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state.lock();
        if !state.is_epoch(epoch) {
            return false;
        }
        change(&mut state);
        self.rouse(state);
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
            Phase::Idle | Phase::Retired => true,
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
            self.fall(state, &reason, error);
        }
    }

    /// The connection `epoch` has ended.
    pub(crate) fn disconnected(&self, epoch: u64) {
        let state = self.state.lock();
        if state.is_epoch(epoch) {
            tracing::debug!(peer = %self.address, "node disconnected");
            self.fall(state, &ExitReason::Disconnected, &AskError::Unreachable);
        }
    }

    /// Ends the connection there is, as a reset on its way would.
    #[cfg(feature = "sim")]
    pub(crate) fn sever(&self) {
        let epoch = self.state.lock().epoch;
        self.disconnected(epoch);
    }

    /// Everything that hung on the connection is told, once, that it is gone.
    fn fall(&self, mut state: MutexGuard<'_, State>, reason: &ExitReason, error: &AskError) {
        let next = State {
            epoch: state.epoch,
            next_ask: state.next_ask,
            dialed: state.dialed,
            ..State::new(Outbox::new(self.node.limits().peer_buffer))
        };
        let fallen = std::mem::replace(&mut *state, next);
        drop(state);
        self.wake.notify_one();
        self.room.notify_one();
        let dead = match reason {
            ExitReason::Disconnected => DeadReason::Disconnected,
            _ => DeadReason::Unreachable,
        };
        fallen::unsent(&self.node, dead, self.address, &fallen.outbox);
        let asks: BTreeMap<u64, Pending> = fallen.asks.into_iter().collect();
        for pending in asks.into_values() {
            pending.reply.fail(error.clone(), &self.node);
        }
        for (id, watchers) in fallen.links {
            linking::tell(&self.node, self.address, id, watchers, reason);
        }
        for at in fallen.watched.into_values() {
            self.node.forget_peer(at, self.address);
        }
    }

    pub(crate) fn beat(&self, epoch: u64, kind: Kind) {
        self.on_connection(epoch, |state| state.outbox.beat(kind));
    }

    /// Tells the peer how many bytes of its ordered lane were taken in.
    pub(crate) fn took_in(&self, epoch: u64, bytes: u64) {
        self.on_connection(epoch, |state| state.outbox.took_in(bytes));
    }

    /// The peer says how many bytes of our ordered lane it has taken in; false when it lies.
    pub(crate) fn consumed(&self, epoch: u64, bytes: u64) -> bool {
        let mut possible = true;
        self.on_connection(epoch, |state| possible = state.outbox.consumed(bytes));
        possible
    }

    /// The next bytes to write, after those that come back in `spent`, written; none once the connection is
    /// no longer `epoch`.
    pub(crate) async fn outgoing(&self, epoch: u64, spent: Vec<u8>) -> Option<Vec<u8>> {
        let mut spent = spent;
        loop {
            {
                let mut state = self.state.lock();
                if !state.is_epoch(epoch) {
                    self.wake.notify_one(); // whoever serves the newer connection
                    return None;
                }
                let was_busy = state.outbox.is_busy();
                state.outbox.wrote(std::mem::take(&mut spent));
                let next = state.outbox.next();
                state.writing = next.is_some();
                state.asleep = next.is_none();
                let room = was_busy && !state.outbox.is_busy();
                drop(state);
                if room {
                    self.room.notify_one();
                }
                if next.is_some() {
                    return next;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Gives back the memory that is kept for a next burst.
    pub(crate) fn trim(&self) {
        self.state.lock().outbox.trim();
    }

    /// Whether answers to the peer would be refused, and whether it reads so little of what it
    /// causes to be sent that nothing more is to be taken in from it.
    pub(super) fn pressure(&self, epoch: u64) -> (bool, bool) {
        let state = self.state.lock();
        let outbox = &state.outbox;
        match state.is_epoch(epoch) {
            true => (outbox.is_unread(), outbox.is_overfull()),
            false => (false, false),
        }
    }

    /// Whether the peer has us owe it far more than it reads.
    pub(super) fn is_swamped(&self, epoch: u64) -> bool {
        let state = self.state.lock();
        state.is_epoch(epoch) && state.outbox.is_swamped()
    }

    /// Bytes came that wait for a full mailbox, as many as this in all.
    pub(super) fn holds(&self, bytes: usize) {
        self.held.store(bytes, Relaxed);
    }

    pub(crate) fn look(&self) -> PeerLook {
        let state = self.state.lock();
        PeerLook {
            address: self.address,
            phase: match state.phase {
                Phase::Idle => "idle",
                Phase::Dialing => "dialing",
                Phase::Connected => "connected",
                Phase::Retired => "retired",
            },
            outbox_bytes: state.outbox.queued(),
            asks: state.asks.len(),
        }
    }

    /// What waits between the node and this peer.
    pub(crate) fn backlog(&self) -> Backlog {
        let unsent = self.state.lock().outbox.queued();
        Backlog {
            peer: self.address,
            unsent_bytes: unsent as u64,
            held_bytes: self.held.load(Relaxed) as u64,
        }
    }

    /// Ends its days if it has no connection; then nothing is sent through it any more.
    pub(crate) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        let idle = state.phase == Phase::Idle;
        if idle {
            state.phase = Phase::Retired;
        }
        idle
    }

    pub(crate) fn is_flushed(&self) -> bool {
        let state = self.state.lock();
        let connected = matches!(state.phase, Phase::Dialing | Phase::Connected);
        !connected || (state.outbox.is_empty() && !state.writing)
    }
}
