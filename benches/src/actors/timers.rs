//! Timers: what an ask costs processes with many pending timers, beside what it costs with none,
//! and what it costs with a time-out of its own.

use std::io;

use super::ask::{ASKS, Manner, play};
use super::stage::Load;
use crate::measure::reading::Reading;

/// Timers that pend, in the asking and in the answering process.
const TIMERS: u64 = 100_000;

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let none = Manner {
        asks: ASKS,
        in_flight: 1,
        ..Manner::default()
    };
    let timers = load.of(TIMERS);
    let many = Manner { timers, ..none };
    let within = Manner {
        within: true,
        ..none
    };
    let read = |name: &str, of: &str, manner| {
        let (each, _) = play(load, manner)?;
        io::Result::Ok(Reading::time(name, of, each))
    };
    Ok(vec![
        read("timers-none", "ask, no timers", none)?,
        read("timers-100k", "ask, 100,000 pending", many)?,
        read("timers-within", "ask with a time-out", within)?,
    ])
}
