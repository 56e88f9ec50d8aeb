//! libprocess's `LargeNumberOfLinks`: processes come and go among many that are linked.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, each, timed, warmed};
use crate::measure::reading::Reading;

/// Pairs of which one is linked to the other.
const PAIRS: u64 = 5000;
/// Processes that come and go among them.
const EPHEMERAL: u64 = 10_000;

protocol! {
    /// What a process that stays accepts.
    protocol Living {
        message Watch { whom: Pid<Living> };
    }
}

struct One(Countdown);

impl Actor for One {
    type Context = Context<Self>;
}

impl Process for One {
    type Protocol = Living;
}

impl Handler<Watch> for One {
    type Result = ();
    fn handle(&mut self, Watch { whom }: Watch, ctx: &mut Context<Self>) {
        ctx.link(whom.upid());
        self.0.down();
    }
}

impl Handler<Exited> for One {
    type Result = ();
    fn handle(&mut self, _: Exited, _: &mut Context<Self>) {}
}

/// Tells when it has gone.
struct Ephemeral(Countdown);

impl Actor for Ephemeral {
    type Context = Context<Self>;
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.0.down();
    }
}

protocol! {
    /// What a process that goes accepts.
    protocol Going {
        message Leave {};
    }
}

impl Process for Ephemeral {
    type Protocol = Going;
}

impl Handler<Leave> for Ephemeral {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let (pairs, count) = (load.of(PAIRS), load.of(EPHEMERAL));
        let (linked, all_linked) = Countdown::new(pairs);
        for _ in 0..pairs {
            let whom = node.spawn_anonymous(One(linked.clone()));
            let linker = node.spawn_anonymous(One(linked.clone()));
            node.tell(&linker, Watch { whom });
        }
        all_linked.await.map_err(io::Error::other)?;
        let (gone, all_gone) = Countdown::new(count);
        let start = || {
            for _ in 0..count {
                let one = node.spawn_anonymous(Ephemeral(gone.clone()));
                node.tell(&one, Leave {});
            }
        };
        let (took, ()) = timed(all_gone, start).await?;
        Ok(each(&took, count))
    })?;
    Ok(vec![Reading::time(
        "many-links",
        "process among 5000 links",
        each,
    )])
}
