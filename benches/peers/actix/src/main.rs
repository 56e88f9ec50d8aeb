//! actix actors: on one arbiter, or dealt in turn to two.

use std::time::Instant;

use actix::prelude::*;
use common::{
    ASKS, BIG, BURNERS, BURNS, BURST, Call, Countdown, FAN_IN, FORK_JOIN, HOPS, IDLE, Load, MANY,
    MANY_ASKS, ONE_WAY, PINGS, RING, ROUND_TRIPS, Random, SENDERS, ask_from_one, burn, call, each,
    print, resident_bytes, warmed,
};

/// Where actors start: in turn.
struct Arbiters(Vec<ArbiterHandle>);

impl Arbiters {
    fn start<A: Actor<Context = Context<A>> + Send>(&self, place: usize, actor: A) -> Addr<A> {
        match place % (self.0.len() + 1) {
            0 => actor.start(),
            other => A::start_in_arbiter(&self.0[other - 1], |_| actor),
        }
    }
}

macro_rules! messages {
    ($($name:ident { $($field:ident: $ty:ty),* } -> $reply:ty;)*) => {
        $(struct $name { $($field: $ty),* }
        impl Message for $name { type Result = $reply; })*
    };
}

messages! {
    Meet { partner: Addr<Player> } -> ();
    Ball { left: u64 } -> ();
    Data { number: u64 } -> ();
    Burst { left: u64 } -> ();
    Close { next: Addr<Member> } -> ();
    Token { left: u64 } -> ();
    Leave {} -> ();
    Fork {} -> ();
    Guests { all: Vec<Addr<Guest>> } -> ();
    Begin {} -> ();
    Ping { from: Addr<Guest> } -> ();
    Pong {} -> ();
    Question { number: u64 } -> u64;
    Burn {} -> ();
}

macro_rules! actors {
    ($($name:ident)*) => { $(impl Actor for $name { type Context = Context<Self>; })* };
}

actors!(Player Receiver Sender Member Child Parent Guest Answerer Asker Burner Idler);

struct Player {
    partner: Option<Addr<Player>>,
    done: Countdown,
}

impl Handler<Meet> for Player {
    type Result = ();
    fn handle(&mut self, Meet { partner }: Meet, _: &mut Self::Context) {
        self.partner = Some(partner);
    }
}

impl Handler<Ball> for Player {
    type Result = ();
    fn handle(&mut self, Ball { left }: Ball, _: &mut Self::Context) {
        match &self.partner {
            Some(partner) if left > 0 => partner.do_send(Ball { left: left - 1 }),
            _ => self.done.down(),
        }
    }
}

async fn ping_pong(arbiters: &Arbiters, load: Load) -> f64 {
    let count = load.of(ROUND_TRIPS);
    let done = Countdown::new(1);
    let player = || Player {
        partner: None,
        done: done.clone(),
    };
    let (one, two) = (arbiters.start(0, player()), arbiters.start(1, player()));
    one.do_send(Meet {
        partner: two.clone(),
    });
    two.do_send(Meet {
        partner: one.clone(),
    });
    let began = Instant::now();
    one.do_send(Ball { left: 2 * count });
    done.done().await;
    each(began, count)
}

struct Receiver {
    left: u64,
    done: Countdown,
}

impl Handler<Data> for Receiver {
    type Result = ();
    fn handle(&mut self, Data { number }: Data, _: &mut Self::Context) {
        std::hint::black_box(number);
        self.left -= 1;
        if self.left == 0 {
            self.done.down();
        }
    }
}

struct Sender {
    to: Addr<Receiver>,
}

impl Handler<Burst> for Sender {
    type Result = ();
    fn handle(&mut self, Burst { left }: Burst, ctx: &mut Self::Context) {
        let count = left.min(BURST);
        for number in left - count..left {
            self.to.do_send(Data { number });
        }
        if left > count {
            ctx.address().do_send(Burst { left: left - count });
        }
    }
}

async fn fan_in(arbiters: &Arbiters, senders: u64, messages: u64) -> f64 {
    let left = senders * messages;
    let done = Countdown::new(1);
    let to = arbiters.start(
        0,
        Receiver {
            left,
            done: done.clone(),
        },
    );
    let start = |number| arbiters.start(number as usize + 1, Sender { to: to.clone() });
    let all: Vec<_> = (0..senders).map(start).collect();
    let began = Instant::now();
    all.iter()
        .for_each(|sender| sender.do_send(Burst { left: messages }));
    done.done().await;
    each(began, left)
}

struct Member {
    next: Option<Addr<Member>>,
    done: Countdown,
}

impl Handler<Close> for Member {
    type Result = ();
    fn handle(&mut self, Close { next }: Close, _: &mut Self::Context) {
        self.next = Some(next);
    }
}

impl Handler<Token> for Member {
    type Result = ();
    fn handle(&mut self, Token { left }: Token, _: &mut Self::Context) {
        match &self.next {
            Some(next) if left > 0 => next.do_send(Token { left: left - 1 }),
            _ => self.done.down(),
        }
    }
}

async fn ring(arbiters: &Arbiters, load: Load) -> f64 {
    let hops = load.of(HOPS);
    let done = Countdown::new(1);
    let member = |place| {
        arbiters.start(
            place,
            Member {
                next: None,
                done: done.clone(),
            },
        )
    };
    let all: Vec<_> = (0..RING).map(member).collect();
    for (member, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        member.do_send(Close { next: next.clone() });
    }
    let began = Instant::now();
    all[0].do_send(Token { left: hops });
    done.done().await;
    each(began, hops)
}

struct Child(Countdown);

impl Handler<Leave> for Child {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.0.down();
    }
}

struct Parent {
    left: u64,
    done: Countdown,
    arbiters: Arbiters,
}

impl Handler<Fork> for Parent {
    type Result = ();
    fn handle(&mut self, _: Fork, ctx: &mut Self::Context) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            let child = Child(self.done.clone());
            self.arbiters
                .start(self.left as usize, child)
                .do_send(Leave {});
        }
        if self.left > 0 {
            ctx.address().do_send(Fork {});
        }
    }
}

async fn fork_join(arbiters: &Arbiters, load: Load) -> f64 {
    let left = load.of(FORK_JOIN);
    let done = Countdown::new(left);
    let arbiters = Arbiters(arbiters.0.clone());
    let parent = Parent {
        left,
        done: done.clone(),
        arbiters,
    }
    .start();
    let began = Instant::now();
    parent.do_send(Fork {});
    done.done().await;
    each(began, left)
}

struct Guest {
    all: Vec<Addr<Guest>>,
    left: u64,
    random: Random,
    done: Countdown,
}

impl Guest {
    fn ping(&mut self, ctx: &mut Context<Self>) {
        let whom = self.random.below(BIG);
        self.all[whom].do_send(Ping {
            from: ctx.address(),
        });
    }
}

impl Handler<Guests> for Guest {
    type Result = ();
    fn handle(&mut self, Guests { all }: Guests, _: &mut Self::Context) {
        self.all = all;
    }
}

impl Handler<Begin> for Guest {
    type Result = ();
    fn handle(&mut self, _: Begin, ctx: &mut Self::Context) {
        self.ping(ctx);
    }
}

impl Handler<Ping> for Guest {
    type Result = ();
    fn handle(&mut self, Ping { from }: Ping, _: &mut Self::Context) {
        from.do_send(Pong {});
    }
}

impl Handler<Pong> for Guest {
    type Result = ();
    fn handle(&mut self, _: Pong, ctx: &mut Self::Context) {
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => self.ping(ctx),
        }
    }
}

async fn big(arbiters: &Arbiters, load: Load) -> f64 {
    let left = load.of(PINGS);
    let done = Countdown::new(BIG as u64);
    let guest = |place| {
        let (all, random, done) = (Vec::new(), Random::of(place as u64), done.clone());
        arbiters.start(
            place,
            Guest {
                all,
                left,
                random,
                done,
            },
        )
    };
    let all: Vec<_> = (0..BIG).map(guest).collect();
    for guest in &all {
        guest
            .send(Guests { all: all.clone() })
            .await
            .unwrap_or_default();
    }
    let began = Instant::now();
    all.iter().for_each(|guest| guest.do_send(Begin {}));
    done.done().await;
    each(began, left * BIG as u64)
}

struct Answerer;

impl Handler<Question> for Answerer {
    type Result = u64;
    fn handle(&mut self, Question { number }: Question, _: &mut Self::Context) -> u64 {
        number
    }
}

struct Asker {
    of: Addr<Answerer>,
    in_flight: u64,
    left: u64,
    unanswered: u64,
    done: Countdown,
}

impl Asker {
    fn ask(&mut self, ctx: &mut Context<Self>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let asked = self
            .of
            .send(Question { number: self.left })
            .into_actor(self);
        ctx.spawn(asked.map(|_, this: &mut Asker, ctx: &mut Context<Asker>| {
            this.unanswered -= 1;
            match this.unanswered {
                0 => this.done.down(),
                _ => this.ask(ctx),
            }
        }));
    }
}

impl Handler<Begin> for Asker {
    type Result = ();
    fn handle(&mut self, _: Begin, ctx: &mut Self::Context) {
        for _ in 0..self.in_flight {
            self.ask(ctx);
        }
    }
}

async fn ask(arbiters: &Arbiters, count: u64, in_flight: u64) -> f64 {
    let done = Countdown::new(1);
    let of = arbiters.start(1, Answerer);
    let (left, unanswered) = (count, count);
    let asker = Asker {
        of,
        in_flight,
        left,
        unanswered,
        done: done.clone(),
    };
    let asker = arbiters.start(0, asker);
    let began = Instant::now();
    asker.do_send(Begin {});
    done.done().await;
    each(began, count)
}

async fn ask_from_tasks(arbiters: &Arbiters, count: u64, tasks: u64) -> f64 {
    let of = arbiters.start(1, Answerer);
    let began = Instant::now();
    let asking: Vec<_> = (0..tasks)
        .map(|_| {
            let of = of.clone();
            actix_rt::spawn(ask_from_one(count / tasks, 1, move |number| {
                let asked = of.send(Question { number });
                async move { _ = asked.await }
            }))
        })
        .collect();
    for task in asking {
        task.await.unwrap_or_default();
    }
    each(began, count)
}

struct Burner {
    left: u64,
    state: u64,
    done: Countdown,
}

impl Handler<Burn> for Burner {
    type Result = ();
    fn handle(&mut self, _: Burn, ctx: &mut Self::Context) {
        self.state = burn(self.state);
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => ctx.address().do_send(Burn {}),
        }
    }
}

async fn burning(arbiters: &Arbiters, load: Load) -> f64 {
    let left = load.of(BURNS);
    let done = Countdown::new(BURNERS);
    let burner = |number| {
        let (state, done) = (number + 13, done.clone());
        arbiters.start(number as usize, Burner { left, state, done })
    };
    let all: Vec<_> = (0..BURNERS).map(burner).collect();
    let began = Instant::now();
    all.iter().for_each(|burner| burner.do_send(Burn {}));
    done.done().await;
    each(began, left * BURNERS)
}

struct Idler(Countdown);

impl Handler<Begin> for Idler {
    type Result = ();
    fn handle(&mut self, _: Begin, _: &mut Self::Context) {
        self.0.down();
    }
}

async fn memory(arbiters: &Arbiters, load: Load) -> f64 {
    let count = load.of(IDLE);
    let begun = Countdown::new(count);
    let before = resident_bytes();
    let start = |number| arbiters.start(number as usize, Idler(begun.clone()));
    let all: Vec<_> = (0..count).map(start).collect();
    all.iter().for_each(|idler| idler.do_send(Begin {}));
    begun.done().await;
    let after = resident_bytes();
    drop(all);
    (after - before) as f64 / count as f64
}

async fn play(arbiters: &Arbiters, pattern: &str, load: Load) -> Option<f64> {
    Some(match pattern {
        "ping-pong" => warmed(load, |load| ping_pong(arbiters, load)).await,
        "one-way" => warmed(load, |load| fan_in(arbiters, 1, load.of(ONE_WAY))).await,
        "fan-in" => warmed(load, |load| fan_in(arbiters, SENDERS, load.of(FAN_IN))).await,
        "ring" => warmed(load, |load| ring(arbiters, load)).await,
        "fork-join" => warmed(load, |load| fork_join(arbiters, load)).await,
        "big" => warmed(load, |load| big(arbiters, load)).await,
        "ask-1" => warmed(load, |load| ask(arbiters, load.of(ASKS), 1)).await,
        "ask-100" => warmed(load, |load| ask(arbiters, load.of(MANY_ASKS), MANY)).await,
        "ask-1-task" => warmed(load, |load| ask_from_tasks(arbiters, load.of(ASKS), 1)).await,
        "ask-100-task" => {
            warmed(load, |load| {
                ask_from_tasks(arbiters, load.of(MANY_ASKS), MANY)
            })
            .await
        }
        "burn" => warmed(load, |load| burning(arbiters, load)).await,
        "memory" => memory(arbiters, load).await,
        _ => return None,
    })
}

fn main() {
    let Call::Local { pattern, load } = call() else {
        return;
    };
    let figure = actix_rt::System::new().block_on(async {
        let others: Vec<_> = (1..load.threads).map(|_| Arbiter::new()).collect();
        let arbiters = Arbiters(others.iter().map(Arbiter::handle).collect());
        play(&arbiters, &pattern, load).await
    });
    if let Some(figure) = figure {
        print("actix", &pattern, load.threads, figure);
    }
}
