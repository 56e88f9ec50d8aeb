//! What becomes of messages that find a mailbox full.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use libproc::prelude::*;
use libproc::{DeadLetter, DeadLetterOffice, DeadReason, Overflow};

protocol! {
    /// What a collector accepts.
    pub protocol Collecting {
        message Item { number: u32 };
        message Collected {} -> Vec<u32>;
    }
}

/// A policy, as a type.
trait Policy: Send + Unpin + 'static {
    const OVERFLOW: Overflow;
}

macro_rules! policies {
    ($($name:ident),*) => { $(
        struct $name;
        impl Policy for $name { const OVERFLOW: Overflow = Overflow::$name; }
    )* };
}
policies!(Reject, DropOldest, Block, Grow);

/// Keeps what it is sent; three letters may wait for it.
struct Collector<O> {
    items: Vec<u32>,
    policy: PhantomData<fn(O)>,
}

impl<O: Policy> Actor for Collector<O> {
    type Context = Context<Self>;
}

impl<O: Policy> Process for Collector<O> {
    type Protocol = Collecting;
    const CAPACITY: u32 = 3;
    const OVERFLOW: Overflow = O::OVERFLOW;
}

impl<O: Policy> Handler<Item> for Collector<O> {
    type Result = ();
    fn handle(&mut self, Item { number }: Item, _: &mut Context<Self>) {
        self.items.push(number);
    }
}

impl<O: Policy> Handler<Collected> for Collector<O> {
    type Result = Vec<u32>;
    fn handle(&mut self, _: Collected, _: &mut Context<Self>) -> Vec<u32> {
        self.items.clone()
    }
}

fn alone(test: impl Future<Output = ()>) {
    libproc::run_alone(async {
        test.await;
        Ok(())
    })
    .expect("a runtime starts");
}

async fn collector<O: Policy>() -> (Node, Pid<Collecting>) {
    let node = Node::bind("127.0.0.1:0").await.expect("a port is free");
    let (items, policy) = (Vec::new(), PhantomData::<fn(O)>);
    let pid = node.spawn("collector", Collector { items, policy });
    (node, pid)
}

fn dead(node: &Node) -> BTreeMap<String, u64> {
    let dead = node.dead_letters().filter(|(_, count)| *count > 0);
    dead.map(|(reason, count)| (format!("{reason:?}"), count))
        .collect()
}

/// Sends five items before the process has a turn; what it kept, and what died.
fn five_at_once<O: Policy>() -> (Vec<u32>, u64) {
    let mut result = (Vec::new(), 0);
    alone(async {
        let (node, pid) = collector::<O>().await;
        for number in 1..=5 {
            node.tell(&pid, Item { number });
        }
        tokio::task::yield_now().await;
        result.0 = node.ask(&pid, Collected {}).await.expect("it lives");
        result.1 = dead(&node).get("MailboxFull").copied().unwrap_or(0);
        node.shutdown().await;
    });
    result
}

#[test]
fn a_full_mailbox_rejects_what_comes_or_drops_what_is_oldest_or_grows() {
    assert_eq!(five_at_once::<Reject>(), (vec![1, 2, 3], 2));
    assert_eq!(five_at_once::<DropOldest>(), (vec![3, 4, 5], 2));
    assert_eq!(five_at_once::<Grow>(), (vec![1, 2, 3, 4, 5], 0));
    // A sender on the same node cannot be held up.
    assert_eq!(five_at_once::<Block>(), (vec![1, 2, 3], 2));
}

#[test]
fn an_ask_that_finds_a_mailbox_full_or_is_dropped_from_it_is_told_that_it_is_busy() {
    alone(async {
        let (node, pid) = collector::<Reject>().await;
        let asks: Vec<_> = (0..4).map(|_| node.ask(&pid, Collected {})).collect();
        let mut answers = Vec::new();
        for ask in asks {
            answers.push(ask.await);
        }
        assert_eq!(answers[..3], [Ok(vec![]), Ok(vec![]), Ok(vec![])]);
        assert_eq!(answers[3], Err(AskError::Busy));
        node.shutdown().await;

        let (node, pid) = collector::<DropOldest>().await;
        let oldest = node.ask(&pid, Collected {});
        for number in 1..=3 {
            node.tell(&pid, Item { number });
        }
        assert_eq!(oldest.await, Err(AskError::Busy));
        node.shutdown().await;
    });
}

fn waits_for_room<O: Policy>() {
    alone(async {
        let (node, pid) = collector::<O>().await;
        for number in 1..=10 {
            let sent = node.send(&pid, Item { number }).await;
            assert_eq!(sent, Ok(()));
        }
        assert_eq!(node.ask(&pid, Collected {}).await, Ok((1..=10).collect()));
        assert_eq!(dead(&node), BTreeMap::new());
        node.terminate(pid.upid());
        node.exit_of(pid.upid()).await;
        let sent = node.send(&pid, Item { number: 11 }).await;
        assert_eq!(sent, Err(AskError::NoProcess));
        node.shutdown().await;
    });
}

#[test]
fn an_awaited_send_waits_for_room_under_every_policy_and_hears_when_nobody_is_there() {
    waits_for_room::<Reject>();
    waits_for_room::<DropOldest>();
    waits_for_room::<Block>();
    waits_for_room::<Grow>();
}

#[test]
fn dead_letters_are_reported_with_their_reason_type_and_sender() {
    alone(async {
        let (node, pid) = collector::<Reject>().await;
        let mut office = node.probe::<DeadLetterOffice>("office");
        node.report_dead_letters(&office.pid());
        for number in 1..=4 {
            node.tell(&pid, Item { number });
        }
        let full = DeadLetter {
            reason: DeadReason::MailboxFull,
            to: pid.upid().clone(),
            from: None,
            message: "Item".to_owned(),
        };
        assert_eq!(office.expect::<DeadLetter>().await, full);

        let nobody: Pid<Collecting> = format!("nobody@{}", node.address())
            .parse()
            .expect("an address");
        node.tell(&nobody, Item { number: 1 });
        let gone = DeadLetter {
            reason: DeadReason::NoProcess,
            to: nobody.upid().clone(),
            ..full
        };
        assert_eq!(office.expect::<DeadLetter>().await, gone);

        // An office that has gone is told no more, and its own letters are not reported.
        drop(office);
        node.exit_of(
            &format!("office@{}", node.address())
                .parse()
                .expect("an address"),
        )
        .await;
        node.tell(&nobody, Item { number: 1 });
        assert_eq!(dead(&node)["NoProcess"], 2);
        node.shutdown().await;
    });
}
