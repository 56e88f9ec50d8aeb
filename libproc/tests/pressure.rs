//! What happens when more comes than is handled: nothing grows without bounds, and control passes.

mod common;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use libproc::prelude::*;
use libproc::{DeadReason, Overflow};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

/// Bytes that may wait for a peer in these tests.
const BUFFER: usize = 256 << 10;
/// What the connection may hold beyond it, as docs/WIRE.md says.
const WINDOW: u64 = 8 << 20;
/// Letters a slow process lets wait.
const CAPACITY: u32 = 16;
const LETTER: usize = 1 << 10;
const LETTERS: u64 = 40_000;
/// What it costs to handle one.
const DEAR: Duration = Duration::from_micros(10);

protocol! {
    /// What a slow process accepts.
    protocol Loading {
        message Load { number: u64, #[serde(with = "serde_bytes")] bytes: Vec<u8> };
        message Handled {} -> (u64, u64);
    }
}

macro_rules! slow_process {
    ($name:ident, $overflow:expr) => {
        /// Takes its time for each load; knows how many there were, and the last.
        #[derive(Default)]
        struct $name(u64, u64);

        impl Actor for $name {
            type Context = Context<Self>;
        }

        impl Process for $name {
            type Protocol = Loading;
            const CAPACITY: u32 = CAPACITY;
            const OVERFLOW: Overflow = $overflow;
        }

        impl Handler<Load> for $name {
            type Result = ();
            fn handle(&mut self, Load { number, .. }: Load, _: &mut Context<Self>) {
                let began = Instant::now();
                while began.elapsed() < DEAR {}
                (self.0, self.1) = (self.0 + 1, number);
            }
        }

        impl Handler<Handled> for $name {
            type Result = Reply<(u64, u64)>;
            fn handle(&mut self, _: Handled, _: &mut Context<Self>) -> Self::Result {
                Reply((self.0, self.1))
            }
        }
    };
}

slow_process!(Rejecting, Overflow::Reject);
slow_process!(Dropping, Overflow::DropOldest);
slow_process!(Blocking, Overflow::Block);
slow_process!(Growing, Overflow::Grow);

/// What became of the letters of an overload.
#[derive(Debug)]
struct Outcome {
    handled: u64,
    last: u64,
    /// The last that was let in where it was sent.
    last_sent: u64,
    busy: u64,
    full: u64,
    /// The most bytes that ever waited on the way out, and on the way in.
    unsent: u64,
    held: u64,
}

/// Runs `spawn` on a node of a thread of its own until the sender is dropped; its dead letters for
/// want of room come back at the end.
fn elsewhere(
    spawn: impl FnOnce(&Node) -> Pid<Loading> + Send + 'static,
) -> (
    Pid<Loading>,
    mpsc::Receiver<(u64, u64)>,
    oneshot::Sender<()>,
) {
    let (started, pid) = mpsc::channel();
    let (ended, ending) = mpsc::channel();
    let (end, wait) = oneshot::channel::<()>();
    thread::spawn(move || {
        alone(async move {
            let there = node().await;
            started.send(spawn(&there)).expect("the test waits");
            let mut held = 0;
            let watch = async {
                loop {
                    let most = there.backlogs().iter().map(|log| log.held_bytes).max();
                    held = held.max(most.unwrap_or(0));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                () = watch => {}
                _ = wait => {}
            }
            let full = dead(&there, DeadReason::MailboxFull);
            ended.send((full, held)).expect("the test waits");
            there.shutdown().await;
        });
    });
    (pid.recv().expect("it starts"), ending, end)
}

/// Sends far more than a slow process handles, without ever waiting.
fn overload(spawn: impl FnOnce(&Node) -> Pid<Loading> + Send + 'static) -> Outcome {
    let (pid, ending, end) = elsewhere(spawn);
    let outcome = mpsc::channel();
    alone(async {
        let here = Node::builder().peer_buffer(BUFFER).bind("127.0.0.1:0");
        let here = here.await.expect("a free port");
        assert_eq!(here.ask(&pid, Handled {}).await, Ok((0, 0)));
        let (mut unsent, mut last_sent, mut busy) = (0, 0, 0);
        for number in 0..LETTERS {
            let bytes = vec![7; LETTER];
            here.tell(&pid, Load { number, bytes });
            unsent = unsent.max(unsent_of(&here));
            let refused = dead(&here, DeadReason::PeerBusy);
            if refused == busy {
                last_sent = number;
            }
            busy = refused;
            // Ten times as fast as they are handled, or what the network takes if that is less.
            let told = Instant::now();
            while unsent_of(&here) > BUFFER as u64 / 2 && told.elapsed() < DEAR / 10 {
                tokio::task::yield_now().await;
            }
        }
        let mut refused_there = 0;
        let (handled, last) = loop {
            // Refused as busy, here or there, while the letters before it wait.
            let before = dead(&here, DeadReason::PeerBusy);
            if let Ok(handled) = here.ask(&pid, Handled {}).await {
                break handled;
            }
            refused_there += u64::from(dead(&here, DeadReason::PeerBusy) == before);
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        drop(end);
        let (full, held) = ending.recv().expect("it ends");
        let full = full - refused_there;
        let all = Outcome {
            handled,
            last,
            last_sent,
            busy,
            full,
            unsent,
            held,
        };
        outcome.0.send(all).expect("it is received below");
        here.shutdown().await;
    });
    outcome.1.recv().expect("it was sent above")
}

fn unsent_of(node: &Node) -> u64 {
    let unsent = node.backlogs().into_iter().map(|log| log.unsent_bytes);
    unsent.sum()
}

/// What holds under every policy.
fn check(outcome: &Outcome) {
    let Outcome {
        handled,
        busy,
        full,
        unsent,
        held,
        ..
    } = *outcome;
    let letter = LETTER as u64 + 100;
    assert!(unsent <= BUFFER as u64 + letter, "{outcome:?}");
    assert!(held <= WINDOW + letter, "{outcome:?}");
    assert_eq!(handled + busy + full, LETTERS, "{outcome:?}");
}

#[test]
fn a_process_that_blocks_holds_its_senders_up_and_loses_nothing_that_was_let_in() {
    let outcome = overload(|node| node.spawn("slow", Blocking::default()));
    check(&outcome);
    assert_eq!(outcome.full, 0, "{outcome:?}");
    assert!(outcome.busy > 0 && outcome.held > 0, "{outcome:?}");
}

#[test]
fn a_process_that_rejects_never_holds_anybody_up() {
    let outcome = overload(|node| node.spawn("slow", Rejecting::default()));
    check(&outcome);
    assert!(outcome.full > 0 && outcome.held == 0, "{outcome:?}");
}

#[test]
fn a_process_that_drops_the_oldest_handles_the_newest() {
    let outcome = overload(|node| node.spawn("slow", Dropping::default()));
    check(&outcome);
    assert!(outcome.full > 0 && outcome.held == 0, "{outcome:?}");
    assert_eq!(outcome.last, outcome.last_sent, "{outcome:?}");
}

#[test]
fn a_process_that_grows_is_the_only_thing_that_does() {
    let outcome = overload(|node| node.spawn("slow", Growing::default()));
    check(&outcome);
    assert!(outcome.full == 0 && outcome.held == 0, "{outcome:?}");
}

/// Never has room.
struct Stuck;

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Process for Stuck {
    type Protocol = Listening;
    const CAPACITY: u32 = 0;
}

impl Handler<Total> for Stuck {
    type Result = ();
    fn handle(&mut self, _: Total, _: &mut Context<Self>) {}
}

impl Handler<Gone> for Stuck {
    type Result = ();
    fn handle(&mut self, _: Gone, _: &mut Context<Self>) {}
}

/// A node that counts a peer as gone after a silence this long.
const SILENCE: Duration = Duration::from_millis(90);

async fn attentive() -> Node {
    let node = Node::builder().silence(SILENCE).bind("127.0.0.1:0");
    node.await.expect("a free port")
}

#[test]
fn a_full_mailbox_holds_up_what_has_an_order_and_never_links_or_heartbeats() {
    alone(async {
        let (here, there) = (attentive().await, attentive().await);
        let watcher = here.spawn("watcher", Counter::default());
        let mut listener = here.probe::<Listening>("listener");
        let stuck = there.spawn("stuck", Stuck);
        let counter = there.spawn("counter", Counter::default());
        let watch = |whom: &Upid| Watch {
            whom: whom.clone(),
            listener: listener.pid(),
        };
        here.tell(&watcher, watch(stuck.upid()));
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        here.tell(&stuck, Total { total: 1 });
        let mut held = Box::pin(here.ask(&counter, Add { by: 1 }));
        let late = tokio::time::timeout(4 * SILENCE, &mut held).await;
        assert!(late.is_err(), "it waits behind the full mailbox");
        // Nobody took the other for dead, and a link is answered at once.
        let absent = format!("absent@{}", there.address())
            .parse()
            .expect("an address");
        here.tell(&watcher, watch(&absent));
        let gone = listener.expect::<Gone>().await;
        assert_eq!((gone.whom, gone.how.as_str()), (absent, "no such process"));
        // What waits is free once the process has gone.
        there.terminate(stuck.upid());
        assert_eq!(held.await, Ok(2));
        assert_eq!(listener.expect::<Gone>().await.how, "stopped");
        assert_eq!(
            dead(&there, DeadReason::NoProcess),
            1,
            "what waited for the process"
        );
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// Addresses lose what a node knows of them when they travel as text.
trait AsText {
    fn as_text(&self) -> Self;
}

impl<P> AsText for Pid<P> {
    fn as_text(&self) -> Self {
        self.to_string().parse().expect("an address is a value")
    }
}

#[test]
fn a_peer_that_dies_behind_a_full_mailbox_is_noticed() {
    alone(async {
        let there = attentive().await;
        there.spawn("stuck", Stuck);
        let mut peer = raw::greet(&there, raw::elsewhere(1), 1).await;
        let total = rmp_serde::to_vec_named(&Total { total: 1 }).expect("it encodes");
        let says = [
            raw::frame(1, b"stuck"),
            raw::frame(3, b"Total"),
            raw::letter(0, 0, &total),
            raw::letter(0, 0, &total),
        ];
        peer.write_all(&says.concat()).await.expect("it reads");
        assert!(raw::is_ended(&mut peer).await, "silence is noticed");
        while dead(&there, DeadReason::Disconnected) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(there.backlogs(), [], "nothing is left of it");
        there.shutdown().await;
    });
}

#[test]
fn a_peer_that_sends_past_its_window_loses_its_connection_and_no_other() {
    alone(async {
        let (here, there) = (node().await, node().await);
        there.spawn("stuck", Stuck);
        let counter = there.spawn("counter", Counter::default());
        let mut peer = raw::greet(&there, raw::elsewhere(1), 1).await;
        let known = [raw::frame(1, b"stuck"), raw::frame(3, b"Total")].concat();
        peer.write_all(&known).await.expect("it reads");
        // {"total": 1, "x": 1 MiB}: a later version of the message, as far as the node can tell.
        let total = b"\x82\xa5total\x01\xa1x\xc6\x00\x10\x00\x00";
        let letter = raw::letter(0, 0, &[&total[..], &[0; 1 << 20]].concat());
        let mut sent = 0;
        while peer.write_all(&letter).await.is_ok() {
            sent += letter.len();
            assert!(sent < 64 << 20, "it is cut off");
        }
        assert_eq!(here.ask(&counter.as_text(), Add { by: 1 }).await, Ok(1));
        here.shutdown().await;
        there.shutdown().await;
    });
}
