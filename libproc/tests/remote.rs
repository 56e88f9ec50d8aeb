//! What two nodes say to each other over real sockets: telling, asking, order, load.

mod common;

use common::*;
use libproc::DeadReason;
use libproc::prelude::*;

#[test]
fn telling_and_asking_across_nodes_look_as_they_do_on_one() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let known: Pid<Counting> = counter.to_string().parse().expect("an address is a value");
        for by in 1..=100 {
            here.tell(&known, Add { by });
        }
        assert_eq!(here.ask(&known, Add { by: 0 }).await, Ok(5050));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn order_holds_for_one_sender_and_receiver_under_load() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let mut probe = there.probe::<Listening>("probe");
        for total in 0..20_000 {
            here.tell(&probe.pid(), Total { total });
        }
        for total in 0..20_000 {
            assert_eq!(probe.expect::<Total>().await, Total { total });
        }
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// Greets a counter and passes on what comes back.
struct Guest {
    host: Pid<Counting>,
    listener: Pid<Listening>,
}

impl Actor for Guest {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.tell(&self.host, Greet {});
    }
}

impl Process for Guest {
    type Protocol = Listening;
}

impl Handler<Total> for Guest {
    type Result = ();
    fn handle(&mut self, total: Total, ctx: &mut Context<Self>) {
        assert_eq!(ctx.sender(), Some(self.host.upid()));
        ctx.tell(&self.listener, total);
    }
}

impl Handler<Gone> for Guest {
    type Result = ();
    fn handle(&mut self, gone: Gone, ctx: &mut Context<Self>) {
        ctx.tell(&self.listener, gone);
    }
}

#[test]
fn a_reply_finds_its_way_back_by_the_sender() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let host = there.spawn("counter", Counter::default());
        // Two processes with the same id on two nodes are two processes.
        here.spawn("counter", Counter::default());
        assert_eq!(there.ask(&host, Add { by: 5 }).await, Ok(5));
        here.tell(&host, Greet {}); // by nobody: the reply goes nowhere
        let mut listener = here.probe::<Listening>("listener");
        here.spawn_anonymous(Guest {
            host: host.clone(),
            listener: listener.pid(),
        });
        here.spawn(
            "guest",
            Guest {
                host,
                listener: listener.pid(),
            },
        );
        for _ in 0..2 {
            assert_eq!(listener.expect::<Total>().await, Total { total: 5 });
        }
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn both_sides_may_connect_at_once() {
    alone(async {
        for _ in 0..20 {
            let (here, there) = (node().await, node().await);
            let mut at_here = here.probe::<Listening>("probe");
            let mut at_there = there.probe::<Listening>("probe");
            for total in 0..10 {
                here.tell(&at_there.pid(), Total { total });
                there.tell(&at_here.pid(), Total { total });
            }
            for total in 0..10 {
                assert_eq!(at_there.expect::<Total>().await, Total { total });
                assert_eq!(at_here.expect::<Total>().await, Total { total });
            }
            here.shutdown().await;
            there.shutdown().await;
        }
    });
}

#[test]
fn an_ask_that_cannot_be_answered_says_why() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let nowhere: Pid<Counting> = "counter@127.0.0.1:1".parse().expect("an address");
        assert_eq!(
            here.ask(&nowhere, Add { by: 1 }).await,
            Err(AskError::Refused)
        );
        let absent: Pid<Counting> = format!("absent@{}", there.address())
            .parse()
            .expect("an address");
        assert_eq!(
            here.ask(&absent, Add { by: 1 }).await,
            Err(AskError::NoProcess)
        );
        let wrong = Pid::<CountingLater>::assume(counter.upid().clone());
        assert_eq!(
            here.ask(&wrong, Add2 { by: 1 }).await,
            Err(AskError::NotAccepted)
        );
        let bytes = "x".repeat(17 << 20);
        assert_eq!(
            here.ask(&counter, Store { bytes }).await,
            Err(AskError::TooLarge)
        );
        let bytes = "x".repeat(9 << 20);
        assert_eq!(here.ask(&counter, Store { bytes }).await, Ok(9 << 20));
        let held = here.ask(&counter, Hold {});
        assert_eq!(here.ask(&counter, Add { by: 0 }).await, Ok(1));
        there.terminate(counter.upid());
        assert_eq!(held.await, Err(AskError::Lost));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_name_that_passes_to_a_process_of_another_protocol_is_heard_by_those_connected() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let probe = there.probe::<Listening>("one");
        let known: Pid<Counting> = probe
            .pid()
            .to_string()
            .parse()
            .expect("an address is a value");
        let refused = here.ask(&known, Add { by: 1 }).await;
        assert_eq!(refused, Err(AskError::NotAccepted));
        let exit = there.exit_of(known.upid());
        there.terminate(known.upid());
        exit.await;
        there.spawn("one", Counter::default());
        assert_eq!(here.ask(&known, Add { by: 2 }).await, Ok(2));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_slow_receiver_slows_its_senders_and_loses_only_what_is_counted() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        here.tell(&counter, Slow { ms: 50 });
        for _ in 0..50_000 {
            here.tell(&counter, Add { by: 1 });
        }
        let total = here.ask(&counter, Add { by: 0 }).await.expect("an answer");
        let lost = dead(&there, DeadReason::MailboxFull) + dead(&here, DeadReason::PeerBusy);
        assert_eq!(total + lost, 50_001);
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn nodes_on_many_threads_talk() {
    let total = libproc::run(async {
        let here = Node::builder().workers(2).bind("127.0.0.1:0").await?;
        let there = Node::builder().workers(2).bind("127.0.0.1:0").await?;
        let counters: Vec<_> = (0..20)
            .map(|n| there.spawn(&format!("counter{n}"), Counter::default()))
            .collect();
        let mut total = 0;
        for _ in 0..200 {
            for counter in &counters {
                here.tell(counter, Add { by: 1 });
            }
        }
        for counter in &counters {
            total += here.ask(counter, Add { by: 0 }).await.expect("an answer");
        }
        here.shutdown().await;
        there.shutdown().await;
        Ok(total)
    });
    assert_eq!(total.expect("a system runs"), 20 * 200);
}
