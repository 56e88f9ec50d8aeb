//! Timers: one ordered queue a process, one sleeper a node.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::Context;
use crate::node::Node;
use crate::process::Process;
use crate::table::Handle;

/// A message to come, returned by [`Context::delay`](crate::Context::delay) so that it can be
/// cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer(pub(crate) Instant, pub(crate) u64);

/// What a timer does when it falls due.
type Then<A> = Box<dyn FnOnce(&mut A, &mut Context<A>) + Send>;

/// The timers of one process.
pub(crate) struct Timers<A: Process> {
    queue: BTreeMap<Timer, Then<A>>,
    next: u64,
    /// The earliest instant at which the node will wake this process.
    armed: Option<Instant>,
}

impl<A: Process> Default for Timers<A> {
    fn default() -> Self {
        Timers {
            queue: BTreeMap::new(),
            next: 0,
            armed: None,
        }
    }
}

impl<A: Process> Timers<A> {
    /// Adds a timer; the second part says whether the node has to be told of it.
    pub(crate) fn add(&mut self, due: Instant, then: Then<A>) -> (Timer, bool) {
        self.next += 1;
        let timer = Timer(due, self.next);
        self.queue.insert(timer, then);
        (timer, self.arm(due))
    }

    pub(crate) fn cancel(&mut self, timer: Timer) -> bool {
        self.queue.remove(&timer).is_some()
    }

    pub(crate) fn due(&mut self, now: Instant) -> Option<Then<A>> {
        let entry = self.queue.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// After a wake: the instant of the next one, when the node has to be told of it.
    pub(crate) fn rearm(&mut self, now: Instant) -> Option<Instant> {
        if self.armed.is_some_and(|at| at <= now) {
            self.armed = None;
        }
        let Timer(at, _) = *self.queue.first_key_value()?.0;
        self.arm(at).then_some(at)
    }

    fn arm(&mut self, at: Instant) -> bool {
        let earlier = self.armed.is_none_or(|armed| at < armed);
        if earlier {
            self.armed = Some(at);
        }
        earlier
    }
}

/// When which process of a node is to be woken.
#[derive(Default)]
pub(crate) struct Alarms {
    heap: Mutex<BinaryHeap<Reverse<(Instant, Handle)>>>,
    earlier: Notify,
}

impl Alarms {
    pub(crate) fn set(&self, at: Instant, process: Handle) {
        let mut heap = self.heap.lock();
        let first = heap.peek().is_none_or(|Reverse((first, _))| at < *first);
        heap.push(Reverse((at, process)));
        drop(heap);
        if first {
            self.earlier.notify_one();
        }
    }

    /// How many wake-ups are set.
    pub(crate) fn len(&self) -> usize {
        self.heap.lock().len()
    }

    fn first(&self) -> Option<Instant> {
        self.heap.lock().peek().map(|Reverse((at, _))| *at)
    }

    fn due(&self, now: Instant) -> Option<Handle> {
        let mut heap = self.heap.lock();
        let Reverse((at, _)) = heap.peek()?;
        if *at > now {
            return None;
        }
        heap.pop().map(|Reverse((_, process))| process)
    }

    /// Wakes processes as their timers fall due, until `node` is shut down.
    pub(crate) async fn run(node: Node) {
        let alarms = node.alarms();
        let mut down = node.down();
        loop {
            while let Some(process) = alarms.due(Instant::now()) {
                node.wake(process);
            }
            let first = alarms.first();
            tokio::select! {
                biased;
                _ = down.wait_for(|down| *down) => return,
                () = alarms.earlier.notified() => {}
                () = async { tokio::time::sleep_until(first.unwrap_or_else(Instant::now)).await },
                    if first.is_some() => {}
            }
        }
    }
}
