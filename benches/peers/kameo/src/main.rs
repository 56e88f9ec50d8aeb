//! kameo actors with unbounded mailboxes: `tell` between them, `ask` to ask.

use std::time::Instant;

use common::{
    ASKS, BIG, BURNERS, BURNS, BURST, Call, Countdown, FAN_IN, FORK_JOIN, HOPS, IDLE, Load, MANY,
    MANY_ASKS, ONE_WAY, PINGS, RING, ROUND_TRIPS, Random, SENDERS, ask_from_one, burn, call, each,
    on_tokio, print, resident_bytes, warmed,
};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::ActorStopReason;
use kameo::mailbox;
use kameo::message::{Context, Message};

fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

/// Sends; whoever has gone needs nothing. An unbounded mailbox takes everything at once.
fn tell<A: Message<M>, M: Send + 'static>(to: &ActorRef<A>, message: M) {
    drop(to.tell(message).try_send());
}

#[derive(Actor)]
struct Player {
    partner: Option<ActorRef<Player>>,
    done: Countdown,
}

struct Meet(ActorRef<Player>);

impl Message<Meet> for Player {
    type Reply = ();
    async fn handle(&mut self, Meet(partner): Meet, _: &mut Context<Self, ()>) {
        self.partner = Some(partner);
    }
}

struct Ball(u64);

impl Message<Ball> for Player {
    type Reply = ();
    async fn handle(&mut self, Ball(left): Ball, _: &mut Context<Self, ()>) {
        match &self.partner {
            Some(partner) if left > 0 => tell(partner, Ball(left - 1)),
            _ => self.done.down(),
        }
    }
}

async fn ping_pong(load: Load) -> f64 {
    let count = load.of(ROUND_TRIPS);
    let done = Countdown::new(1);
    let one = start(Player {
        partner: None,
        done: done.clone(),
    });
    let two = start(Player {
        partner: None,
        done: done.clone(),
    });
    tell(&one, Meet(two.clone()));
    tell(&two, Meet(one.clone()));
    let began = Instant::now();
    tell(&one, Ball(2 * count));
    done.done().await;
    let figure = each(began, count);
    one.kill();
    two.kill();
    figure
}

#[derive(Actor)]
struct Receiver {
    left: u64,
    done: Countdown,
}

struct Data(u64);

impl Message<Data> for Receiver {
    type Reply = ();
    async fn handle(&mut self, Data(number): Data, _: &mut Context<Self, ()>) {
        std::hint::black_box(number);
        self.left -= 1;
        if self.left == 0 {
            self.done.down();
        }
    }
}

#[derive(Actor)]
struct Sender {
    to: ActorRef<Receiver>,
    left: u64,
}

struct Burst;

impl Message<Burst> for Sender {
    type Reply = ();
    async fn handle(&mut self, _: Burst, ctx: &mut Context<Self, ()>) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            tell(&self.to, Data(self.left));
        }
        if self.left > 0 {
            tell(ctx.actor_ref(), Burst);
        }
    }
}

async fn fan_in(senders: u64, messages: u64) -> f64 {
    let left = senders * messages;
    let done = Countdown::new(1);
    let to = start(Receiver {
        left,
        done: done.clone(),
    });
    let sender = |_| {
        start(Sender {
            to: to.clone(),
            left: messages,
        })
    };
    let all: Vec<_> = (0..senders).map(sender).collect();
    let began = Instant::now();
    all.iter().for_each(|sender| tell(sender, Burst));
    done.done().await;
    each(began, left)
}

#[derive(Actor)]
struct Member {
    next: Option<ActorRef<Member>>,
    done: Countdown,
}

struct Close(ActorRef<Member>);

impl Message<Close> for Member {
    type Reply = ();
    async fn handle(&mut self, Close(next): Close, _: &mut Context<Self, ()>) {
        self.next = Some(next);
    }
}

struct Token(u64);

impl Message<Token> for Member {
    type Reply = ();
    async fn handle(&mut self, Token(left): Token, _: &mut Context<Self, ()>) {
        match &self.next {
            Some(next) if left > 0 => tell(next, Token(left - 1)),
            _ => self.done.down(),
        }
    }
}

async fn ring(load: Load) -> f64 {
    let hops = load.of(HOPS);
    let done = Countdown::new(1);
    let member = |_| {
        start(Member {
            next: None,
            done: done.clone(),
        })
    };
    let all: Vec<_> = (0..RING).map(member).collect();
    for (member, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        tell(member, Close(next.clone()));
    }
    let began = Instant::now();
    tell(&all[0], Token(hops));
    done.done().await;
    each(began, hops)
}

struct Child(Countdown);

impl Actor for Child {
    type Args = Child;
    type Error = kameo::error::Infallible;

    async fn on_start(child: Child, _: ActorRef<Child>) -> Result<Child, Self::Error> {
        Ok(child)
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Child>,
        _: ActorStopReason,
    ) -> Result<(), Self::Error> {
        self.0.down();
        Ok(())
    }
}

struct Leave;

impl Message<Leave> for Child {
    type Reply = ();
    async fn handle(&mut self, _: Leave, ctx: &mut Context<Self, ()>) {
        ctx.stop();
    }
}

#[derive(Actor)]
struct Parent {
    left: u64,
    done: Countdown,
}

struct Fork;

impl Message<Fork> for Parent {
    type Reply = ();
    async fn handle(&mut self, _: Fork, ctx: &mut Context<Self, ()>) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            tell(&start(Child(self.done.clone())), Leave);
        }
        if self.left > 0 {
            tell(ctx.actor_ref(), Fork);
        }
    }
}

async fn fork_join(load: Load) -> f64 {
    let left = load.of(FORK_JOIN);
    let done = Countdown::new(left);
    let parent = start(Parent {
        left,
        done: done.clone(),
    });
    let began = Instant::now();
    tell(&parent, Fork);
    done.done().await;
    each(began, left)
}

#[derive(Actor)]
struct Guest {
    all: Vec<ActorRef<Guest>>,
    left: u64,
    random: Random,
    done: Countdown,
}

impl Guest {
    fn ping(&mut self, ctx: &Context<Self, ()>) {
        let whom = self.random.below(BIG);
        tell(&self.all[whom], Ping(ctx.actor_ref().clone()));
    }
}

struct Guests(Vec<ActorRef<Guest>>);

impl Message<Guests> for Guest {
    type Reply = ();
    async fn handle(&mut self, Guests(all): Guests, _: &mut Context<Self, ()>) {
        self.all = all;
    }
}

struct Begin;

impl Message<Begin> for Guest {
    type Reply = ();
    async fn handle(&mut self, _: Begin, ctx: &mut Context<Self, ()>) {
        self.ping(ctx);
    }
}

struct Ping(ActorRef<Guest>);

impl Message<Ping> for Guest {
    type Reply = ();
    async fn handle(&mut self, Ping(from): Ping, _: &mut Context<Self, ()>) {
        tell(&from, Pong);
    }
}

struct Pong;

impl Message<Pong> for Guest {
    type Reply = ();
    async fn handle(&mut self, _: Pong, ctx: &mut Context<Self, ()>) {
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => self.ping(ctx),
        }
    }
}

async fn big(load: Load) -> f64 {
    let left = load.of(PINGS);
    let done = Countdown::new(BIG as u64);
    let guest = |number| {
        let (random, done) = (Random::of(number), done.clone());
        start(Guest {
            all: Vec::new(),
            left,
            random,
            done,
        })
    };
    let all: Vec<_> = (0..BIG as u64).map(guest).collect();
    all.iter()
        .for_each(|guest| tell(guest, Guests(all.clone())));
    let began = Instant::now();
    all.iter().for_each(|guest| tell(guest, Begin));
    done.done().await;
    each(began, left * BIG as u64)
}

#[derive(Actor)]
struct Answerer;

struct Question(u64);

impl Message<Question> for Answerer {
    type Reply = u64;
    async fn handle(&mut self, Question(number): Question, _: &mut Context<Self, u64>) -> u64 {
        number
    }
}

async fn question(of: &ActorRef<Answerer>, number: u64) {
    drop(of.ask(Question(number)).await);
}

/// Asks from within its handler.
#[derive(Actor)]
struct Asker {
    of: ActorRef<Answerer>,
    count: u64,
    in_flight: u64,
    done: Countdown,
}

impl Message<Begin> for Asker {
    type Reply = ();
    async fn handle(&mut self, _: Begin, _: &mut Context<Self, ()>) {
        let of = &self.of;
        ask_from_one(self.count, self.in_flight, |number| question(of, number)).await;
        self.done.down();
    }
}

async fn ask(count: u64, in_flight: u64) -> f64 {
    let done = Countdown::new(1);
    let of = start(Answerer);
    let asker = start(Asker {
        of,
        count,
        in_flight,
        done: done.clone(),
    });
    let began = Instant::now();
    tell(&asker, Begin);
    done.done().await;
    each(began, count)
}

async fn ask_from_tasks(count: u64, tasks: u64) -> f64 {
    let of = start(Answerer);
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

#[derive(Actor)]
struct Burner {
    left: u64,
    state: u64,
    done: Countdown,
}

struct Burn;

impl Message<Burn> for Burner {
    type Reply = ();
    async fn handle(&mut self, _: Burn, ctx: &mut Context<Self, ()>) {
        self.state = burn(self.state);
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => tell(ctx.actor_ref(), Burn),
        }
    }
}

async fn burning(load: Load) -> f64 {
    let left = load.of(BURNS);
    let done = Countdown::new(BURNERS);
    let burner = |number| {
        start(Burner {
            left,
            state: number + 13,
            done: done.clone(),
        })
    };
    let all: Vec<_> = (0..BURNERS).map(burner).collect();
    let began = Instant::now();
    all.iter().for_each(|burner| tell(burner, Burn));
    done.done().await;
    each(began, left * BURNERS)
}

#[derive(Actor)]
struct Idler(Countdown);

impl Message<Begin> for Idler {
    type Reply = ();
    async fn handle(&mut self, _: Begin, _: &mut Context<Self, ()>) {
        self.0.down();
    }
}

async fn memory(load: Load) -> f64 {
    let count = load.of(IDLE);
    let begun = Countdown::new(count);
    let before = resident_bytes();
    let all: Vec<_> = (0..count).map(|_| start(Idler(begun.clone()))).collect();
    all.iter().for_each(|idler| tell(idler, Begin));
    begun.done().await;
    let after = resident_bytes();
    drop(all);
    (after - before) as f64 / count as f64
}

async fn play(pattern: &str, load: Load) -> Option<f64> {
    Some(match pattern {
        "ping-pong" => warmed(load, ping_pong).await,
        "one-way" => warmed(load, |load| fan_in(1, load.of(ONE_WAY))).await,
        "fan-in" => warmed(load, |load| fan_in(SENDERS, load.of(FAN_IN))).await,
        "ring" => warmed(load, ring).await,
        "fork-join" => warmed(load, fork_join).await,
        "big" => warmed(load, big).await,
        "ask-1" => warmed(load, |load| ask(load.of(ASKS), 1)).await,
        "ask-100" => warmed(load, |load| ask(load.of(MANY_ASKS), MANY)).await,
        "ask-1-task" => warmed(load, |load| ask_from_tasks(load.of(ASKS), 1)).await,
        "ask-100-task" => warmed(load, |load| ask_from_tasks(load.of(MANY_ASKS), MANY)).await,
        "burn" => warmed(load, burning).await,
        "memory" => memory(load).await,
        _ => return None,
    })
}

fn main() {
    let Call::Local { pattern, load } = call() else {
        return;
    };
    let played = async { tokio::spawn(async move { (play(&pattern, load).await, pattern) }).await };
    if let Ok((Some(figure), pattern)) = on_tokio(load.threads, played) {
        print("kameo", &pattern, load.threads, figure);
    }
}
