//! The process table of a node: slots that are recycled, never freed, and told apart by generation.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::letter::Letter;
use crate::link::Watcher;
use crate::overflow::Overflow;
use crate::pid::Upid;
use crate::process::Run;
use crate::protocol::MessageInfo;

/// Slots in the first chunk of the table; each further chunk doubles.
const FIRST_CHUNK: u32 = 64;
/// Chunks of the table: enough for every index a [`Handle`] can hold.
const CHUNKS: usize = 26;

/// Where a process lives in its node's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Handle {
    pub(crate) index: u32,
    /// How many processes the slot has hosted, this one included: never 0.
    pub(crate) generation: u32,
}

impl Handle {
    pub(crate) fn pack(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.index)
    }

    pub(crate) fn unpack(packed: u64) -> Option<Handle> {
        let handle = Handle {
            index: packed as u32,
            generation: (packed >> 32) as u32,
        };
        (handle.generation > 0).then_some(handle)
    }
}

/// One slot: a mailbox, and the process behind it whenever no worker is running it.
#[derive(Default)]
pub(crate) struct Slot(pub(crate) Mutex<Mailbox>);

/// What waits for a process, and the process itself.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) generation: u32,
    /// In some run queue, or being run.
    pub(crate) scheduled: bool,
    /// Has not been told yet that it started.
    pub(crate) fresh: bool,
    /// A timer fell due while it was being run.
    pub(crate) woken: bool,
    /// Accepts letters.
    pub(crate) alive: bool,
    pub(crate) capacity: u32,
    pub(crate) overflow: Overflow,
    pub(crate) handled: u64,
    pub(crate) queue: VecDeque<Letter>,
    pub(crate) body: Option<Box<dyn Run>>,
    pub(crate) upid: Option<Upid>,
    pub(crate) kind: &'static str,
    pub(crate) messages: &'static [MessageInfo],
    /// Who is to be told when the process exits.
    pub(crate) watchers: Vec<Watcher>,
}

pub(crate) struct Table {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    top: AtomicU32,
    free: Mutex<Vec<u32>>,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table {
            chunks: [const { OnceLock::new() }; CHUNKS],
            top: AtomicU32::new(0),
            free: Mutex::new(Vec::new()),
        }
    }

    /// The slot at `index`, if it was ever used.
    pub(crate) fn slot(&self, index: u32) -> Option<&Slot> {
        let (chunk, offset) = place(index);
        self.chunks.get(chunk)?.get()?.get(offset)
    }

    /// Takes a slot for a new process.
    pub(crate) fn take(&self) -> u32 {
        if let Some(index) = self.free.lock().pop() {
            return index;
        }
        let index = self.top.fetch_add(1, Ordering::Relaxed);
        let (chunk, _) = place(index);
        let slots = FIRST_CHUNK << chunk;
        self.chunks[chunk].get_or_init(|| (0..slots).map(|_| Slot::default()).collect());
        index
    }

    pub(crate) fn give_back(&self, index: u32) {
        self.free.lock().push(index);
    }

    /// Every slot ever used.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        (0..self.top.load(Ordering::Relaxed)).filter_map(|index| Some((index, self.slot(index)?)))
    }
}

/// Chunk and offset of an index: chunk `k` holds `FIRST_CHUNK << k` slots.
fn place(index: u32) -> (usize, usize) {
    let from_one = u64::from(index) + u64::from(FIRST_CHUNK);
    let chunk = from_one.ilog2() - FIRST_CHUNK.ilog2();
    (
        chunk as usize,
        (from_one - (u64::from(FIRST_CHUNK) << chunk)) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let places: Vec<_> = (0..1000).map(place).collect();
        assert_eq!(places[0], (0, 0));
        assert_eq!(places[63], (0, 63));
        assert_eq!(places[64], (1, 0));
        assert_eq!(places[191], (1, 127));
        assert_eq!(places[192], (2, 0));
    }

    #[test]
    fn a_slot_given_back_is_taken_again() {
        let table = Table::new();
        let first = table.take();
        table.give_back(first);
        assert_eq!(table.take(), first);
        assert!(table.slot(first).is_some());
    }
}
