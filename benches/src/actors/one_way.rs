//! One-way and fan-in: one sender, or four, to one receiver, as fast as they can.

use std::io;

use libproc::prelude::*;

use super::stage::{Finish, Load, each, timed, warmed};
use crate::measure::reading::{Each, Reading};

/// Messages of one sender to one receiver.
const ONE_WAY: u64 = 2_000_000;
/// Senders of the fan-in.
const SENDERS: u64 = 4;
/// Messages of each.
const FAN_IN: u64 = 500_000;
/// Messages after which a sender lets others have their turn.
const BURST: u64 = 1000;

protocol! {
    /// What a receiver accepts.
    protocol Receiving {
        message Data { number: u64 };
    }
}

struct Receiver {
    left: u64,
    finish: Finish<()>,
}

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Process for Receiver {
    type Protocol = Receiving;
    // As the peers' mailboxes here: no limit that a sender could meet.
    const CAPACITY: u32 = u32::MAX;
}

impl Handler<Data> for Receiver {
    type Result = ();
    fn handle(&mut self, _: Data, _: &mut Context<Self>) {
        self.left -= 1;
        if self.left == 0 {
            self.finish.with(());
        }
    }
}

protocol! {
    /// What a sender accepts.
    protocol Sending {
        message Burst {};
    }
}

struct Sender {
    to: Pid<Receiving>,
    left: u64,
}

impl Actor for Sender {
    type Context = Context<Self>;
}

impl Process for Sender {
    type Protocol = Sending;
}

impl Handler<Burst> for Sender {
    type Result = ();
    fn handle(&mut self, _: Burst, ctx: &mut Context<Self>) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            ctx.tell(&self.to, Data { number: self.left });
        }
        if self.left > 0 {
            ctx.tell(&ctx.pid(), Burst {});
        }
    }
}

fn play(load: Load, senders: u64, usual: u64) -> io::Result<Each> {
    warmed(load, async |node, load| {
        let count = load.of(usual);
        let (finish, finished) = Finish::new();
        let left = senders * count;
        let to = node.spawn("receiver", Receiver { left, finish });
        let sender = |number| {
            let sender = Sender {
                to: to.clone(),
                left: count,
            };
            node.spawn(&format!("sender-{number}"), sender)
        };
        let all: Vec<_> = (0..senders).map(sender).collect();
        let start = || all.iter().for_each(|sender| node.tell(sender, Burst {}));
        let (took, ()) = timed(finished, start).await?;
        Ok(each(&took, left))
    })
}

pub(super) fn one_way(load: Load) -> io::Result<Vec<Reading>> {
    let each = play(load, 1, ONE_WAY)?;
    Ok(vec![Reading::time("one-way", "message", each)])
}

pub(super) fn fan_in(load: Load) -> io::Result<Vec<Reading>> {
    let each = play(load, SENDERS, FAN_IN)?;
    Ok(vec![Reading::time("fan-in", "message", each)])
}
