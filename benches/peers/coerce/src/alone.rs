//! The patterns of actors that do not talk to each other: burn, and memory.

use std::time::Instant;

use async_trait::async_trait;
use coerce::actor::Actor;
use coerce::actor::context::ActorContext;
use coerce::actor::message::{Handler, Message};
use coerce::actor::system::ActorSystem;
use common::{BURNERS, BURNS, Countdown, IDLE, Load, burn, each, resident_bytes};

use crate::{Begin, start, tell};

struct Burner {
    left: u64,
    state: u64,
    done: Countdown,
}

impl Actor for Burner {}

struct Burn;

impl Message for Burn {
    type Result = ();
}

#[async_trait]
impl Handler<Burn> for Burner {
    async fn handle(&mut self, _: Burn, ctx: &mut ActorContext) {
        self.state = burn(self.state);
        self.left -= 1;
        match self.left {
            0 => self.done.down(),
            _ => tell(&self.actor_ref(ctx), Burn),
        }
    }
}

pub async fn burning(system: &ActorSystem, load: Load) -> f64 {
    let left = load.of(BURNS);
    let done = Countdown::new(BURNERS);
    let mut all = Vec::new();
    for number in 0..BURNERS {
        let (state, done) = (number + 13, done.clone());
        all.push(start(system, Burner { left, state, done }).await);
    }
    let began = Instant::now();
    all.iter().for_each(|burner| tell(burner, Burn));
    done.done().await;
    each(began, left * BURNERS)
}

struct Idler(Countdown);

impl Actor for Idler {}

#[async_trait]
impl Handler<Begin> for Idler {
    async fn handle(&mut self, _: Begin, _: &mut ActorContext) {
        self.0.down();
    }
}

pub async fn memory(system: &ActorSystem, load: Load) -> f64 {
    let count = load.of(IDLE);
    let begun = Countdown::new(count);
    let before = resident_bytes();
    let mut all = Vec::with_capacity(count as usize);
    for _ in 0..count {
        all.push(start(system, Idler(begun.clone())).await);
    }
    all.iter().for_each(|idler| tell(idler, Begin));
    begun.done().await;
    let after = resident_bytes();
    drop(all);
    (after - before) as f64 / count as f64
}
