//! Big: many processes, each pinging others at random.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, each, timed, warmed};
use crate::measure::reading::Reading;

/// Processes that ping each other.
const PROCESSES: usize = 100;
/// Pings of each.
const PINGS: u64 = 5000;

protocol! {
    /// What one of the many accepts.
    protocol Mingling {
        message Meet { others: Vec<Pid<Mingling>> };
        message Begin {};
        message Ping { from: Pid<Mingling> };
        message Pong {};
    }
}

struct Guest {
    others: Vec<Pid<Mingling>>,
    left: u64,
    random: Random,
    countdown: Countdown,
}

/// The same cheap generator everywhere that this pattern is measured (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }
}

impl Guest {
    fn ping(&mut self, ctx: &mut Context<Self>) {
        let whom = self.random.below(self.others.len());
        ctx.tell(&self.others[whom], Ping { from: ctx.pid() });
    }
}

impl Actor for Guest {
    type Context = Context<Self>;
}

impl Process for Guest {
    type Protocol = Mingling;
}

impl Handler<Meet> for Guest {
    type Result = ();
    fn handle(&mut self, Meet { others }: Meet, _: &mut Context<Self>) {
        self.others = others;
    }
}

impl Handler<Begin> for Guest {
    type Result = ();
    fn handle(&mut self, _: Begin, ctx: &mut Context<Self>) {
        self.ping(ctx);
    }
}

impl Handler<Ping> for Guest {
    type Result = ();
    fn handle(&mut self, Ping { from }: Ping, ctx: &mut Context<Self>) {
        ctx.tell(&from, Pong {});
    }
}

impl Handler<Pong> for Guest {
    type Result = ();
    fn handle(&mut self, _: Pong, ctx: &mut Context<Self>) {
        self.left -= 1;
        match self.left {
            0 => self.countdown.down(),
            _ => self.ping(ctx),
        }
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let pings = load.of(PINGS);
        let (countdown, finished) = Countdown::new(PROCESSES as u64);
        let guest = |number: usize| Guest {
            others: Vec::new(),
            left: pings,
            random: Random(number as u64 * 7919 + 13),
            countdown: countdown.clone(),
        };
        let spawn = |number| node.spawn(&format!("guest-{number}"), guest(number));
        let all: Vec<_> = (0..PROCESSES).map(spawn).collect();
        for guest in &all {
            node.tell(
                guest,
                Meet {
                    others: all.clone(),
                },
            );
        }
        let start = || all.iter().for_each(|guest| node.tell(guest, Begin {}));
        let (took, ()) = timed(finished, start).await?;
        Ok(each(&took, pings * PROCESSES as u64))
    })?;
    Ok(vec![Reading::time("big", "ping and pong", each)])
}
