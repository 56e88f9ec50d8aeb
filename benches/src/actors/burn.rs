//! Burn: processes whose messages cost some microseconds of computing each. Shows whether a second
//! arbiter is used where it pays.

use std::hint::black_box;
use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, each, timed, warmed};
use crate::measure::reading::Reading;

/// Processes that burn.
const PROCESSES: u64 = 64;
/// Messages of each.
const MESSAGES: u64 = 1000;
/// Steps of a generator that one message takes: about 4.5 us at 3 GHz.
const STEPS: u32 = 2250;

protocol! {
    /// What a burner accepts.
    protocol Burning {
        message Burn {};
    }
}

struct Burner {
    left: u64,
    state: u64,
    countdown: Countdown,
}

/// Computes for a while.
fn burn(state: u64) -> u64 {
    let mut state = state;
    for _ in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state)
}

impl Actor for Burner {
    type Context = Context<Self>;
}

impl Process for Burner {
    type Protocol = Burning;
}

impl Handler<Burn> for Burner {
    type Result = ();
    fn handle(&mut self, _: Burn, ctx: &mut Context<Self>) {
        self.state = burn(self.state);
        self.left -= 1;
        match self.left {
            0 => self.countdown.down(),
            _ => ctx.tell(&ctx.pid(), Burn {}),
        }
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let left = load.of(MESSAGES);
        let (countdown, finished) = Countdown::new(PROCESSES);
        let burner = |number| {
            let (state, countdown) = (number + 13, countdown.clone());
            node.spawn(
                &format!("burner-{number}"),
                Burner {
                    left,
                    state,
                    countdown,
                },
            )
        };
        let all: Vec<_> = (0..PROCESSES).map(burner).collect();
        let start = || all.iter().for_each(|burner| node.tell(burner, Burn {}));
        let (took, ()) = timed(finished, start).await?;
        Ok(each(&took, left * PROCESSES))
    })?;
    Ok(vec![Reading::time("burn", "message of 4.5 us", each)])
}
