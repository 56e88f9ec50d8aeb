//! Letters to a peer, and the answers to those that are asks.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use serde::Serialize;

use super::outbox::Refused;
use super::peer::Peer;
use crate::ask::AskError;
use crate::dead::DeadReason;
use crate::letter::{Outcome, ReplyTo};
use crate::node::Node;
use crate::pid::Upid;
use crate::protocol::Wire;

/// Peers that a thread remembers to have sent to, each in the one place it can be in.
const RECENT: usize = 16;

/// A node by its number, one of its peers by address.
type Recent = Option<(usize, SocketAddr, Known)>;

/// A peer that a thread remembers.
enum Known {
    /// By a thread that runs processes of the node, until it no longer does: to count a holder more
    /// and one less with every letter would cost as much as to encode it.
    Held(Arc<Peer>),
    /// By a thread that may outlive the node.
    Seen(Weak<Peer>),
}

thread_local! {
    /// Saves a look-up under a lock that all threads of a node share.
    static RECENT_PEERS: RefCell<[Recent; RECENT]> = const { RefCell::new([const { None }; RECENT]) };
}

/// An ask that waits for the peer's answer.
pub(super) struct Pending {
    pub(super) reply: ReplyTo,
    decode: fn(&[u8]) -> Outcome,
}

/// The way back to whoever asked from another node.
pub(crate) struct PeerReply {
    pub(crate) peer: Arc<Peer>,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

impl PeerReply {
    pub(crate) fn send<T: Serialize>(self, outcome: &Result<T, AskError>) {
        self.peer.on_connection(self.epoch, |state| {
            let outbox = &mut state.outbox;
            let error = match outcome {
                Ok(value) => match outbox.reply(self.number, value) {
                    Ok(()) => return,
                    Err(Refused::Busy) => &AskError::Busy,
                    Err(Refused::TooLarge) => &AskError::TooLarge,
                },
                Err(error) => error,
            };
            // What the process answered, or failed to, has its place among what it sent before.
            match error {
                AskError::Lost | AskError::TooLarge => outbox.failed(self.number, error),
                error => outbox.refused(self.number, error),
            }
        });
    }
}

/// Sends a message to a process of another node, connecting first when there is no connection.
pub(crate) fn letter<M: Wire>(
    node: &Node,
    from: Option<&Upid>,
    to: &Upid,
    message: &M,
    mut reply: Option<ReplyTo>,
) {
    let Err(refused) = try_letter(node, from, to, message, &mut reply) else {
        return;
    };
    let (reason, error) = match refused {
        Refused::Busy => (DeadReason::PeerBusy, AskError::Busy),
        Refused::TooLarge => (DeadReason::TooLarge, AskError::TooLarge),
    };
    node.dead(reason, to, from, M::NAME);
    if let Some(reply) = reply {
        reply.fail(error, node);
    }
}

/// [`letter`] that waits while too much waits for the peer already; what waits longest goes first.
///
/// # Errors
/// When it is larger than a frame may be.
pub(crate) async fn letter_when_room<M: Wire>(
    node: &Node,
    to: &Upid,
    message: &M,
) -> Result<(), AskError> {
    loop {
        let put = try_letter(node, None, to, message, &mut None);
        let peer = node.peer(to.address());
        match put {
            Err(Refused::Busy) => peer.room.notified().await,
            put => {
                // The next in line may have room as well.
                peer.room.notify_one();
                let Err(_) = put else { return Ok(()) };
                node.dead(DeadReason::TooLarge, to, None, M::NAME);
                return Err(AskError::TooLarge);
            }
        }
    }
}

/// Puts a message into the outbox of its peer; `reply` is taken when that is done.
fn try_letter<M: Wire>(
    node: &Node,
    from: Option<&Upid>,
    to: &Upid,
    message: &M,
    reply: &mut Option<ReplyTo>,
) -> Result<(), Refused> {
    let place = usize::from(to.address().port()) % RECENT;
    let known = RECENT_PEERS.with_borrow(|recent| match &recent[place] {
        Some((number, known, peer)) if *number == node.number() && *known == to.address() => {
            match peer {
                Known::Held(peer) => put(peer, from, to, message, reply),
                Known::Seen(peer) => put(&peer.upgrade()?, from, to, message, reply),
            }
        }
        _ => None,
    });
    if let Some(done) = known {
        return done;
    }
    loop {
        let peer = node.peer(to.address());
        remember(node, &peer, from.is_some());
        if let Some(done) = put(&peer, from, to, message, reply) {
            return done;
        }
    }
}

/// Puts a message into the outbox of `peer`; none when the node has forgotten that.
#[inline]
fn put<M: Wire>(
    peer: &Arc<Peer>,
    from: Option<&Upid>,
    to: &Upid,
    message: &M,
    reply: &mut Option<ReplyTo>,
) -> Option<Result<(), Refused>> {
    let mut state = peer.lock();
    if state.is_retired() {
        return None;
    }
    let number = reply.is_some().then(|| state.next_ask + 1);
    if let Err(refused) = state.outbox.letter(to, from, message, number) {
        return Some(Err(refused));
    }
    if let Some(number) = number {
        state.next_ask = number;
        if let Some(reply) = reply.take() {
            let decode = decode::<M::Result>;
            state.asks.insert(number, Pending { reply, decode });
        }
    }
    peer.sent(state);
    Some(Ok(()))
}

/// Most letters of a thread go where others went just before: saves them a look-up. A letter from a
/// process is sent by a thread that runs it, so there the peer can be held.
#[cold]
fn remember(node: &Node, peer: &Arc<Peer>, by_process: bool) {
    let address = peer.address();
    let known = match by_process {
        true => Known::Held(peer.clone()),
        false => Known::Seen(Arc::downgrade(peer)),
    };
    let entry = Some((node.number(), address, known));
    let place = usize::from(address.port()) % RECENT;
    // Busy while a message is encoded that sends another: that one is not remembered.
    let before = RECENT_PEERS.with(|recent| match recent.try_borrow_mut() {
        Ok(mut recent) => std::mem::replace(&mut recent[place], entry),
        Err(_) => entry,
    });
    // A peer may be the last to hold its node: not dropped while something is borrowed.
    drop(before);
}

/// Forgets the peers of a node on a thread that runs its processes no longer.
pub(crate) fn forget_peers(node: usize) {
    // Not when the thread itself is ending: then the list is gone already.
    let forgotten = RECENT_PEERS.try_with(|recent| {
        let mut recent = recent.borrow_mut();
        let of_node = |entry: &mut Recent| {
            let is = entry.as_ref().is_some_and(|(number, ..)| *number == node);
            is.then(|| entry.take())
        };
        recent.iter_mut().filter_map(of_node).collect::<Vec<_>>()
    });
    drop(forgotten);
}

impl Peer {
    pub(crate) fn answered(&self, epoch: u64, number: u64, body: &[u8]) {
        if let Some(pending) = self.pending(epoch, number) {
            pending.reply.pass((pending.decode)(body), &self.node, None);
        }
    }

    pub(crate) fn failed(&self, epoch: u64, number: u64, body: &[u8]) {
        if let Some(pending) = self.pending(epoch, number) {
            let error = crate::body::decode(body).unwrap_or(AskError::Undecodable);
            pending.reply.fail(error, &self.node);
        }
    }

    fn pending(&self, epoch: u64, number: u64) -> Option<Pending> {
        let mut state = self.lock();
        state
            .is_epoch(epoch)
            .then(|| state.asks.remove(&number))
            .flatten()
    }
}

fn decode<T: serde::de::DeserializeOwned + Send + 'static>(body: &[u8]) -> Outcome {
    let value: T = crate::body::decode(body).map_err(|_| AskError::Undecodable)?;
    Ok(Box::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    protocol! {
        /// What a sink accepts.
        protocol Sinking {
            message Load { sender: u64, number: u64, text: String };
            message Count {} -> u64;
        }
    }

    /// Counts letters, and checks that those of each sender come in order.
    #[derive(Default)]
    struct Sink([u64; SENDERS as usize]);

    impl Actor for Sink {
        type Context = Context<Self>;
    }

    impl Process for Sink {
        type Protocol = Sinking;
        const CAPACITY: u32 = 8;
    }

    impl Handler<Load> for Sink {
        type Result = ();
        fn handle(&mut self, load: Load, _: &mut Context<Self>) {
            let next = &mut self.0[load.sender as usize];
            assert_eq!(load.number, *next);
            *next += 1;
        }
    }

    impl Handler<Count> for Sink {
        type Result = u64;
        fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
            self.0.iter().sum()
        }
    }

    const SENDERS: u64 = 32;
    const LETTERS: u64 = 60;

    /// Two nodes, one with little room for what it sends.
    async fn nodes() -> (Node, Node) {
        let here = Node::builder().peer_buffer(0).bind("127.0.0.1:0").await;
        let there = Node::bind("127.0.0.1:0").await;
        (here.expect("a free port"), there.expect("a free port"))
    }

    fn alone(test: impl Future<Output = ()>) {
        let bounded = async {
            let minute = std::time::Duration::from_secs(60);
            let ended = tokio::time::timeout(minute, test).await;
            ended.expect("a test ends in a minute");
            Ok(())
        };
        crate::run_alone(bounded).expect("a runtime starts");
    }

    async fn send_all(here: Node, to: Upid, sender: u64, letters: u64) {
        for number in 0..letters {
            let text = "x".repeat(8 << 10);
            let load = Load {
                sender,
                number,
                text,
            };
            let sent = letter_when_room(&here, &to, &load).await;
            assert_eq!(sent, Ok(()));
        }
    }

    #[test]
    fn whoever_waits_for_room_gets_it_in_turn_and_nothing_is_lost() {
        alone(async {
            let (here, there) = nodes().await;
            let sink = there.spawn("sink", Sink::default());
            let send = |sender| send_all(here.clone(), sink.upid().clone(), sender, LETTERS);
            let all = (0..SENDERS).map(|sender| tokio::task::spawn_local(send(sender)));
            for sender in all.collect::<Vec<_>>() {
                sender.await.expect("it ends well");
            }
            while here.ask(&sink, Count {}).await != Ok(SENDERS * LETTERS) {}
            here.shutdown().await;
            there.shutdown().await;
        });
    }

    #[test]
    fn whoever_waits_for_room_goes_on_when_the_connection_falls() {
        alone(async {
            let (here, there) = nodes().await;
            let none = Upid::new("none", there.address()).expect("an address");
            let full = |outbox: &crate::Backlog| outbox.unsent_bytes > 64 << 10;
            let send = |sender| send_all(here.clone(), none.clone(), sender, LETTERS / 10);
            let all = (0..SENDERS).map(|sender| tokio::task::spawn_local(send(sender)));
            let all: Vec<_> = all.collect();
            while !here.backlogs().iter().any(full) {
                tokio::task::yield_now().await;
            }
            there.shutdown().await;
            // Nobody listens there any more: each connection that is tried falls with what waits.
            for sender in all {
                sender.await.expect("it ends well");
            }
            here.shutdown().await;
        });
    }
}
