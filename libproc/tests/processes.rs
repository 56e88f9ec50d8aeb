//! What a process sees on one node: turns, asks, links, timers, panics, limits.

use std::time::Duration;

use libproc::prelude::*;
use libproc::{DeadReason, SpawnError};

protocol! {
    /// What a counter accepts.
    protocol Counting {
        message Add { by: u64 } -> u64;
        message AddLater { by: u64, after_ms: u64 } -> u64;
        message Drop {} -> u64;
        message Panic { text: String };
        message PanicLater { text: String };
        message Quit {};
        message Watch { whom: Upid, listener: Pid<Listening> };
        message AskFor { counter: Pid<Counting>, by: u64, listener: Pid<Listening> };
        message Tick { times: u64, listener: Pid<Listening> };
    }
}

protocol! {
    /// What a listener accepts.
    protocol Listening {
        message Total { total: u64 };
        message Gone { whom: Upid, how: String };
    }
}

#[derive(Default)]
struct Counter {
    total: u64,
    held: Vec<Answer<u64>>,
    listener: Option<Pid<Listening>>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Process for Counter {
    type Protocol = Counting;
    const CAPACITY: u32 = 100;
    fn routes(routes: &mut Routes<Self>) {
        routes.get("total", |counter, _, _| http::Response::text(counter.total));
    }
}

impl Handler<Add> for Counter {
    type Result = u64;
    fn handle(&mut self, Add { by }: Add, _: &mut Context<Self>) -> u64 {
        self.total += by;
        self.total
    }
}

impl Handler<AddLater> for Counter {
    type Result = Later<u64>;
    fn handle(&mut self, message: AddLater, ctx: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        ctx.after(
            Duration::from_millis(message.after_ms),
            move |counter, _| {
                counter.total += message.by;
                answer.send(counter.total);
            },
        );
        later
    }
}

impl Handler<Drop> for Counter {
    type Result = Later<u64>;
    fn handle(&mut self, _: Drop, _: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        self.held.push(answer);
        later
    }
}

impl Handler<Panic> for Counter {
    type Result = ();
    fn handle(&mut self, Panic { text }: Panic, _: &mut Context<Self>) {
        panic!("{text}");
    }
}

impl Handler<PanicLater> for Counter {
    type Result = ();
    fn handle(&mut self, PanicLater { text }: PanicLater, ctx: &mut Context<Self>) {
        ctx.defer(async move { panic!("{text}") }, |_, (), _| {});
    }
}

impl Handler<Quit> for Counter {
    type Result = ();
    fn handle(&mut self, _: Quit, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Watch> for Counter {
    type Result = ();
    fn handle(&mut self, Watch { whom, listener }: Watch, ctx: &mut Context<Self>) {
        self.listener = Some(listener);
        ctx.link(&whom);
        ctx.link(&whom);
    }
}

impl Handler<Exited> for Counter {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if let Some(listener) = &self.listener {
            ctx.tell(
                listener,
                Gone {
                    whom: upid,
                    how: reason.to_string(),
                },
            );
        }
    }
}

impl Handler<AskFor> for Counter {
    type Result = ();
    fn handle(&mut self, message: AskFor, ctx: &mut Context<Self>) {
        let asked = ctx.ask(&message.counter, Add { by: message.by });
        ctx.defer(asked, move |_, total, ctx| {
            let total = total.unwrap_or(u64::MAX);
            ctx.tell(&message.listener, Total { total });
        });
    }
}

impl Handler<Tick> for Counter {
    type Result = ();
    fn handle(&mut self, Tick { times, listener }: Tick, ctx: &mut Context<Self>) {
        ctx.tell(&listener, Total { total: times });
        if times > 0 {
            let again = TickAgain(Tick {
                times: times - 1,
                listener,
            });
            ctx.delay(Duration::from_secs(60), again);
        }
    }
}

struct TickAgain(Tick);

impl Message for TickAgain {
    type Result = ();
}

impl Handler<TickAgain> for Counter {
    type Result = ();
    fn handle(&mut self, TickAgain(tick): TickAgain, ctx: &mut Context<Self>) {
        self.handle(tick, ctx);
    }
}

/// Runs on this thread, on virtual time.
fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

async fn node() -> Node {
    Node::bind("127.0.0.1:0").await.expect("a free port")
}

fn dead(node: &Node, reason: DeadReason) -> u64 {
    node.dead_letters()
        .find(|(other, _)| *other == reason)
        .map_or(0, |(_, count)| count)
}

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
        let dropped = node.ask(&counter, Drop {});
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
