//! Ask: a question and its answer, with one or a hundred in flight, from a process and from a task
//! that is none.

use std::io;
use std::time::{Duration, Instant};

use libproc::prelude::*;

use super::stage::{Clock, Finish, Load, each, timed, warmed};
use crate::measure::latency::Latency;
use crate::measure::pace;
use crate::measure::reading::{Each, Reading};

/// Asks, one in flight.
pub(super) const ASKS: u64 = 200_000;
/// Asks, a hundred in flight.
const MANY_ASKS: u64 = 500_000;
/// How many those are.
const MANY: u64 = 100;
/// Asks a second that fall due where they are paced.
const RATE: u64 = 20_000;
/// How many of them: two seconds' worth.
const PACED: u64 = 2 * RATE;
/// Longer than any run: what an ask with a time-out is given.
const HOUR: Duration = Duration::from_secs(3600);

protocol! {
    /// What somebody who answers accepts.
    protocol Answering {
        message Question { number: u64 } -> u64;
    }
}

/// Answers, with so many timers pending.
struct Answerer {
    timers: u64,
}

impl Actor for Answerer {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        pend(self.timers, ctx);
    }
}

/// Starts `timers` timers, each due later than the one before, none during any run.
fn pend<A: Process>(timers: u64, ctx: &mut Context<A>) {
    for number in 0..timers {
        ctx.after(HOUR + Duration::from_micros(number), |_, _| {});
    }
}

impl Process for Answerer {
    type Protocol = Answering;
}

impl Handler<Question> for Answerer {
    type Result = u64;
    fn handle(&mut self, Question { number }: Question, _: &mut Context<Self>) -> u64 {
        number
    }
}

protocol! {
    /// What somebody who asks accepts.
    protocol Asking {
        message Ready {} -> ();
        message Begin {};
        /// Ask what was due so many nanoseconds after the beginning.
        message Due { nanoseconds: u64 };
    }
}

/// How an asker asks.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    pub(super) asks: u64,
    pub(super) in_flight: u64,
    /// With a time-out, which takes a timer each.
    pub(super) within: bool,
    /// Timers pending in the asking and in the answering process.
    pub(super) timers: u64,
    /// Single asks are timed.
    pub(super) stamped: bool,
}

/// Asks, and on each answer asks again.
struct Asker {
    of: Pid<Answering>,
    manner: Manner,
    left: u64,
    unanswered: u64,
    /// From when asks were sent, and from when they were due.
    latency: (Latency, Latency),
    began: Instant,
    finish: Finish<(Latency, Latency)>,
}

impl Asker {
    fn new(of: Pid<Answering>, manner: Manner, finish: Finish<(Latency, Latency)>) -> Asker {
        Asker {
            of,
            manner,
            left: manner.asks,
            unanswered: manner.asks,
            latency: (Latency::new(), Latency::new()),
            began: Instant::now(),
            finish,
        }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let question = Question { number: self.left };
        let asked = match self.manner.within {
            true => ctx.ask_within(&self.of, question, HOUR),
            false => ctx.ask(&self.of, question),
        };
        if self.manner.stamped {
            let since = Instant::now();
            return ctx.defer(asked, move |this, _, ctx| {
                this.latency.0.record_since(since);
                if this.answered() {
                    this.ask(ctx);
                }
            });
        }
        ctx.defer(asked, |this, _, ctx| {
            if this.answered() {
                this.ask(ctx);
            }
        });
    }

    /// Whether others are unanswered still.
    fn answered(&mut self) -> bool {
        self.unanswered -= 1;
        if self.unanswered == 0 {
            self.finish.with(std::mem::take(&mut self.latency));
        }
        self.unanswered > 0
    }
}

impl Actor for Asker {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        pend(self.manner.timers, ctx);
    }
}

impl Process for Asker {
    type Protocol = Asking;
}

impl Handler<Ready> for Asker {
    type Result = ();
    fn handle(&mut self, _: Ready, _: &mut Context<Self>) {}
}

impl Handler<Due> for Asker {
    type Result = ();
    fn handle(&mut self, Due { nanoseconds }: Due, ctx: &mut Context<Self>) {
        let due = self.began + Duration::from_nanos(nanoseconds);
        let sent = Instant::now();
        let asked = ctx.ask(
            &self.of,
            Question {
                number: nanoseconds,
            },
        );
        ctx.defer(asked, move |this, _, _| {
            this.latency.0.record_since(sent);
            this.latency.1.record_since(due);
            this.answered();
        });
    }
}

impl Handler<Begin> for Asker {
    type Result = ();
    fn handle(&mut self, _: Begin, ctx: &mut Context<Self>) {
        for _ in 0..self.manner.in_flight {
            self.ask(ctx);
        }
    }
}

/// Nanoseconds an ask, and how long single ones took when they were stamped.
pub(super) fn play(load: Load, manner: Manner) -> io::Result<(Each, Latency)> {
    warmed(load, async |node, load| {
        let asks = load.of(manner.asks);
        let manner = Manner { asks, ..manner };
        let (finish, finished) = Finish::new();
        let timers = manner.timers;
        let of = node.spawn("answerer", Answerer { timers });
        // Its timers are there before the clock starts.
        node.ask(&of, Question { number: 0 })
            .await
            .map_err(io::Error::other)?;
        let asker = node.spawn("asker", Asker::new(of, manner, finish));
        node.ask(&asker, Ready {}).await.map_err(io::Error::other)?;
        let (took, (latency, _)) = timed(finished, || node.tell(&asker, Begin {})).await?;
        Ok((each(&took, asks), latency))
    })
}

fn from_process(load: Load, name: &str, asks: u64, in_flight: u64) -> io::Result<Vec<Reading>> {
    let manner = Manner {
        asks,
        in_flight,
        ..Manner::default()
    };
    let (each, _) = play(load, manner)?;
    let stamped = Manner {
        stamped: true,
        ..manner
    };
    let (_, latency) = play(load, stamped)?;
    Ok(vec![Reading::time(name, "ask", each).with_latency(latency)])
}

/// Asks awaited by `tasks` tasks beside the processes, each with one in flight.
fn from_task(load: Load, name: &str, asks: u64, tasks: u64) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let of = node.spawn("answerer", Answerer { timers: 0 });
        let each_asks = load.of(asks / tasks);
        let clock = Clock::start();
        let ask = |_| {
            let (node, of) = (node.clone(), of.clone());
            tokio::task::spawn_local(async move {
                for number in 0..each_asks {
                    node.ask(&of, Question { number })
                        .await
                        .map_err(io::Error::other)?;
                }
                io::Result::Ok(())
            })
        };
        let all: Vec<_> = (0..tasks).map(ask).collect();
        for task in all {
            task.await??;
        }
        Ok(each(&clock.stop(), each_asks * tasks))
    })?;
    Ok(vec![Reading::time(name, "ask", each)])
}

pub(super) fn one(load: Load) -> io::Result<Vec<Reading>> {
    from_process(load, "ask-1", ASKS, 1)
}

pub(super) fn many(load: Load) -> io::Result<Vec<Reading>> {
    from_process(load, "ask-100", MANY_ASKS, MANY)
}

pub(super) fn one_from_task(load: Load) -> io::Result<Vec<Reading>> {
    from_task(load, "ask-1-task", ASKS, 1)
}

pub(super) fn many_from_tasks(load: Load) -> io::Result<Vec<Reading>> {
    from_task(load, "ask-100-task", MANY_ASKS, MANY)
}

/// Asks that fall due by the clock, answered or not.
pub(super) fn paced(load: Load) -> io::Result<Vec<Reading>> {
    warmed(load, async |node, load| {
        let asks = load.of(PACED);
        let manner = Manner {
            asks,
            ..Manner::default()
        };
        let (finish, finished) = Finish::new();
        let of = node.spawn("answerer", Answerer { timers: 0 });
        let asker = Asker::new(of, manner, finish);
        let began = asker.began;
        let asker = node.spawn("asker", asker);
        let teller = node.clone();
        let pacer = pace::start(began, RATE, asks, move |nanoseconds| {
            teller.tell(&asker, Due { nanoseconds });
        });
        let (sent, due) = finished.await.map_err(io::Error::other)?;
        pace::ended(pacer)?;
        Ok(pace::readings("ask-paced", due, sent))
    })
}
