//! The process table of a node: slots that are recycled, never freed, and told apart by generation.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use spin::mutex::{SpinMutex, SpinMutexGuard};
use spin::relax::Yield;

use crate::lane::{AnyLane, Warmth};
use crate::pid::Upid;
use crate::process::{Kind, Run};
use crate::waiting::Waiting;

/// Slots of a page of the table: what a node of few processes pays, and what the last page wastes.
const PAGE: u32 = 1024;
/// Shelves of pages, each of twice as many as the one before: enough for every index.
const SHELVES: usize = 21;

/// Processes whose names are remembered after their end.
const RESTING: usize = 1024;

/// Where a process lives in its node's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Handle {
    pub(crate) index: u32,
    /// How many processes the slot has hosted, this one included: never 0.
    pub(crate) generation: u32,
}

impl Handle {
    #[inline]
    pub(crate) fn pack(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.index)
    }

    #[inline]
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
pub(crate) struct Slot(pub(crate) SpinMutex<Mailbox, Yield>);

/// A mailbox that is locked: briefly, and never while anything is run.
pub(crate) type Opened<'a> = SpinMutexGuard<'a, Mailbox, Yield>;

/// What waits for a process, and the process itself.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) generation: u32,
    /// The second of its node's life in which it was spawned.
    pub(crate) born_s: u32,
    /// The worker it is pinned to, counted from one; zero for one that any may run.
    pub(crate) pinned: u16,
    /// In some run queue, or being run.
    pub(crate) scheduled: bool,
    /// Has not been told yet that it started.
    pub(crate) fresh: bool,
    /// A timer of it is due.
    pub(crate) woken: bool,
    /// Accepts letters.
    pub(crate) alive: bool,
    /// How much room its lane keeps while it is empty.
    pub(crate) warmth: Warmth,
    pub(crate) kind: Option<&'static Kind>,
    /// None where no letters wait, unless it is kept warm.
    pub(crate) lane: Option<Box<dyn AnyLane>>,
    pub(crate) body: Option<Box<dyn Run + Send>>,
    pub(crate) upid: Option<Upid>,
    /// Time spent in its turns, in nanoseconds: of short turns an estimate by samples.
    pub(crate) busy_ns: u64,
    /// Letters handled so far.
    pub(crate) handled: u64,
    pub(crate) waiting: Waiting,
}

impl Mailbox {
    pub(crate) fn len(&self) -> usize {
        self.lane.as_ref().map_or(0, |lane| lane.len())
    }
}

type Page = OnceLock<Box<[Slot]>>;

pub(crate) struct Table {
    shelves: [OnceLock<Box<[Page]>>; SHELVES],
    top: AtomicU32,
    free: Mutex<Vec<u32>>,
    /// Slots of processes that had a name, until it may be forgotten: letters say by slot whom they
    /// are from.
    resting: Mutex<VecDeque<u32>>,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table {
            shelves: [const { OnceLock::new() }; SHELVES],
            top: AtomicU32::new(0),
            free: Mutex::default(),
            resting: Mutex::default(),
        }
    }

    /// The slot at `index`, if it was ever used.
    #[inline]
    pub(crate) fn slot(&self, index: u32) -> Option<&Slot> {
        let (shelf, page) = place(index);
        let pages = self.shelves.get(shelf)?.get()?;
        pages.get(page)?.get()?.get((index % PAGE) as usize)
    }

    /// Takes a slot for a new process.
    ///
    /// # Panics
    /// When two thousand million processes live on the node.
    pub(crate) fn take(&self) -> u32 {
        if let Some(index) = self.free.lock().pop() {
            return index;
        }
        let index = self.top.fetch_add(1, Ordering::Relaxed);
        let (shelf, page) = place(index);
        assert!(shelf < SHELVES, "a node has room for 2^31 processes");
        let pages = || (0..1 << shelf).map(|_| Page::new()).collect();
        let slots = || (0..PAGE).map(|_| Slot::default()).collect();
        self.shelves[shelf].get_or_init(pages)[page].get_or_init(slots);
        index
    }

    /// Lets other processes have a slot.
    pub(crate) fn give_back(&self, index: u32) {
        self.free.lock().push(index);
    }

    /// Lets other processes have a slot when [`RESTING`] more were laid to rest.
    pub(crate) fn lay_to_rest(&self, index: u32) {
        let mut resting = self.resting.lock();
        resting.push_back(index);
        let rested = (resting.len() > RESTING).then(|| resting.pop_front());
        drop(resting);
        if let Some(index) = rested.flatten() {
            self.give_back(index);
        }
    }

    /// Every slot ever used.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        (0..self.used()).filter_map(|index| Some((index, self.slot(index)?)))
    }

    /// One more than the highest index ever used.
    pub(crate) fn used(&self) -> u32 {
        self.top.load(Ordering::Relaxed)
    }
}

/// Shelf and page of an index: shelf `k` holds `1 << k` pages.
#[inline]
fn place(index: u32) -> (usize, usize) {
    let from_one = index / PAGE + 1;
    let shelf = from_one.ilog2();
    (shelf as usize, (from_one - (1 << shelf)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let page = |page: u32| place(page * PAGE);
        assert_eq!(place(PAGE - 1), (0, 0));
        assert_eq!([page(1), page(2), page(3)], [(1, 0), (1, 1), (2, 0)]);
        assert_eq!([page(6), page(7)], [(2, 3), (3, 0)]);
        assert!(place((1 << 31) - 1).0 < SHELVES + 1);
    }

    #[test]
    fn a_slot_is_as_small_as_is_said_of_it() {
        // A process that rests takes this, its body, its address of 48 bytes and an entry in the
        // table of names: `tepui bench actors --patterns memory-linked` looks at all of it.
        assert!(size_of::<Slot>() <= 104);
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
