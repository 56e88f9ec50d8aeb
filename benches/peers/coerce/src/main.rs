//! coerce actors, anonymous ones: `notify` between them, `send` to ask.

mod alone;

use std::time::Instant;

use async_trait::async_trait;
use coerce::actor::context::ActorContext;
use coerce::actor::message::{Handler, Message};
use coerce::actor::system::ActorSystem;
use coerce::actor::{Actor, LocalActorRef};
use common::{
    ASKS, BIG, BURST, Call, Countdown, FAN_IN, FORK_JOIN, HOPS, Load, MANY, MANY_ASKS, ONE_WAY,
    PINGS, RING, ROUND_TRIPS, Random, SENDERS, ask_from_one, call, each, on_tokio, print, warmed,
};

async fn start<A: Actor>(system: &ActorSystem, actor: A) -> LocalActorRef<A> {
    system.new_anon_actor(actor).await.expect("an actor starts")
}

/// Sends; whoever has gone needs nothing.
fn tell<A: Actor + Handler<M>, M: Message>(to: &LocalActorRef<A>, message: M) {
    drop(to.notify(message));
}

macro_rules! messages {
    ($($name:ident -> $reply:ty;)*) => {
        $(impl Message for $name { type Result = $reply; })*
    };
}

messages! {
    Meet -> ();
    Ball -> ();
    Data -> ();
    Burst -> ();
    Close -> ();
    Token -> ();
    Leave -> ();
    Fork -> ();
    Guests -> ();
    Begin -> ();
    Ping -> ();
    Pong -> ();
    Question -> u64;
}

struct Player {
    partner: Option<LocalActorRef<Player>>,
    done: Countdown,
}

impl Actor for Player {}

struct Meet(LocalActorRef<Player>);

#[async_trait]
impl Handler<Meet> for Player {
    async fn handle(&mut self, Meet(partner): Meet, _: &mut ActorContext) {
        self.partner = Some(partner);
    }
}

struct Ball(u64);

#[async_trait]
impl Handler<Ball> for Player {
    async fn handle(&mut self, Ball(left): Ball, _: &mut ActorContext) {
        match &self.partner {
            Some(partner) if left > 0 => tell(partner, Ball(left - 1)),
            _ => self.done.down(),
        }
    }
}

async fn ping_pong(system: &ActorSystem, load: Load) -> f64 {
    let count = load.of(ROUND_TRIPS);
    let done = Countdown::new(1);
    let one = start(
        system,
        Player {
            partner: None,
            done: done.clone(),
        },
    )
    .await;
    let two = start(
        system,
        Player {
            partner: None,
            done: done.clone(),
        },
    )
    .await;
    tell(&one, Meet(two.clone()));
    tell(&two, Meet(one.clone()));
    let began = Instant::now();
    tell(&one, Ball(2 * count));
    done.done().await;
    each(began, count)
}

struct Receiver {
    left: u64,
    done: Countdown,
}

impl Actor for Receiver {}

struct Data(u64);

#[async_trait]
impl Handler<Data> for Receiver {
    async fn handle(&mut self, Data(number): Data, _: &mut ActorContext) {
        std::hint::black_box(number);
        self.left -= 1;
        if self.left == 0 {
            self.done.down();
        }
    }
}

struct Sender {
    to: LocalActorRef<Receiver>,
    left: u64,
}

impl Actor for Sender {}

struct Burst;

#[async_trait]
impl Handler<Burst> for Sender {
    async fn handle(&mut self, _: Burst, ctx: &mut ActorContext) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            tell(&self.to, Data(self.left));
        }
        if self.left > 0 {
            tell(&self.actor_ref(ctx), Burst);
        }
    }
}

async fn fan_in(system: &ActorSystem, senders: u64, messages: u64) -> f64 {
    let left = senders * messages;
    let done = Countdown::new(1);
    let to = start(
        system,
        Receiver {
            left,
            done: done.clone(),
        },
    )
    .await;
    let mut all = Vec::new();
    for _ in 0..senders {
        all.push(
            start(
                system,
                Sender {
                    to: to.clone(),
                    left: messages,
                },
            )
            .await,
        );
    }
    let began = Instant::now();
    all.iter().for_each(|sender| tell(sender, Burst));
    done.done().await;
    each(began, left)
}

struct Member {
    next: Option<LocalActorRef<Member>>,
    done: Countdown,
}

impl Actor for Member {}

struct Close(LocalActorRef<Member>);

#[async_trait]
impl Handler<Close> for Member {
    async fn handle(&mut self, Close(next): Close, _: &mut ActorContext) {
        self.next = Some(next);
    }
}

struct Token(u64);

#[async_trait]
impl Handler<Token> for Member {
    async fn handle(&mut self, Token(left): Token, _: &mut ActorContext) {
        match &self.next {
            Some(next) if left > 0 => tell(next, Token(left - 1)),
            _ => self.done.down(),
        }
    }
}

async fn ring(system: &ActorSystem, load: Load) -> f64 {
    let hops = load.of(HOPS);
    let done = Countdown::new(1);
    let mut all = Vec::new();
    for _ in 0..RING {
        all.push(
            start(
                system,
                Member {
                    next: None,
                    done: done.clone(),
                },
            )
            .await,
        );
    }
    for (member, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        tell(member, Close(next.clone()));
    }
    let began = Instant::now();
    tell(&all[0], Token(hops));
    done.done().await;
    each(began, hops)
}

struct Child(Countdown);

#[async_trait]
impl Actor for Child {
    async fn stopped(&mut self, _: &mut ActorContext) {
        self.0.down();
    }
}

struct Leave;

#[async_trait]
impl Handler<Leave> for Child {
    async fn handle(&mut self, _: Leave, ctx: &mut ActorContext) {
        ctx.stop(None);
    }
}

struct Parent {
    left: u64,
    done: Countdown,
}

impl Actor for Parent {}

struct Fork;

#[async_trait]
impl Handler<Fork> for Parent {
    async fn handle(&mut self, _: Fork, ctx: &mut ActorContext) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            tell(&start(ctx.system(), Child(self.done.clone())).await, Leave);
        }
        if self.left > 0 {
            tell(&self.actor_ref(ctx), Fork);
        }
    }
}

async fn fork_join(system: &ActorSystem, load: Load) -> f64 {
    let left = load.of(FORK_JOIN);
    let done = Countdown::new(left);
    let parent = start(
        system,
        Parent {
            left,
            done: done.clone(),
        },
    )
    .await;
    let began = Instant::now();
    tell(&parent, Fork);
    done.done().await;
    each(began, left)
}

struct Guest {
    all: Vec<LocalActorRef<Guest>>,
    left: u64,
    random: Random,
    done: Countdown,
}

impl Actor for Guest {}

impl Guest {
    fn ping(&mut self, ctx: &ActorContext) {
        let whom = self.random.below(BIG);
        tell(&self.all[whom], Ping(self.actor_ref(ctx)));
    }
}

struct Guests(Vec<LocalActorRef<Guest>>);

#[async_trait]
impl Handler<Guests> for Guest {
    async fn handle(&mut self, Guests(all): Guests, _: &mut ActorContext) {
        self.all = all;
    }
}

struct Begin;

#[async_trait]
impl Handler<Begin> for Guest {
    async fn handle(&mut self, _: Begin, ctx: &mut ActorContext) {
        self.ping(ctx);
    }
}

struct Ping(LocalActorRef<Guest>);

#[async_trait]
impl Handler<Ping> for Guest {
    async fn handle(&mut self, Ping(from): Ping, _: &mut ActorContext) {
        tell(&from, Pong);
    }
}

struct Pong;

#[async_trait]
impl Handler<Pong> for Guest {
    async fn handle(&mut self, _: Pong, ctx: &mut ActorContext) {
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => self.ping(ctx),
        }
    }
}

async fn big(system: &ActorSystem, load: Load) -> f64 {
    let left = load.of(PINGS);
    let done = Countdown::new(BIG as u64);
    let mut all = Vec::new();
    for number in 0..BIG as u64 {
        let (random, done) = (Random::of(number), done.clone());
        all.push(
            start(
                system,
                Guest {
                    all: Vec::new(),
                    left,
                    random,
                    done,
                },
            )
            .await,
        );
    }
    all.iter()
        .for_each(|guest| tell(guest, Guests(all.clone())));
    let began = Instant::now();
    all.iter().for_each(|guest| tell(guest, Begin));
    done.done().await;
    each(began, left * BIG as u64)
}

struct Answerer;

impl Actor for Answerer {}

struct Question(u64);

#[async_trait]
impl Handler<Question> for Answerer {
    async fn handle(&mut self, Question(number): Question, _: &mut ActorContext) -> u64 {
        number
    }
}

async fn question(of: &LocalActorRef<Answerer>, number: u64) {
    drop(of.send(Question(number)).await);
}

/// Asks from within its handler.
struct Asker {
    of: LocalActorRef<Answerer>,
    count: u64,
    in_flight: u64,
    done: Countdown,
}

impl Actor for Asker {}

#[async_trait]
impl Handler<Begin> for Asker {
    async fn handle(&mut self, _: Begin, _: &mut ActorContext) {
        let of = &self.of;
        ask_from_one(self.count, self.in_flight, |number| question(of, number)).await;
        self.done.down();
    }
}

async fn ask(system: &ActorSystem, count: u64, in_flight: u64) -> f64 {
    let done = Countdown::new(1);
    let of = start(system, Answerer).await;
    let asker = start(
        system,
        Asker {
            of,
            count,
            in_flight,
            done: done.clone(),
        },
    )
    .await;
    let began = Instant::now();
    tell(&asker, Begin);
    done.done().await;
    each(began, count)
}

async fn ask_from_tasks(system: &ActorSystem, count: u64, tasks: u64) -> f64 {
    let of = start(system, Answerer).await;
    let began = Instant::now();
    let asking: Vec<_> = (0..tasks)
        .map(|_| {
            let of = of.clone();
            tokio::spawn(async move {
                ask_from_one(count / tasks, 1, |number| question(&of, number)).await;
            })
        })
        .collect();
    for task in asking {
        task.await.unwrap_or_default();
    }
    each(began, count)
}

async fn play(system: &ActorSystem, pattern: &str, load: Load) -> Option<f64> {
    Some(match pattern {
        "ping-pong" => warmed(load, |load| ping_pong(system, load)).await,
        "one-way" => warmed(load, |load| fan_in(system, 1, load.of(ONE_WAY))).await,
        "fan-in" => warmed(load, |load| fan_in(system, SENDERS, load.of(FAN_IN))).await,
        "ring" => warmed(load, |load| ring(system, load)).await,
        "fork-join" => warmed(load, |load| fork_join(system, load)).await,
        "big" => warmed(load, |load| big(system, load)).await,
        "ask-1" => warmed(load, |load| ask(system, load.of(ASKS), 1)).await,
        "ask-100" => warmed(load, |load| ask(system, load.of(MANY_ASKS), MANY)).await,
        "ask-1-task" => warmed(load, |load| ask_from_tasks(system, load.of(ASKS), 1)).await,
        "ask-100-task" => {
            warmed(load, |load| {
                ask_from_tasks(system, load.of(MANY_ASKS), MANY)
            })
            .await
        }
        "burn" => warmed(load, |load| alone::burning(system, load)).await,
        "memory" => alone::memory(system, load).await,
        _ => return None,
    })
}

fn main() {
    let Call::Local { pattern, load } = call() else {
        return;
    };
    let played = async {
        let system = ActorSystem::new();
        tokio::spawn(async move { (play(&system, &pattern, load).await, pattern) }).await
    };
    if let Ok((Some(figure), pattern)) = on_tokio(load.threads, played) {
        print("coerce", &pattern, load.threads, figure);
    }
}
