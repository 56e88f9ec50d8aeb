//! ractor actors: `cast` between them, `call` to ask.

use std::time::Instant;

use common::{
    ASKS, BIG, BURNERS, BURNS, BURST, Call, Countdown, FAN_IN, FORK_JOIN, HOPS, IDLE, Load, MANY,
    MANY_ASKS, ONE_WAY, PINGS, RING, ROUND_TRIPS, Random, SENDERS, ask_from_one, burn, call, each,
    on_tokio, print, resident_bytes, warmed,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

type Handled = Result<(), ActorProcessingErr>;

/// Gives an actor its `pre_start`: the state is what it was spawned with.
macro_rules! started {
    ($message:ty, $state:ty) => {
        type Msg = $message;
        type State = $state;
        type Arguments = $state;

        async fn pre_start(
            &self,
            _: ActorRef<$message>,
            state: $state,
        ) -> Result<$state, ActorProcessingErr> {
            Ok(state)
        }
    };
}

async fn start<A: Actor>(actor: A, state: A::Arguments) -> ActorRef<A::Msg> {
    Actor::spawn(None, actor, state)
        .await
        .expect("an actor starts")
        .0
}

/// Sends; whoever has gone needs nothing.
fn tell<M: ractor::Message>(to: &ActorRef<M>, message: M) {
    drop(to.cast(message));
}

enum Rally {
    Meet(ActorRef<Rally>),
    Ball(u64),
}

struct Player;

impl Actor for Player {
    started!(Rally, (Option<ActorRef<Rally>>, Countdown));

    async fn handle(
        &self,
        _: ActorRef<Rally>,
        message: Rally,
        (partner, done): &mut Self::State,
    ) -> Handled {
        match message {
            Rally::Meet(whom) => *partner = Some(whom),
            Rally::Ball(left) => match partner {
                Some(partner) if left > 0 => tell(partner, Rally::Ball(left - 1)),
                _ => done.down(),
            },
        }
        Ok(())
    }
}

async fn ping_pong(load: Load) -> f64 {
    let count = load.of(ROUND_TRIPS);
    let done = Countdown::new(1);
    let one = start(Player, (None, done.clone())).await;
    let two = start(Player, (None, done.clone())).await;
    tell(&one, Rally::Meet(two.clone()));
    tell(&two, Rally::Meet(one.clone()));
    let began = Instant::now();
    tell(&one, Rally::Ball(2 * count));
    done.done().await;
    let figure = each(began, count);
    one.stop(None);
    two.stop(None);
    figure
}

struct Data(u64);

struct Receiver;

impl Actor for Receiver {
    started!(Data, (u64, Countdown));

    async fn handle(
        &self,
        _: ActorRef<Data>,
        Data(number): Data,
        (left, done): &mut Self::State,
    ) -> Handled {
        std::hint::black_box(number);
        *left -= 1;
        if *left == 0 {
            done.down();
        }
        Ok(())
    }
}

struct Burst;

struct Sender;

impl Actor for Sender {
    started!(Burst, (ActorRef<Data>, u64));

    async fn handle(
        &self,
        myself: ActorRef<Burst>,
        _: Burst,
        (to, left): &mut Self::State,
    ) -> Handled {
        for _ in 0..(*left).min(BURST) {
            *left -= 1;
            tell(to, Data(*left));
        }
        if *left > 0 {
            tell(&myself, Burst);
        }
        Ok(())
    }
}

async fn fan_in(senders: u64, messages: u64) -> f64 {
    let count = senders * messages;
    let done = Countdown::new(1);
    let to = start(Receiver, (count, done.clone())).await;
    let mut all = Vec::new();
    for _ in 0..senders {
        all.push(start(Sender, (to.clone(), messages)).await);
    }
    let began = Instant::now();
    all.iter().for_each(|sender| tell(sender, Burst));
    done.done().await;
    each(began, count)
}

enum Passing {
    Close(ActorRef<Passing>),
    Token(u64),
}

struct Member;

impl Actor for Member {
    started!(Passing, (Option<ActorRef<Passing>>, Countdown));

    async fn handle(
        &self,
        _: ActorRef<Passing>,
        message: Passing,
        (next, done): &mut Self::State,
    ) -> Handled {
        match message {
            Passing::Close(whom) => *next = Some(whom),
            Passing::Token(left) => match next {
                Some(next) if left > 0 => tell(next, Passing::Token(left - 1)),
                _ => done.down(),
            },
        }
        Ok(())
    }
}

async fn ring(load: Load) -> f64 {
    let hops = load.of(HOPS);
    let done = Countdown::new(1);
    let mut all = Vec::new();
    for _ in 0..RING {
        all.push(start(Member, (None, done.clone())).await);
    }
    for (member, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        tell(member, Passing::Close(next.clone()));
    }
    let began = Instant::now();
    tell(&all[0], Passing::Token(hops));
    done.done().await;
    each(began, hops)
}

struct Leave;

struct Child;

impl Actor for Child {
    started!(Leave, Countdown);

    async fn handle(&self, myself: ActorRef<Leave>, _: Leave, _: &mut Countdown) -> Handled {
        myself.stop(None);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Leave>, done: &mut Countdown) -> Handled {
        done.down();
        Ok(())
    }
}

struct Fork;

struct Parent;

impl Actor for Parent {
    started!(Fork, (u64, Countdown));

    async fn handle(
        &self,
        myself: ActorRef<Fork>,
        _: Fork,
        (left, done): &mut Self::State,
    ) -> Handled {
        for _ in 0..(*left).min(BURST) {
            *left -= 1;
            tell(&start(Child, done.clone()).await, Leave);
        }
        if *left > 0 {
            tell(&myself, Fork);
        }
        Ok(())
    }
}

async fn fork_join(load: Load) -> f64 {
    let count = load.of(FORK_JOIN);
    let done = Countdown::new(count);
    let parent = start(Parent, (count, done.clone())).await;
    let began = Instant::now();
    tell(&parent, Fork);
    done.done().await;
    each(began, count)
}

enum Mingling {
    Meet(Vec<ActorRef<Mingling>>),
    Begin,
    Ping(ActorRef<Mingling>),
    Pong,
}

struct Guest {
    all: Vec<ActorRef<Mingling>>,
    left: u64,
    random: Random,
    done: Countdown,
}

impl Guest {
    fn ping(&mut self, myself: ActorRef<Mingling>) {
        let whom = self.random.below(BIG);
        tell(&self.all[whom], Mingling::Ping(myself));
    }
}

struct Guests;

impl Actor for Guests {
    started!(Mingling, Guest);

    async fn handle(
        &self,
        myself: ActorRef<Mingling>,
        message: Mingling,
        guest: &mut Guest,
    ) -> Handled {
        match message {
            Mingling::Meet(all) => guest.all = all,
            Mingling::Begin => guest.ping(myself),
            Mingling::Ping(from) => tell(&from, Mingling::Pong),
            Mingling::Pong => {
                guest.left -= 1;
                match guest.left {
                    0 => guest.done.down(),
                    _ => guest.ping(myself),
                }
            }
        }
        Ok(())
    }
}

async fn big(load: Load) -> f64 {
    let left = load.of(PINGS);
    let done = Countdown::new(BIG as u64);
    let mut all = Vec::new();
    for number in 0..BIG as u64 {
        let (random, done) = (Random::of(number), done.clone());
        all.push(
            start(
                Guests,
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
        .for_each(|guest| tell(guest, Mingling::Meet(all.clone())));
    let began = Instant::now();
    all.iter().for_each(|guest| tell(guest, Mingling::Begin));
    done.done().await;
    each(began, left * BIG as u64)
}

struct Question(u64, RpcReplyPort<u64>);

struct Answerer;

impl Actor for Answerer {
    started!(Question, ());

    async fn handle(
        &self,
        _: ActorRef<Question>,
        Question(number, reply): Question,
        (): &mut (),
    ) -> Handled {
        drop(reply.send(number));
        Ok(())
    }
}

async fn question(of: &ActorRef<Question>, number: u64) {
    drop(of.call(|reply| Question(number, reply), None).await);
}

struct Begin;

/// Asks from within its handler.
struct Asker;

impl Actor for Asker {
    started!(Begin, (ActorRef<Question>, u64, u64, Countdown));

    async fn handle(
        &self,
        _: ActorRef<Begin>,
        _: Begin,
        (of, count, in_flight, done): &mut Self::State,
    ) -> Handled {
        let of = &*of;
        ask_from_one(*count, *in_flight, |number| question(of, number)).await;
        done.down();
        Ok(())
    }
}

async fn ask(count: u64, in_flight: u64) -> f64 {
    let done = Countdown::new(1);
    let of = start(Answerer, ()).await;
    let asker = start(Asker, (of, count, in_flight, done.clone())).await;
    let began = Instant::now();
    tell(&asker, Begin);
    done.done().await;
    each(began, count)
}

async fn ask_from_tasks(count: u64, tasks: u64) -> f64 {
    let of = start(Answerer, ()).await;
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

struct Burn;

struct Burner;

impl Actor for Burner {
    started!(Burn, (u64, u64, Countdown));

    async fn handle(
        &self,
        myself: ActorRef<Burn>,
        _: Burn,
        (left, state, done): &mut Self::State,
    ) -> Handled {
        *state = burn(*state);
        *left -= 1;
        match *left {
            0 => done.down(),
            _ => tell(&myself, Burn),
        }
        Ok(())
    }
}

async fn burning(load: Load) -> f64 {
    let left = load.of(BURNS);
    let done = Countdown::new(BURNERS);
    let mut all = Vec::new();
    for number in 0..BURNERS {
        all.push(start(Burner, (left, number + 13, done.clone())).await);
    }
    let began = Instant::now();
    all.iter().for_each(|burner| tell(burner, Burn));
    done.done().await;
    each(began, left * BURNERS)
}

struct Idler;

impl Actor for Idler {
    started!(Begin, Countdown);

    async fn handle(&self, _: ActorRef<Begin>, _: Begin, begun: &mut Countdown) -> Handled {
        begun.down();
        Ok(())
    }
}

async fn memory(load: Load) -> f64 {
    let count = load.of(IDLE);
    let begun = Countdown::new(count);
    let before = resident_bytes();
    let mut all = Vec::with_capacity(count as usize);
    for _ in 0..count {
        all.push(start(Idler, begun.clone()).await);
    }
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
        print("ractor", &pattern, load.threads, figure);
    }
}
