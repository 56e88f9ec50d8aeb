//! tokio tasks and their mpsc channels: what actors are made of by hand. Unbounded ones, and
//! bounded ones of 1024 messages; which of them is asked for by the name in `PEER`.

use std::time::Instant;

use common::{
    ASKS, BIG, BURNERS, BURNS, BURST, Call, Countdown, FAN_IN, FORK_JOIN, HOPS, IDLE, Load, MANY,
    MANY_ASKS, ONE_WAY, PINGS, RING, ROUND_TRIPS, Random, SENDERS, ask_from_one, burn, call, each,
    on_tokio, print, resident_bytes, warmed,
};
use tokio::sync::{mpsc, oneshot};

/// Messages that a bounded channel holds.
const BOUND: usize = 1024;

/// A sender of either kind.
enum To<T> {
    Unbounded(mpsc::UnboundedSender<T>),
    Bounded(mpsc::Sender<T>),
}

/// A receiver of either kind.
enum From<T> {
    Unbounded(mpsc::UnboundedReceiver<T>),
    Bounded(mpsc::Receiver<T>),
}

impl<T> Clone for To<T> {
    fn clone(&self) -> To<T> {
        match self {
            To::Unbounded(to) => To::Unbounded(to.clone()),
            To::Bounded(to) => To::Bounded(to.clone()),
        }
    }
}

impl<T> To<T> {
    async fn send(&self, message: T) {
        match self {
            To::Unbounded(to) => to.send(message).unwrap_or_default(),
            To::Bounded(to) => to.send(message).await.unwrap_or_default(),
        }
    }
}

impl<T> From<T> {
    async fn next(&mut self) -> Option<T> {
        match self {
            From::Unbounded(from) => from.recv().await,
            From::Bounded(from) => from.recv().await,
        }
    }
}

/// Which kind.
#[derive(Clone, Copy)]
struct Kind {
    bounded: bool,
}

impl Kind {
    fn channel<T>(self) -> (To<T>, From<T>) {
        if self.bounded {
            let (to, from) = mpsc::channel(BOUND);
            return (To::Bounded(to), From::Bounded(from));
        }
        let (to, from) = mpsc::unbounded_channel();
        (To::Unbounded(to), From::Unbounded(from))
    }
}

async fn ping_pong(kind: Kind, load: Load) -> f64 {
    let count = load.of(ROUND_TRIPS);
    let (to_one, mut one) = kind.channel::<u64>();
    let (to_two, mut two) = kind.channel::<u64>();
    let began = Instant::now();
    let back = to_one.clone();
    tokio::spawn(async move {
        while let Some(left) = two.next().await {
            back.send(left - 1).await;
        }
    });
    let playing = tokio::spawn(async move {
        while let Some(left) = one.next().await {
            match left {
                0 => return,
                left => to_two.send(left - 1).await,
            }
        }
    });
    to_one.send(2 * count).await;
    playing.await.unwrap_or_default();
    each(began, count)
}

async fn fan_in(kind: Kind, senders: u64, messages: u64) -> f64 {
    let count = senders * messages;
    let (to, mut from) = kind.channel::<u64>();
    let began = Instant::now();
    for _ in 0..senders {
        let to = to.clone();
        tokio::spawn(async move {
            for number in 0..messages {
                to.send(number).await;
                if number % BURST == BURST - 1 {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let receiving = tokio::spawn(async move {
        for _ in 0..count {
            from.next().await;
        }
    });
    receiving.await.unwrap_or_default();
    each(began, count)
}

async fn ring(kind: Kind, load: Load) -> f64 {
    let hops = load.of(HOPS);
    let done = Countdown::new(1);
    let channels: Vec<_> = (0..RING).map(|_| kind.channel::<u64>()).collect();
    let first = channels[0].0.clone();
    let mut nexts: Vec<_> = channels.iter().map(|(to, _)| to.clone()).collect();
    nexts.rotate_left(1);
    for ((_, mut from), next) in channels.into_iter().zip(nexts) {
        let done = done.clone();
        tokio::spawn(async move {
            while let Some(left) = from.next().await {
                match left {
                    0 => done.down(),
                    left => next.send(left - 1).await,
                }
            }
        });
    }
    let began = Instant::now();
    first.send(hops).await;
    done.done().await;
    each(began, hops)
}

async fn fork_join(kind: Kind, load: Load) -> f64 {
    let count = load.of(FORK_JOIN);
    let done = Countdown::new(count);
    let began = Instant::now();
    let children = done.clone();
    tokio::spawn(async move {
        for number in 0..count {
            let (to, mut from) = kind.channel::<()>();
            let done = children.clone();
            tokio::spawn(async move {
                from.next().await;
                done.down();
            });
            to.send(()).await;
            if number % BURST == BURST - 1 {
                tokio::task::yield_now().await;
            }
        }
    });
    done.done().await;
    each(began, count)
}

enum Mingling {
    Ping(usize),
    Pong,
}

async fn big(kind: Kind, load: Load) -> f64 {
    let pings = load.of(PINGS);
    let done = Countdown::new(BIG as u64);
    let channels: Vec<_> = (0..BIG).map(|_| kind.channel::<Mingling>()).collect();
    let all: Vec<_> = channels.iter().map(|(to, _)| to.clone()).collect();
    let began = Instant::now();
    for (me, (_, mut from)) in channels.into_iter().enumerate() {
        let (all, done, mut random) = (all.clone(), done.clone(), Random::of(me as u64));
        tokio::spawn(async move {
            let mut left = pings;
            all[random.below(BIG)].send(Mingling::Ping(me)).await;
            while let Some(message) = from.next().await {
                match message {
                    Mingling::Ping(whom) => all[whom].send(Mingling::Pong).await,
                    Mingling::Pong => {
                        left -= 1;
                        match left {
                            0 => done.down(),
                            _ => all[random.below(BIG)].send(Mingling::Ping(me)).await,
                        }
                    }
                }
            }
        });
    }
    done.done().await;
    each(began, pings * BIG as u64)
}

/// Asks from one task, `in_flight` at once; or from as many tasks, one at once each.
async fn ask(kind: Kind, count: u64, in_flight: u64, tasks: u64) -> f64 {
    let (to, mut from) = kind.channel::<(u64, oneshot::Sender<u64>)>();
    tokio::spawn(async move {
        while let Some((number, reply)) = from.next().await {
            reply.send(number).unwrap_or_default();
        }
    });
    let began = Instant::now();
    let asking: Vec<_> = (0..tasks)
        .map(|_| {
            let to = to.clone();
            tokio::spawn(ask_from_one(count / tasks, in_flight, move |number| {
                let to = to.clone();
                async move {
                    let (reply, answer) = oneshot::channel();
                    to.send((number, reply)).await;
                    answer.await.unwrap_or_default();
                }
            }))
        })
        .collect();
    for task in asking {
        task.await.unwrap_or_default();
    }
    each(began, count)
}

async fn burning(kind: Kind, load: Load) -> f64 {
    let count = load.of(BURNS);
    let done = Countdown::new(BURNERS);
    let began = Instant::now();
    for number in 0..BURNERS {
        let (to, mut from) = kind.channel::<()>();
        let done = done.clone();
        tokio::spawn(async move {
            let (mut left, mut state) = (count, number + 13);
            to.send(()).await;
            while let Some(()) = from.next().await {
                state = burn(state);
                left -= 1;
                match left {
                    0 => return done.down(),
                    _ => to.send(()).await,
                }
            }
        });
    }
    done.done().await;
    each(began, count * BURNERS)
}

async fn memory(kind: Kind, load: Load) -> f64 {
    let count = load.of(IDLE);
    let begun = Countdown::new(count);
    let before = resident_bytes();
    let mut all = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (to, mut from) = kind.channel::<u64>();
        let begun = begun.clone();
        tokio::spawn(async move {
            begun.down();
            while from.next().await.is_some() {}
        });
        all.push(to);
    }
    begun.done().await;
    let after = resident_bytes();
    drop(all);
    (after - before) as f64 / count as f64
}

fn main() {
    let Call::Local { pattern, load } = call() else {
        return;
    };
    let peer = std::env::var("PEER").unwrap_or_default();
    let kind = Kind {
        bounded: peer == "tokio-bounded",
    };
    let figure = on_tokio(load.threads, async {
        match pattern.as_str() {
            "ping-pong" => warmed(load, |load| ping_pong(kind, load)).await,
            "one-way" => warmed(load, |load| fan_in(kind, 1, load.of(ONE_WAY))).await,
            "fan-in" => warmed(load, |load| fan_in(kind, SENDERS, load.of(FAN_IN))).await,
            "ring" => warmed(load, |load| ring(kind, load)).await,
            "fork-join" => warmed(load, |load| fork_join(kind, load)).await,
            "big" => warmed(load, |load| big(kind, load)).await,
            "ask-1" => warmed(load, |load| ask(kind, load.of(ASKS), 1, 1)).await,
            "ask-100" => warmed(load, |load| ask(kind, load.of(MANY_ASKS), MANY, 1)).await,
            "ask-1-task" => warmed(load, |load| ask(kind, load.of(ASKS), 1, 1)).await,
            "ask-100-task" => warmed(load, |load| ask(kind, load.of(MANY_ASKS), 1, MANY)).await,
            "burn" => warmed(load, |load| burning(kind, load)).await,
            "memory" => memory(kind, load).await,
            _ => return None,
        }
        .into()
    });
    if let Some(figure) = figure {
        print(&peer, &pattern, load.threads, figure);
    }
}
