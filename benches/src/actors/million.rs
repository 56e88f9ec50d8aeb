//! Million: a million processes on one node, all alive at once; each gets a message, then all stop.

use std::io;

use libproc::prelude::*;

use super::stage::{Clock, Countdown, Load, cold, each, timed};
use crate::measure::machine::resident_bytes;
use crate::measure::reading::Reading;

/// Processes alive at once.
const PROCESSES: u64 = 1_000_000;
/// Processes after which the sockets and timers of the thread have their turn.
const BURST: usize = 1000;

protocol! {
    /// What one of the million accepts.
    protocol Existing {
        message Greet {};
        message Leave {};
    }
}

struct One {
    greeted: Countdown,
    gone: Countdown,
}

impl Actor for One {
    type Context = Context<Self>;
}

impl Process for One {
    type Protocol = Existing;
}

impl Handler<Greet> for One {
    type Result = ();
    fn handle(&mut self, _: Greet, _: &mut Context<Self>) {
        self.greeted.down();
    }
}

impl Handler<Leave> for One {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.gone.down();
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    cold(load, async |node, load| {
        let count = load.of(PROCESSES);
        let (greeted, all_greeted) = Countdown::new(count);
        let (gone, all_gone) = Countdown::new(count);
        let before = resident_bytes();

        let clock = Clock::start();
        let mut all = Vec::with_capacity(count as usize);
        while all.len() < count as usize {
            for _ in 0..BURST.min(count as usize - all.len()) {
                let (greeted, gone) = (greeted.clone(), gone.clone());
                all.push(node.spawn_anonymous(One { greeted, gone }));
            }
            tokio::task::yield_now().await;
        }
        let spawned = clock.stop();

        let greet = || all.iter().for_each(|one| node.tell(one, Greet {}));
        let (greeting, ()) = timed(all_greeted, greet).await?;
        let resident = resident_bytes().saturating_sub(before);
        let end = || all.iter().for_each(|one| node.tell(one, Leave {}));
        let (ending, ()) = timed(all_gone, end).await?;

        let bytes = resident as f64 / count as f64;
        Ok(vec![
            Reading::time("million-spawn", "process", each(&spawned, count)),
            Reading::time("million-greet", "message to each", each(&greeting, count)),
            Reading::time("million-stop", "process", each(&ending, count)),
            Reading::bytes("million-memory", "process", bytes),
        ])
    })
}
