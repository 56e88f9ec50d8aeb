//! The same patterns between plain actix actors on one arbiter.

use std::time::Instant;

use actix::prelude::*;
use tokio::sync::oneshot;

#[derive(Default)]
struct Player {
    done: Option<oneshot::Sender<()>>,
    count: u64,
}

impl Actor for Player {
    type Context = actix::Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1 << 20);
    }
}

impl Player {
    fn new() -> (Player, oneshot::Receiver<()>) {
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
        if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
    }
}

struct Ball {
    left: u64,
    to: Addr<Player>,
}
struct Data {
    last: bool,
}
struct Question;
struct AskAll {
    of: Addr<Player>,
    left: u64,
}
struct Fork {
    left: u64,
}
struct Bye;
struct Burst {
    to: Addr<Player>,
    left: u64,
}

macro_rules! messages {
    ($($name:ident -> $reply:ty),*) => { $(impl Message for $name { type Result = $reply; })* };
}
messages!(Ball -> (), Data -> (), Question -> u64, AskAll -> (), Fork -> (), Bye -> (), Burst -> ());

impl Handler<Ball> for Player {
    type Result = ();
    fn handle(&mut self, Ball { left, to }: Ball, ctx: &mut Self::Context) {
        if left == 0 {
            return self.finish();
        }
        to.do_send(Ball {
            left: left - 1,
            to: ctx.address(),
        });
    }
}

impl Handler<Data> for Player {
    type Result = ();
    fn handle(&mut self, Data { last }: Data, _: &mut Self::Context) {
        self.count += 1;
        if last {
            self.finish();
        }
    }
}

impl Handler<Question> for Player {
    type Result = u64;
    fn handle(&mut self, _: Question, _: &mut Self::Context) -> u64 {
        42
    }
}

impl Handler<AskAll> for Player {
    type Result = ();
    fn handle(&mut self, AskAll { of, left }: AskAll, ctx: &mut Self::Context) {
        if left == 0 {
            return self.finish();
        }
        let asked = of.send(Question).into_actor(self);
        let next = asked.map(
            move |_, this: &mut Player, ctx: &mut actix::Context<Player>| {
                this.handle(AskAll { of, left: left - 1 }, ctx);
            },
        );
        ctx.spawn(next);
    }
}

impl Handler<Fork> for Player {
    type Result = ();
    fn handle(&mut self, Fork { left }: Fork, ctx: &mut Self::Context) {
        if left == 0 {
            return self.finish();
        }
        Player::default().start().do_send(Bye);
        ctx.notify(Fork { left: left - 1 });
    }
}

impl Handler<Bye> for Player {
    type Result = ();
    fn handle(&mut self, _: Bye, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Burst> for Player {
    type Result = ();
    fn handle(&mut self, Burst { to, mut left }: Burst, ctx: &mut Self::Context) {
        for _ in 0..left.min(1000) {
            left -= 1;
            to.do_send(Data { last: left == 0 });
        }
        if left > 0 {
            ctx.address().do_send(Burst { to, left });
        }
    }
}

fn timed(n: u64, start: impl FnOnce() -> oneshot::Receiver<()>) -> f64 {
    actix_rt::System::new().block_on(async {
        let began = Instant::now();
        start().await.expect("the pattern finishes");
        began.elapsed().as_nanos() as f64 / n as f64
    })
}

pub(super) fn ping_pong(n: u64) -> f64 {
    timed(n, || {
        let (player, finished) = Player::new();
        let to = Player::default().start();
        player.start().do_send(Ball { left: 2 * n, to });
        finished
    })
}

pub(super) fn one_way(n: u64) -> f64 {
    timed(n, || {
        let (player, finished) = Player::new();
        let to = player.start();
        Player::default().start().do_send(Burst { to, left: n });
        finished
    })
}

pub(super) fn ask(n: u64) -> f64 {
    timed(n, || {
        let (player, finished) = Player::new();
        let of = Player::default().start();
        player.start().do_send(AskAll { of, left: n });
        finished
    })
}

pub(super) fn fork(n: u64) -> f64 {
    timed(n, || {
        let (player, finished) = Player::new();
        player.start().do_send(Fork { left: n });
        finished
    })
}
