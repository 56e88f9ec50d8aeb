//! Workers that fail, and a foreman who hears of it, starts others and loses no job.
//!
//! Links and `Exited` are all it takes; nothing is polled and nothing times out.
//!
//!     cargo run -p libproc --example workers

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use libproc::prelude::*;

/// How many workers there are at a time.
const WORKERS: usize = 3;
/// Wait before the first new worker in the place of one that failed; it doubles each time.
const BACKOFF: Duration = Duration::from_millis(5);

protocol! {
    /// What a worker accepts.
    pub protocol Working {
        /// The reply is the number of primes below `limit`. Panics at a limit it does not like.
        message Count { limit: u32 } -> u32;
    }
}

protocol! {
    /// What a foreman accepts.
    pub protocol Leading {
        /// The reply, when all jobs are done: limits and how many primes are below them.
        message Results {} -> Vec<(u32, u32)>;
    }
}

struct Worker;

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Process for Worker {
    type Protocol = Working;
}

impl Handler<Count> for Worker {
    type Result = u32;
    fn handle(&mut self, Count { limit }: Count, ctx: &mut Context<Self>) -> u32 {
        // Something that goes wrong once, in whoever does it first.
        if limit % 4 == 3 && ctx.upid().id().ends_with("-1") {
            panic!("I do not like {limit}");
        }
        let is_prime = |n: &u32| {
            (2..*n)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        (2..limit).filter(is_prime).count() as u32
    }
}

/// Gives each worker one job at a time.
#[derive(Default)]
struct Foreman {
    jobs: VecDeque<u32>,
    /// Who works on what.
    busy: BTreeMap<Upid, u32>,
    /// How often the worker in each place was started.
    starts: [u32; WORKERS],
    done: Vec<(u32, u32)>,
    waiting: Vec<Answer<Vec<(u32, u32)>>>,
}

impl Actor for Foreman {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        for place in 0..WORKERS {
            self.start_worker(place, ctx);
        }
    }
}

impl Process for Foreman {
    type Protocol = Leading;
}

impl Foreman {
    fn start_worker(&mut self, place: usize, ctx: &mut Context<Self>) {
        self.starts[place] += 1;
        let id = format!("worker-{place}-{}", self.starts[place]);
        let worker = ctx.node().spawn(&id, Worker);
        ctx.link(worker.upid());
        self.give_job(worker, ctx);
    }

    fn give_job(&mut self, worker: Pid<Working>, ctx: &mut Context<Self>) {
        let Some(limit) = self.jobs.pop_front() else {
            return self.finish();
        };
        self.busy.insert(worker.upid().clone(), limit);
        let asked = ctx.ask(&worker, Count { limit });
        ctx.defer(asked, move |foreman, count, ctx| {
            // An error is no news: the link tells of it.
            if let Ok(count) = count {
                println!(
                    "{} counted {count} primes below {limit}",
                    worker.upid().id()
                );
                foreman.busy.remove(worker.upid());
                foreman.done.push((limit, count));
                foreman.give_job(worker, ctx);
            }
        });
    }

    fn finish(&mut self) {
        if self.jobs.is_empty() && self.busy.is_empty() {
            self.done.sort_unstable();
            for answer in self.waiting.drain(..) {
                answer.send(self.done.clone());
            }
        }
    }
}

impl Handler<Exited> for Foreman {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        println!("{} has {reason}", upid.id());
        self.jobs.extend(self.busy.remove(&upid));
        let place = upid
            .id()
            .split('-')
            .nth(1)
            .and_then(|place| place.parse().ok());
        if let Some(place) = place.filter(|place| *place < WORKERS) {
            let wait = BACKOFF * 2_u32.saturating_pow(self.starts[place]);
            ctx.after(wait, move |foreman, ctx| foreman.start_worker(place, ctx));
        }
    }
}

impl Handler<Results> for Foreman {
    type Result = Later<Vec<(u32, u32)>>;
    fn handle(&mut self, _: Results, _: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        self.waiting.push(answer);
        self.finish();
        later
    }
}

fn main() -> std::io::Result<()> {
    // What a panic prints is not worth seeing here: the foreman says what he heard.
    std::panic::set_hook(Box::new(|_| {}));
    libproc::run(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let jobs = (1..=10).map(|job| 1000 * job + job).collect();
        let foreman = node.spawn(
            "foreman",
            Foreman {
                jobs,
                ..Foreman::default()
            },
        );
        let results = node.ask(&foreman, Results {}).await;
        let results = results.map_err(std::io::Error::other)?;
        println!("{} jobs are done: {results:?}", results.len());
        node.shutdown().await;
        Ok(())
    })
}
