//! Memory: what an idle process takes, without a name, with one, and with a link.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, cold};
use crate::measure::machine::resident_bytes;
use crate::measure::reading::Reading;

/// Idle processes.
const PROCESSES: u64 = 100_000;

protocol! {
    /// What an idler accepts.
    protocol Idling {
        message Begin {};
        message Watch { whom: Pid<Idling> };
    }
}

/// Starts, and does nothing more.
struct Nameless(Countdown);

impl Actor for Nameless {
    type Context = Context<Self>;
    fn started(&mut self, _: &mut Context<Self>) {
        self.0.down();
    }
}

protocol! {
    /// Nothing.
    protocol Silent {}
}

impl Process for Nameless {
    type Protocol = Silent;
}

/// Handles one letter, and does nothing more.
struct Idler(Countdown);

impl Actor for Idler {
    type Context = Context<Self>;
}

impl Process for Idler {
    type Protocol = Idling;
}

impl Handler<Begin> for Idler {
    type Result = ();
    fn handle(&mut self, _: Begin, _: &mut Context<Self>) {
        self.0.down();
    }
}

impl Handler<Watch> for Idler {
    type Result = ();
    fn handle(&mut self, Watch { whom }: Watch, ctx: &mut Context<Self>) {
        ctx.link(whom.upid());
        self.0.down();
    }
}

impl Handler<Exited> for Idler {
    type Result = ();
    fn handle(&mut self, _: Exited, _: &mut Context<Self>) {}
}

/// What `make` made each of the processes that it counts down for take, its address included.
fn bytes_each<T>(load: Load, make: impl Fn(&Node, u64, &Countdown) -> Vec<T>) -> io::Result<f64> {
    cold(load, async |node, load| {
        let count = load.of(PROCESSES);
        let (countdown, finished) = Countdown::new(count);
        let before = resident_bytes();
        let made = make(node, count, &countdown);
        finished.await.map_err(io::Error::other)?;
        let after = resident_bytes();
        drop(made);
        Ok(after.saturating_sub(before) as f64 / count as f64)
    })
}

pub(super) fn anonymous(load: Load) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, |node, count, countdown| {
        let spawn = |_| node.spawn_anonymous(Nameless(countdown.clone()));
        (0..count).map(spawn).collect()
    })?;
    Ok(vec![Reading::bytes("memory", "idle process", bytes)])
}

fn spawn_named(node: &Node, count: u64, countdown: &Countdown) -> Vec<Pid<Idling>> {
    let spawn = |number| node.spawn(&format!("idler-{number}"), Idler(countdown.clone()));
    (0..count).map(spawn).collect()
}

pub(super) fn named(load: Load) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, |node, count, countdown| {
        let all = spawn_named(node, count, countdown);
        all.iter().for_each(|idler| node.tell(idler, Begin {}));
        all
    })?;
    Ok(vec![Reading::bytes(
        "memory-named",
        "process that had a letter",
        bytes,
    )])
}

pub(super) fn linked(load: Load) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, |node, count, countdown| {
        let all = spawn_named(node, count, countdown);
        for (idler, whom) in all.iter().zip(all.iter().cycle().skip(1)) {
            node.tell(idler, Watch { whom: whom.clone() });
        }
        all
    })?;
    Ok(vec![Reading::bytes(
        "memory-linked",
        "process with a link",
        bytes,
    )])
}
