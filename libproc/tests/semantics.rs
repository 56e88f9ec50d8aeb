//! What the page `guide::semantics` promises and no other test here shows.
#![cfg(feature = "sim")]

mod common;

use std::time::Duration;

use common::{node, paused};
use libproc::prelude::*;
use libproc::sim;

protocol! {
    /// What somebody accepts who has news.
    protocol Telling {
        /// Tells `listener` so many pieces of news, answers, and stops.
        message Go { count: u64, listener: Pid<Hearing> } -> u64;
    }
}

protocol! {
    /// What a listener accepts.
    protocol Hearing {
        message Listen { to: Pid<Telling>, count: u64 };
        message News { number: u64 };
        /// The reply is everything heard, when somebody's exit was among it.
        message Heard {} -> Vec<String>;
        message SetTimers {};
        message Fail {};
    }
}

struct Teller;

impl Actor for Teller {
    type Context = Context<Self>;
}

impl Process for Teller {
    type Protocol = Telling;
}

impl Handler<Go> for Teller {
    type Result = u64;
    fn handle(&mut self, Go { count, listener }: Go, ctx: &mut Context<Self>) -> u64 {
        for number in 0..count {
            ctx.tell(&listener, News { number });
        }
        ctx.stop();
        count
    }
}

/// Writes down what comes, in order.
#[derive(Default)]
struct Listener {
    heard: Vec<String>,
    waiting: Option<Answer<Vec<String>>>,
    last_word: Option<Pid<Hearing>>,
}

impl Actor for Listener {
    type Context = Context<Self>;
    fn stopped(&mut self, ctx: &mut Context<Self>) {
        if let Some(listener) = &self.last_word {
            ctx.tell(listener, News { number: 7 });
        }
    }
}

impl Process for Listener {
    type Protocol = Hearing;
}

impl Listener {
    fn hear(&mut self, what: impl Into<String>) {
        self.heard.push(what.into());
    }

    fn answer(&mut self) {
        if let Some(answer) = self.waiting.take() {
            answer.send(self.heard.clone());
        }
    }
}

impl Handler<Listen> for Listener {
    type Result = ();
    fn handle(&mut self, Listen { to, count }: Listen, ctx: &mut Context<Self>) {
        ctx.link(to.upid());
        let listener = ctx.pid();
        let asked = ctx.ask(&to, Go { count, listener });
        ctx.defer(asked, |listener, answer, _| {
            listener.hear(format!("answer {answer:?}"));
        });
    }
}

impl Handler<News> for Listener {
    type Result = ();
    fn handle(&mut self, News { number }: News, _: &mut Context<Self>) {
        self.hear(format!("news {number}"));
    }
}

impl Handler<Exited> for Listener {
    type Result = ();
    fn handle(&mut self, Exited { reason, .. }: Exited, _: &mut Context<Self>) {
        self.hear(format!("exit {reason}"));
        self.answer();
    }
}

impl Handler<Heard> for Listener {
    type Result = Later<Vec<String>>;
    fn handle(&mut self, _: Heard, _: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        self.waiting = Some(answer);
        if self.heard.iter().any(|heard| heard.starts_with("exit")) {
            self.answer();
        }
        later
    }
}

impl Handler<SetTimers> for Listener {
    type Result = ();
    fn handle(&mut self, _: SetTimers, ctx: &mut Context<Self>) {
        for (number, after_ms) in [(0, 20), (1, 10), (2, 20), (3, 10)] {
            let after = Duration::from_millis(after_ms);
            ctx.after(after, move |listener, _| {
                listener.hear(format!("timer {number}"));
            });
        }
        ctx.after(Duration::from_millis(30), |listener, _| {
            listener.hear("exit of none")
        });
    }
}

impl Handler<Fail> for Listener {
    type Result = ();
    fn handle(&mut self, _: Fail, _: &mut Context<Self>) {
        panic!("on demand");
    }
}

/// What is heard of somebody who tells three things, answers and stops.
fn in_order() -> Vec<String> {
    ["news 0", "news 1", "news 2", "answer Ok(3)", "exit stopped"]
        .map(str::to_owned)
        .into()
}

#[test]
fn what_was_told_comes_before_the_answer_and_the_answer_before_the_exit() {
    sim::check(sim::seeds(5), |seed| {
        sim::run(seed, async |world| {
            let (here, there) = (world.start("here").await, world.start("there").await);
            for (number, node) in [here.clone(), there].into_iter().enumerate() {
                let teller = node.spawn("teller", Teller);
                let listener = here.spawn(&format!("listener-{number}"), Listener::default());
                let to = teller.clone();
                here.tell(&listener, Listen { to, count: 3 });
                assert_eq!(here.ask(&listener, Heard {}).await, Ok(in_order()));
            }
        });
    });
}

#[test]
fn timers_run_by_their_time_and_then_in_the_order_they_were_set() {
    paused(async {
        let node = node().await;
        let listener = node.spawn("listener", Listener::default());
        node.tell(&listener, SetTimers {});
        tokio::time::sleep(Duration::from_secs(1)).await;
        let heard = node.ask(&listener, Heard {}).await.expect("an answer");
        let timers = ["timer 1", "timer 3", "timer 0", "timer 2", "exit of none"];
        assert_eq!(heard, timers);
        node.shutdown().await;
    });
}

#[test]
fn a_panic_leaves_no_last_word_and_the_next_at_the_address_gets_what_comes() {
    paused(async {
        let node = node().await;
        let mut probe = node.probe::<Hearing>("probe");
        let last_word = Some(probe.pid());
        let listener = Listener {
            last_word: last_word.clone(),
            ..Listener::default()
        };
        let listener = node.spawn("listener", listener);
        let exit = node.exit_of(listener.upid());
        node.tell(&listener, Fail {});
        node.tell(&listener, News { number: 1 }); // a dead letter
        assert!(matches!(exit.await, ExitReason::Panicked(_)));
        let next = Listener {
            last_word,
            ..Listener::default()
        };
        node.spawn("listener", next);
        node.tell(&listener, News { number: 2 });
        node.terminate(listener.upid()); // passes what waits
        assert_eq!(probe.expect::<News>().await, News { number: 7 });
        probe.expect_nothing(Duration::from_secs(1)).await;
        assert_eq!(common::dead(&node, libproc::DeadReason::NoProcess), 2);
        node.shutdown().await;
    });
}
