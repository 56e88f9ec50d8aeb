//! Filters: a test awaits, drops, delays and doubles messages by their type.
#![cfg(feature = "sim")]

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim;

const SECOND: Duration = Duration::from_secs(1);

/// Tells `counter` to add each of `amounts`, from process `listener` of the same node.
fn add_all(node: &Node, counter: &Pid<Counting>, amounts: impl IntoIterator<Item = u64>) {
    for by in amounts {
        node.tell(counter, Add { by });
    }
}

#[test]
fn the_next_message_of_a_type_is_shown_and_handled() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let upcoming = node.filter::<Add>().await_next();
        node.tell(&counter, Greet {});
        add_all(&node, &counter, [2, 3]);
        let seen = upcoming.await;
        assert_eq!(seen.message, Add { by: 2 });
        assert_eq!((seen.from, &seen.to), (None, counter.upid()));
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(5));
        node.shutdown().await;
    });
}

#[test]
fn a_filter_looks_at_receiver_sender_and_content() {
    paused(async {
        let node = node().await;
        let one = node.spawn("one", Counter::default());
        let two = node.spawn("two", Counter::default());
        let mut listener = node.probe::<Listening>("listener");
        let to_two = node.filter::<Add>().to(two.upid()).drop_all();
        let large = node.filter::<Add>().when(|add| add.by >= 100).drop_all();
        let from_one = node.filter::<Total>().from(one.upid()).await_next();
        add_all(&node, &one, [1, 2, 100]);
        add_all(&node, &two, [1, 2, 100]);
        assert_eq!(node.ask(&one, Add { by: 0 }).await, Ok(3));
        assert_eq!(node.ask(&two, Add { by: 0 }).await, Err(AskError::Lost));
        // The older rule decides; the other one has seen only what was left to it.
        assert_eq!((to_two.count(), large.count()), (4, 1));
        to_two.lift();
        assert_eq!(node.ask(&two, Add { by: 0 }).await, Ok(0));
        for asker in [&two, &one] {
            let ask = AskFor {
                counter: one.clone(),
                by: 0,
                listener: listener.pid(),
            };
            node.tell(asker, ask);
        }
        assert_eq!(from_one.await.from.as_ref(), Some(one.upid()));
        for _ in 0..2 {
            assert_eq!(listener.expect::<Total>().await, Total { total: 3 });
        }
        node.shutdown().await;
    });
}

#[test]
fn a_dropped_message_is_gone_and_an_ask_hears_of_it() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let dropped = node.filter::<Add>().drop_next();
        let watched = node.filter::<Add>().await_next();
        add_all(&node, &counter, [1, 2]);
        assert_eq!(dropped.await.message, Add { by: 1 });
        assert_eq!(watched.await.message, Add { by: 1 }, "also what is dropped");
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(2));
        drop(node.filter::<Add>().drop_next()); // the rule stays
        let asked = node.ask(&counter, Add { by: 0 }).await;
        assert_eq!(asked, Err(AskError::Lost));
        node.filter::<Add>().drop_all();
        node.clear_filters();
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(2));
        node.shutdown().await;
    });
}

#[test]
fn a_delayed_message_is_overtaken_and_keeps_its_sender() {
    paused(async {
        let node = node().await;
        let mut listener = node.probe::<Listening>("listener");
        let counter = node.spawn("counter", Counter::default());
        let asker = node.spawn("asker", Counter::default());
        let delayed = node.filter::<Add>().delay_next(60 * SECOND);
        let since = tokio::time::Instant::now();
        let ask = |by| AskFor {
            counter: counter.clone(),
            by,
            listener: listener.pid(),
        };
        node.tell(&asker, ask(1));
        node.tell(&asker, ask(10));
        assert_eq!(delayed.await.from.as_ref(), Some(asker.upid()));
        for total in [10, 11] {
            assert_eq!(listener.expect::<Total>().await, Total { total });
        }
        assert!(since.elapsed() >= 60 * SECOND);
        // It goes with its process.
        let delayed = node.filter::<Add>().delay_next(60 * SECOND);
        let asked = node.ask(&counter, Add { by: 1 });
        delayed.await;
        node.terminate(counter.upid());
        assert_eq!(asked.await, Err(AskError::Lost));
        node.shutdown().await;
    });
}

#[test]
fn a_doubled_message_is_handled_twice_and_answered_once() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        node.filter::<Add>().double_next();
        assert_eq!(node.ask(&counter, Add { by: 5 }).await, Ok(5));
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(10));
        node.shutdown().await;
    });
}

#[test]
fn probes_are_filtered_as_processes_are() {
    paused(async {
        let node = node().await;
        let mut probe = node.probe::<Listening>("probe");
        let totals = node.filter::<Total>();
        totals.when(|total| total.total == 1).drop_all();
        node.filter::<Total>()
            .when(|total| total.total == 2)
            .delay_next(SECOND);
        node.filter::<Total>()
            .when(|total| total.total == 3)
            .double_next();
        for total in 1..=4 {
            node.tell(&probe.pid(), Total { total });
        }
        for total in [3, 3, 4, 2] {
            assert_eq!(probe.expect::<Total>().await, Total { total });
        }
        probe.expect_nothing(SECOND).await;
        node.shutdown().await;
    });
}

#[test]
fn messages_from_other_nodes_are_filtered_where_they_arrive() {
    sim::check(sim::seeds(2), |seed| {
        sim::run(seed, async |world| {
            let (here, there) = (world.start("here").await, world.start("there").await);
            let counter = there.spawn("counter", Counter::default());
            let elsewhere = here.filter::<Add>().drop_all();
            let dropped = there.filter::<Add>().drop_next();
            let asked = here.ask(&counter, Add { by: 1 });
            assert_eq!(dropped.await.message, Add { by: 1 });
            assert_eq!(asked.await, Err(AskError::Lost));
            assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
            assert_eq!(elsewhere.count(), 0, "it only passed through");
        });
    });
}
