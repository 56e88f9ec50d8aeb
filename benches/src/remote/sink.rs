//! The processes of the serving side.

use libproc::Blob;
use libproc::prelude::*;
use serde::{Deserialize, Serialize};

use crate::measure::cpu::processor_time;

/// Letters that may wait in a sink: more than a sender's window.
const CAPACITY: u32 = 1 << 20;

protocol! {
    /// What a sink accepts.
    pub(super) protocol Sinking {
        /// Counted, and dropped.
        message Load { bytes: Blob };
        /// How many loads came, ever.
        message Count {} -> u64;
        /// Given back.
        message Echo { bytes: Blob } -> Blob;
    }
}

/// Counts what it gets, and gives back what it is asked.
#[derive(Default)]
pub(super) struct Sink {
    count: u64,
}

/// The id of sink `number`.
pub(super) fn id(number: usize) -> String {
    format!("sink-{number}")
}

impl Actor for Sink {
    type Context = Context<Self>;
}

impl Process for Sink {
    type Protocol = Sinking;
    const CAPACITY: u32 = CAPACITY;
}

impl Handler<Load> for Sink {
    type Result = ();
    fn handle(&mut self, _: Load, _: &mut Context<Self>) {
        self.count += 1;
    }
}

impl Handler<Count> for Sink {
    type Result = u64;
    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.count
    }
}

impl Handler<Echo> for Sink {
    type Result = Reply<Blob>;
    fn handle(&mut self, Echo { bytes }: Echo, _: &mut Context<Self>) -> Reply<Blob> {
        Reply(bytes)
    }
}

/// Where the bare sockets of a serving side listen, on the address of its node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Bare {
    /// The floor.
    pub(super) floor: u16,
    /// The echo.
    pub(super) echo: u16,
}

protocol! {
    /// What the door of a serving side accepts.
    pub(super) protocol Doors {
        /// Where are the bare sockets?
        message Where {} -> Bare;
        /// Nanoseconds of processor time that the serving side has used so far.
        message Used {} -> u64;
    }
}

/// The id of the door.
pub(super) const DOOR: &str = "bench";

/// Says where the bare sockets are.
pub(super) struct Door(pub(super) Bare);

impl Actor for Door {
    type Context = Context<Self>;
}

impl Process for Door {
    type Protocol = Doors;
}

impl Handler<Where> for Door {
    type Result = Reply<Bare>;
    fn handle(&mut self, _: Where, _: &mut Context<Self>) -> Reply<Bare> {
        Reply(self.0)
    }
}

impl Handler<Used> for Door {
    type Result = u64;
    fn handle(&mut self, _: Used, _: &mut Context<Self>) -> u64 {
        processor_time().as_nanos() as u64
    }
}
