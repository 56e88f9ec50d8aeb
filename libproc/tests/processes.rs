//! What a process sees on one node: turns, asks, links, timers, panics, limits.

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::{DeadReason, SpawnError};

#[test]
fn letters_are_handled_in_the_order_they_were_sent() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        for by in 1..=10 {
            node.tell(&counter, Add { by });
        }
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(55));
        node.shutdown().await;
        assert_eq!(node.process_count(), 0);
    });
}

#[test]
fn an_answer_may_come_later() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let asked = node.ask(
            &counter,
            AddLater {
                by: 2,
                after_ms: 60_000,
            },
        );
        node.tell(&counter, Add { by: 40 });
        assert_eq!(asked.await, Ok(42));
        node.shutdown().await;
    });
}

#[test]
fn an_ask_that_nobody_will_answer_says_so() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let dropped = node.ask(&counter, Hold {});
        node.tell(&counter, Quit {});
        assert_eq!(dropped.await, Err(AskError::Lost));
        assert_eq!(node.exit_of(counter.upid()).await, ExitReason::NoProcess);
        assert_eq!(
            node.ask(&counter, Add { by: 1 }).await,
            Err(AskError::NoProcess)
        );
        assert_eq!(dead(&node, DeadReason::NoProcess), 1);
        node.shutdown().await;
    });
}

#[test]
fn a_process_that_asks_continues_in_its_own_turn() {
    paused(async {
        let node = node().await;
        let one = node.spawn("one", Counter::default());
        let two = node.spawn_anonymous(Counter::default());
        let mut listener = node.probe::<Listening>("listener");
        node.tell(
            &one,
            AskFor {
                counter: two.clone(),
                by: 7,
                listener: listener.pid(),
            },
        );
        assert_eq!(listener.expect::<Total>().await, Total { total: 7 });
        node.tell(&two, Quit {});
        node.tell(
            &one,
            AskFor {
                counter: two,
                by: 7,
                listener: listener.pid(),
            },
        );
        assert_eq!(listener.expect::<Total>().await, Total { total: u64::MAX });
        node.shutdown().await;
    });
}

#[test]
fn every_link_hears_of_an_exit_exactly_once() {
    paused(async {
        let node = node().await;
        let watcher = node.spawn("watcher", Counter::default());
        let mut listener = node.probe::<Listening>("listener");
        let cases = [
            ("quits", "stopped"),
            ("panics", "panicked: oh"),
            ("absent", "no such process"),
        ];
        for (id, how) in cases {
            let upid: Upid = format!("{id}@{}", node.address())
                .parse()
                .expect("an address");
            if id != "absent" {
                node.spawn(id, Counter::default());
            }
            node.tell(
                &watcher,
                Watch {
                    whom: upid.clone(),
                    listener: listener.pid(),
                },
            );
            assert!(node.ask(&watcher, Add { by: 0 }).await.is_ok());
            match id {
                "quits" => node.tell(&Pid::<Counting>::assume(upid.clone()), Quit {}),
                "panics" => {
                    let text = "oh".to_owned();
                    node.tell(&Pid::<Counting>::assume(upid.clone()), Panic { text });
                }
                _ => {}
            }
            let gone = listener.expect::<Gone>().await;
            assert_eq!(
                gone,
                Gone {
                    whom: upid,
                    how: how.to_owned()
                }
            );
        }
        listener.expect_nothing(Duration::from_secs(60)).await;
        node.shutdown().await;
    });
}

#[test]
fn a_panic_ends_one_process_and_leaves_its_name_free() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let exit = node.exit_of(counter.upid());
        node.tell(
            &counter,
            Panic {
                text: "boom".to_owned(),
            },
        );
        assert_eq!(exit.await, ExitReason::Panicked("boom".to_owned()));
        let again = node.spawn("counter", Counter::default());
        assert_eq!(again, counter);
        assert_eq!(node.ask(&counter, Add { by: 3 }).await, Ok(3));
        node.shutdown().await;
    });
}

/// Waits for longer than can be reckoned with.
struct Patient;

impl Actor for Patient {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.after(Duration::MAX, |_, ctx| ctx.stop());
    }
}

impl Process for Patient {
    type Protocol = Patience;
}

protocol! {
    /// What somebody patient accepts.
    protocol Patience { message Look {} -> bool; }
}

impl Handler<Look> for Patient {
    type Result = bool;
    fn handle(&mut self, _: Look, _: &mut Context<Self>) -> bool {
        true
    }
}

#[test]
fn a_time_beyond_all_clocks_is_only_long() {
    paused(async {
        let node = node().await;
        let patient = node.spawn("patient", Patient);
        tokio::time::sleep(Duration::from_secs(1_000_000)).await;
        assert_eq!(node.ask(&patient, Look {}).await, Ok(true));
        node.shutdown().await;
    });
}

#[test]
fn a_panic_in_what_a_process_waits_for_is_its_own() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let exit = node.exit_of(counter.upid());
        let text = "later".to_owned();
        node.tell(&counter, PanicLater { text });
        assert_eq!(exit.await, ExitReason::Panicked("later".to_owned()));
        node.shutdown().await;
    });
}

#[test]
fn timers_fire_at_their_time_and_cost_none() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let mut listener = node.probe::<Listening>("listener");
        let started = tokio::time::Instant::now();
        node.tell(
            &counter,
            Tick {
                times: 60,
                listener: listener.pid(),
            },
        );
        for times in (0..=60).rev() {
            assert_eq!(listener.expect::<Total>().await, Total { total: times });
        }
        let hour = Duration::from_secs(3600);
        let elapsed = started.elapsed();
        assert!(
            elapsed >= hour && elapsed < hour + Duration::from_secs(1),
            "{elapsed:?}"
        );
        node.shutdown().await;
    });
}

#[test]
fn a_full_mailbox_refuses_and_counts() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        for _ in 0..Counter::CAPACITY {
            node.tell(&counter, Add { by: 1 });
        }
        node.tell(&counter, Add { by: 1 });
        assert_eq!(node.ask(&counter, Add { by: 1 }).await, Err(AskError::Busy));
        assert_eq!(dead(&node, DeadReason::MailboxFull), 2);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            node.ask(&counter, Add { by: 0 }).await,
            Ok(u64::from(Counter::CAPACITY))
        );
        node.shutdown().await;
    });
}

#[test]
fn ids_that_are_taken_or_none_are_refused() {
    paused(async {
        let node = node().await;
        node.spawn("counter", Counter::default());
        let taken = node.try_spawn("counter", Counter::default());
        assert_eq!(taken, Err(SpawnError::IdTaken("counter".to_owned())));
        for id in ["", "a b", "a@b", "a/b", "~1.1"] {
            let refused = node.try_spawn(id, Counter::default());
            assert_eq!(refused, Err(SpawnError::InvalidId(id.to_owned())));
        }
        node.shutdown().await;
    });
}

#[test]
fn an_address_that_claims_the_wrong_protocol_costs_a_dead_letter() {
    paused(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        let wrong = Pid::<Listening>::assume(counter.upid().clone());
        node.tell(&wrong, Total { total: 1 });
        assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(1));
        assert_eq!(dead(&node, DeadReason::NotAccepted), 1);
        node.shutdown().await;
    });
}

#[test]
fn a_system_runs_processes_on_every_core() {
    let counted = libproc::run(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let counters: Vec<_> = (0..50)
            .map(|_| node.spawn_anonymous(Counter::default()))
            .collect();
        for _ in 0..90 {
            for counter in &counters {
                node.tell(counter, Add { by: 1 });
            }
        }
        let mut sum = 0;
        for counter in &counters {
            sum += node.ask(counter, Add { by: 0 }).await.expect("an answer");
        }
        node.shutdown().await;
        Ok(sum)
    });
    assert_eq!(counted.expect("a system runs"), 50 * 90);
}
