//! Memory: what an idle process takes, without a name, with one, and with a link.
//!
//! Idle is one that had its letter and rests, as most do: a thousand letters wait at once. Where all
//! hundred thousand do, what they took while they waited counts as well, as far as the heap keeps it.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, cold};
use crate::measure::machine::resident_bytes;
use crate::measure::reading::Reading;

/// Idle processes.
const PROCESSES: u64 = 100_000;
/// Processes that are spoken to before the last of them is waited for.
const FEW: usize = 1000;

protocol! {
    /// What an idler accepts.
    protocol Idling {
        message Begin {};
        message Watch { whom: Pid<Idling> };
        message Settle {} -> ();
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

impl Handler<Settle> for Idler {
    type Result = ();
    fn handle(&mut self, _: Settle, _: &mut Context<Self>) {}
}

/// What `make` made each of the processes that it counts down for take, its address included.
fn bytes_each<T>(
    load: Load,
    make: impl AsyncFn(&Node, u64, &Countdown) -> Vec<T>,
) -> io::Result<f64> {
    cold(load, async |node, load| {
        let count = load.of(PROCESSES);
        let (countdown, finished) = Countdown::new(count);
        let before = resident_bytes();
        let made = make(node, count, &countdown).await;
        finished.await.map_err(io::Error::other)?;
        let after = resident_bytes();
        drop(made);
        Ok(after.saturating_sub(before) as f64 / count as f64)
    })
}

pub(super) fn anonymous(load: Load) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, async |node, count, countdown| {
        let spawn = |_| node.spawn_anonymous(Nameless(countdown.clone()));
        (0..count).map(spawn).collect()
    })?;
    Ok(vec![Reading::bytes("memory", "idle process", bytes)])
}

fn spawn_named(node: &Node, count: u64, countdown: &Countdown) -> Vec<Pid<Idling>> {
    let spawn = |number| node.spawn(&format!("idler-{number}"), Idler(countdown.clone()));
    (0..count).map(spawn).collect()
}

/// Tells each of `all` something, and waits after so many `at_once` for the last of them.
async fn tell_each(
    node: &Node,
    all: &[Pid<Idling>],
    at_once: usize,
    tell: impl Fn(usize, &Pid<Idling>),
) {
    for (number, idler) in all.iter().enumerate() {
        tell(number, idler);
        if (number + 1) % at_once == 0 {
            // Nobody ends here: an answer comes.
            drop(node.ask(idler, Settle {}).await);
        }
    }
}

fn named_at_once(load: Load, name: &str, at_once: usize) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, async |node, count, countdown| {
        let all = spawn_named(node, count, countdown);
        tell_each(node, &all, at_once, |_, idler| node.tell(idler, Begin {})).await;
        all
    })?;
    Ok(vec![Reading::bytes(
        name,
        "process that had a letter",
        bytes,
    )])
}

pub(super) fn named(load: Load) -> io::Result<Vec<Reading>> {
    named_at_once(load, "memory-named", FEW)
}

pub(super) fn named_all_at_once(load: Load) -> io::Result<Vec<Reading>> {
    named_at_once(load, "memory-named-peak", usize::MAX)
}

fn linked_at_once(load: Load, name: &str, at_once: usize) -> io::Result<Vec<Reading>> {
    let bytes = bytes_each(load, async |node, count, countdown| {
        let all = spawn_named(node, count, countdown);
        let watch = |number: usize, idler: &_| {
            let whom = all[(number + 1) % all.len()].clone();
            node.tell(idler, Watch { whom });
        };
        tell_each(node, &all, at_once, watch).await;
        all
    })?;
    Ok(vec![Reading::bytes(name, "process with a link", bytes)])
}

pub(super) fn linked(load: Load) -> io::Result<Vec<Reading>> {
    linked_at_once(load, "memory-linked", FEW)
}

pub(super) fn linked_all_at_once(load: Load) -> io::Result<Vec<Reading>> {
    linked_at_once(load, "memory-linked-peak", usize::MAX)
}
