//! libprocess's `DispatchDefer`: a process asks itself, and carries a large value over the answer.

use std::io;

use libproc::prelude::*;

use super::stage::{Finish, Load, each, timed, warmed};
use crate::measure::reading::{Each, Reading};

/// Rounds of asking and going on.
const ROUNDS: u64 = 100_000;
/// Numbers in the value: 40 KiB.
const NUMBERS: usize = 10_240;

protocol! {
    /// What the process accepts.
    protocol Carrying {
        message Carry { numbers: Vec<i32> };
        message Step {} -> ();
    }
}

struct Carrier {
    left: u64,
    /// The value is copied each round, as one that cannot be moved would be.
    copies: bool,
    finish: Finish<()>,
}

impl Carrier {
    fn go_on(&mut self, numbers: Vec<i32>, ctx: &mut Context<Self>) {
        if self.left == 0 {
            return self.finish.with(());
        }
        self.left -= 1;
        let numbers = match self.copies {
            true => numbers.clone(),
            false => numbers,
        };
        let asked = ctx.ask(&ctx.pid(), Step {});
        ctx.defer(asked, move |this, _, ctx| this.go_on(numbers, ctx));
    }
}

impl Actor for Carrier {
    type Context = Context<Self>;
}

impl Process for Carrier {
    type Protocol = Carrying;
}

impl Handler<Carry> for Carrier {
    type Result = ();
    fn handle(&mut self, Carry { numbers }: Carry, ctx: &mut Context<Self>) {
        self.go_on(numbers, ctx);
    }
}

impl Handler<Step> for Carrier {
    type Result = ();
    fn handle(&mut self, _: Step, _: &mut Context<Self>) {}
}

fn play(load: Load, copies: bool) -> io::Result<Each> {
    warmed(load, async |node, load| {
        let left = load.of(ROUNDS);
        let (finish, finished) = Finish::new();
        let carrier = Carrier {
            left,
            copies,
            finish,
        };
        let carrier = node.spawn("carrier", carrier);
        let numbers = vec![42; NUMBERS];
        let (took, ()) = timed(finished, || node.tell(&carrier, Carry { numbers })).await?;
        Ok(each(&took, left))
    })
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    Ok(vec![
        Reading::time("dispatch-defer", "round, 40 KiB moved", play(load, false)?),
        Reading::time(
            "dispatch-defer-copy",
            "round, 40 KiB copied",
            play(load, true)?,
        ),
    ])
}
