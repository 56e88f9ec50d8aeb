//! Fork-join: a process spawns others, each gets one message and stops.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, each, timed, warmed};
use crate::measure::reading::Reading;

/// Processes spawned.
const CHILDREN: u64 = 100_000;
/// Children after which the parent lets others have their turn.
const BURST: u64 = 1000;

protocol! {
    /// What a child accepts.
    protocol Ending {
        message Leave {};
    }
}

struct Child(Countdown);

impl Actor for Child {
    type Context = Context<Self>;
}

impl Process for Child {
    type Protocol = Ending;
}

impl Handler<Leave> for Child {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.0.down();
    }
}

protocol! {
    /// What a parent accepts.
    protocol Forking {
        message Fork {};
    }
}

struct Parent {
    left: u64,
    countdown: Countdown,
}

impl Actor for Parent {
    type Context = Context<Self>;
}

impl Process for Parent {
    type Protocol = Forking;
}

impl Handler<Fork> for Parent {
    type Result = ();
    fn handle(&mut self, _: Fork, ctx: &mut Context<Self>) {
        for _ in 0..self.left.min(BURST) {
            self.left -= 1;
            let child = Child(self.countdown.clone());
            let child = ctx.node().spawn_anonymous(child);
            ctx.tell(&child, Leave {});
        }
        if self.left > 0 {
            ctx.tell(&ctx.pid(), Fork {});
        }
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let left = load.of(CHILDREN);
        let (countdown, finished) = Countdown::new(left);
        let parent = node.spawn("parent", Parent { left, countdown });
        let (took, ()) = timed(finished, || node.tell(&parent, Fork {})).await?;
        Ok(each(&took, left))
    })?;
    Ok(vec![Reading::time("fork-join", "process", each)])
}
