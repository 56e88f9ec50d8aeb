//! Patterns between processes of one node.

use std::time::Instant;

use libproc::prelude::*;
use tokio::sync::oneshot;

protocol! {
    /// What a player accepts.
    pub(super) protocol Playing {
        message Ball { left: u64, to: Pid<Playing> };
        message Data { last: bool };
        message Question {} -> u64;
        message AskAll { of: Pid<Playing>, left: u64 };
        message Fork { left: u64 };
        message Bye {};
    }
}

/// Plays every pattern; tells when the last message of one has come.
#[derive(Default)]
pub(super) struct Player {
    pub(super) done: Option<oneshot::Sender<()>>,
    pub(super) count: u64,
}

impl Player {
    pub(super) fn new() -> (Player, oneshot::Receiver<()>) {
        let (done, finished) = oneshot::channel();
        (
            Player {
                done: Some(done),
                count: 0,
            },
            finished,
        )
    }

    fn finish(&mut self) {
        // Whoever measures waits until this.
        if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
    }
}

impl Actor for Player {
    type Context = Context<Self>;
}

impl Process for Player {
    type Protocol = Playing;
    const CAPACITY: u32 = u32::MAX;
}

impl Handler<Ball> for Player {
    type Result = ();
    fn handle(&mut self, Ball { left, to }: Ball, ctx: &mut Context<Self>) {
        if left == 0 {
            return self.finish();
        }
        ctx.tell(
            &to,
            Ball {
                left: left - 1,
                to: ctx.pid(),
            },
        );
    }
}

impl Handler<Data> for Player {
    type Result = ();
    fn handle(&mut self, Data { last }: Data, _: &mut Context<Self>) {
        self.count += 1;
        if last {
            self.finish();
        }
    }
}

impl Handler<Question> for Player {
    type Result = u64;
    fn handle(&mut self, _: Question, _: &mut Context<Self>) -> u64 {
        42
    }
}

impl Handler<AskAll> for Player {
    type Result = ();
    fn handle(&mut self, AskAll { of, left }: AskAll, ctx: &mut Context<Self>) {
        if left == 0 {
            return self.finish();
        }
        let asked = ctx.ask(&of, Question {});
        ctx.defer(asked, move |this, _, ctx| {
            this.handle(AskAll { of, left: left - 1 }, ctx)
        });
    }
}

impl Handler<Fork> for Player {
    type Result = ();
    fn handle(&mut self, Fork { left }: Fork, ctx: &mut Context<Self>) {
        if left == 0 {
            return self.finish();
        }
        let child = ctx.node().spawn_anonymous(Player::default());
        ctx.tell(&child, Bye {});
        ctx.tell(&ctx.pid(), Fork { left: left - 1 });
    }
}

impl Handler<Bye> for Player {
    type Result = ();
    fn handle(&mut self, _: Bye, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Sends bursts to a counter, yielding between them.
struct Sender {
    to: Pid<Playing>,
    left: u64,
}

struct Burst;

impl Message for Burst {
    type Result = ();
}

impl Actor for Sender {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.local().tell(Burst);
    }
}

protocol! {
    /// Nothing.
    pub(super) protocol Silent {}
}

impl Process for Sender {
    type Protocol = Silent;
}

impl Handler<Burst> for Sender {
    type Result = ();
    fn handle(&mut self, _: Burst, ctx: &mut Context<Self>) {
        for _ in 0..self.left.min(1000) {
            self.left -= 1;
            ctx.tell(
                &self.to,
                Data {
                    last: self.left == 0,
                },
            );
        }
        match self.left {
            0 => ctx.stop(),
            _ => ctx.local().tell(Burst),
        }
    }
}

/// Runs `start` on a fresh node with one worker; nanoseconds an operation until it is finished.
fn timed(n: u64, start: impl FnOnce(&Node) -> oneshot::Receiver<()>) -> f64 {
    let measured = libproc::run(async {
        let node = Node::builder().workers(1).bind("127.0.0.1:0").await?;
        let began = Instant::now();
        start(&node).await.map_err(std::io::Error::other)?;
        let elapsed = began.elapsed();
        node.shutdown().await;
        Ok(elapsed.as_nanos() as f64 / n as f64)
    });
    measured.expect("a node on a free port runs")
}

pub(super) fn ping_pong(n: u64) -> f64 {
    timed(n, |node| {
        let (player, finished) = Player::new();
        let one = node.spawn("one", player);
        let two = node.spawn("two", Player::default());
        node.tell(
            &one,
            Ball {
                left: 2 * n,
                to: two,
            },
        );
        finished
    })
}

pub(super) fn one_way(n: u64) -> f64 {
    timed(n, |node| {
        let (player, finished) = Player::new();
        let to = node.spawn("counter", player);
        node.spawn("sender", Sender { to, left: n });
        finished
    })
}

pub(super) fn ask(n: u64) -> f64 {
    timed(n, |node| {
        let (player, finished) = Player::new();
        let asker = node.spawn("asker", player);
        let of = node.spawn("of", Player::default());
        node.tell(&asker, AskAll { of, left: n });
        finished
    })
}

pub(super) fn fork(n: u64) -> f64 {
    timed(n, |node| {
        let (player, finished) = Player::new();
        let parent = node.spawn("parent", player);
        node.tell(&parent, Fork { left: n });
        finished
    })
}
