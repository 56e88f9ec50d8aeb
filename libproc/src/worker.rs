//! Workers: one a core, each an actix actor that runs a queue of processes.
//!
//! A process is put into the queue of the worker its letter was sent on, so that question and
//! answer stay on one core. A worker gives half of its queue away only when its work has shown to
//! be dear enough to pay for waking another core.

mod pool;
mod spares;
mod warm;

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, WrapFuture};

use crate::lane::{AnyLane, Finished};
use crate::link::ExitReason;
use crate::metrics::ThreadCpu;
use crate::node::Node;
use crate::pid::Upid;
use crate::process::{Kind, Run, Turn};
use crate::table::Handle;
use pool::{HERE, Job, Pinned};
use warm::Warm;

pub(crate) use pool::{Here, Look, Pool};

/// Letters a process may handle in one turn: more than the others of a queue send it in theirs, so
/// that a receiver of many keeps up with them and what waits for it stays in the caches.
const TURN_LETTERS: usize = 16_384;
/// Longest turn of a process with letters left, so that a dear one does not hold up the others.
const TURN_TIME: Duration = Duration::from_micros(500);
/// Letters after which a worker lets the sockets and timers of its thread have their turn.
const SLICE_LETTERS: usize = 4096;
/// Time after which it does so, looked at every [`MEASURE_TURNS`] turns.
const SLICE_TIME: Duration = Duration::from_millis(1);
/// Turns between two looks at how dear they are, and at what other threads sent.
const MEASURE_TURNS: u32 = 16;
/// Sixteen turns dearer than this are worth another core's wake-up (5-30 us).
const DEAR: Duration = Duration::from_micros(30);
/// Turns of more letters than this are timed one by one; shorter ones by samples.
const TIMED_LETTERS: usize = 16;
/// Most processes that an empty queue of them keeps room for: 64 KiB, or 256 of what waits for any worker.
const QUEUE_KEPT: usize = 16_384;
/// Marks a process in a run queue that only this worker may run: indices need 31 bits.
const PINNED: u32 = 1 << 31;

/// The actix actor that runs the processes of a node on one thread.
pub(crate) struct Host {
    pub(crate) node: Node,
    /// Which of the node's workers it is.
    pub(crate) worker: usize,
}

impl Actor for Host {
    type Context = actix::Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        if tokio::runtime::Handle::try_current().is_err() {
            return; // its runtime ended before it began: actix starts it even so
        }
        ctx.spawn(Worker::new(self.node.clone(), self.worker).into_actor(self));
    }
}

struct Worker {
    here: Rc<Here>,
    /// What a turn handles, taken from its mailbox: one lane a protocol, the last used in front.
    batches: Vec<(TypeId, Box<dyn AnyLane>)>,
    warm: Warm,
    /// None in a simulation, where real time must decide nothing.
    measured: Option<Instant>,
    began: Option<Instant>,
    turns: u32,
    handled: u64,
    dear: bool,
}

impl Worker {
    fn new(node: Node, worker: usize) -> Worker {
        let desk = node.pool().desk(worker);
        node.pool().left.fetch_add(1, Ordering::SeqCst);
        let measured = (!node.is_simulated()).then(Instant::now);
        if !node.is_simulated()
            && let Some(cpu) = ThreadCpu::of_this_thread()
        {
            let _ = desk.cpu.set(cpu); // a desk has one worker in its life
        }
        let number = node.number();
        let here = Rc::new(Here {
            node,
            runtime: tokio::runtime::Handle::current().id(),
            queue: RefCell::default(),
            polling: Cell::new(false),
            desk,
            settled: RefCell::default(),
            spares: RefCell::default(),
            second: Cell::new(0),
        });
        HERE.with_borrow_mut(|all| all.push((number, here.clone())));
        Worker {
            here,
            batches: Vec::new(),
            warm: Warm::default(),
            measured,
            began: measured,
            turns: 0,
            handled: 0,
            dear: false,
        }
    }

    /// Every few turns: how dear were they, and is there work that other threads sent? True when
    /// it is time to let the sockets of this thread have their turn.
    fn measure(&mut self) -> bool {
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(MEASURE_TURNS) {
            return false;
        }
        let pool = self.here.node.pool();
        let mut over = false;
        if let (Some(last), Some(began)) = (&mut self.measured, self.began) {
            let now = Instant::now();
            self.dear = now.duration_since(*last) > DEAR;
            *last = now;
            over = now.duration_since(began) > SLICE_TIME;
        }
        if pool.injected_len.load(Ordering::Relaxed) > 0 {
            self.take_injected(1);
        }
        if self.here.desk.pinned_len.load(Ordering::Relaxed) > 0 {
            self.take_pinned();
        }
        over
    }

    /// Gives half of the queue away when it is worth it and somebody sleeps.
    #[inline]
    fn share(&self) {
        if self.dear {
            self.share_queue();
        }
    }

    fn share_queue(&self) {
        let pool = self.here.node.pool();
        if pool.sleeping.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut queue = self.here.queue.borrow_mut();
        let keep = queue.len() - queue.len() / 2;
        let (pinned, given): (Vec<u32>, Vec<u32>) =
            queue.drain(keep..).partition(|index| index & PINNED != 0);
        queue.extend(pinned);
        drop(queue);
        if given.is_empty() {
            return;
        }
        let mut injected = pool.injected.lock();
        injected.extend(given.iter().copied().map(Job::Turn));
        drop(injected);
        pool.injected_len.fetch_add(given.len(), Ordering::SeqCst);
        pool.wake_one();
    }

    /// Takes up to `most` jobs that other threads sent; false when there were none.
    fn take_injected(&self, most: usize) -> bool {
        let pool = self.here.node.pool();
        let mut injected = pool.injected.lock();
        let taken = most.min(injected.len().div_ceil(2));
        if taken == 0 {
            return false;
        }
        let jobs: Vec<Job> = injected.drain(..taken).collect();
        trim(&mut injected);
        drop(injected);
        pool.injected_len.fetch_sub(taken, Ordering::SeqCst);
        for job in jobs {
            match job {
                Job::Turn(index) => self.here.push(index),
                Job::Call(call) => call(),
            }
        }
        true
    }

    /// Takes what only this worker can do; false when there was nothing.
    fn take_pinned(&self) -> bool {
        let desk = &self.here.desk;
        let jobs = std::mem::take(&mut *desk.pinned.lock());
        desk.pinned_len.fetch_sub(jobs.len(), Ordering::SeqCst);
        let any = !jobs.is_empty();
        for job in jobs {
            match job {
                Pinned::Turn(index) => self.here.push(index | PINNED),
                Pinned::Settle(index, make) => {
                    // One that cannot be made has ended before its first turn: in it.
                    let body = catch_unwind(AssertUnwindSafe(make))
                        .unwrap_or_else(|panic| Box::new(Stillborn(panic_text(&*panic))));
                    self.here.settled.borrow_mut().insert(index, body);
                    self.here.push(index | PINNED);
                }
            }
        }
        any
    }

    /// One turn of a process; how many letters it handled.
    fn turn(&mut self, queued: u32) -> usize {
        let (index, pinned) = (queued & !PINNED, queued & PINNED != 0);
        let here = &self.here;
        let node = &here.node;
        let Some(slot) = node.table().slot(index) else {
            return 1;
        };
        let mut mailbox = slot.0.lock();
        let mut body: Holder = if pinned {
            match here.settled.borrow_mut().remove(&index) {
                Some(body) => Holder::Here(body),
                None => return 1,
            }
        } else {
            match mailbox.body.take() {
                Some(body) => Holder::Anywhere(body),
                None => {
                    mailbox.scheduled = false;
                    return 1;
                }
            }
        };
        let Some(kind) = mailbox.kind else { return 1 };
        let batch = batch_for(&mut self.batches, kind);
        let before = match &mut mailbox.lane {
            Some(lane) => lane.begin(batch),
            None => 0,
        };
        let at = Handle {
            index,
            generation: mailbox.generation,
        };
        let turn = Turn {
            fresh: std::mem::take(&mut mailbox.fresh),
            woken: std::mem::take(&mut mailbox.woken),
            letters: TURN_LETTERS,
            time: self.measured.map(|_| TURN_TIME),
        };
        mailbox.waiting.made_room();
        drop(mailbox);

        let weight = match self.measured {
            Some(_) if before > TIMED_LETTERS => 1,
            Some(_) if self.turns.is_multiple_of(MEASURE_TURNS) => u64::from(MEASURE_TURNS),
            _ => 0,
        };
        let began = (weight > 0).then(Instant::now);
        let ended = body.run().turn(here, batch, turn);
        let busy = began.map_or(0, |began| began.elapsed().as_nanos() as u64 * weight);
        let handled = before - batch.len();
        self.handled += handled as u64;
        if let Some(reason) = ended {
            node.bury(at, body.into_run(), here, batch, reason);
            return handled + 1;
        }
        if turn.woken
            && let Some(first) = body.run().rearm(tokio::time::Instant::now())
        {
            node.alarms().set(first, at);
        }

        let mut mailbox = slot.0.lock();
        mailbox.busy_ns += busy;
        mailbox.handled += handled as u64;
        let mut more = mailbox.woken;
        let mut warmed = None;
        if let Some(lane) = &mut mailbox.lane {
            match lane.finish(batch) {
                Finished::More => more = true,
                Finished::Empty(warmth) if warmth > mailbox.warmth && !more => {
                    mailbox.warmth = warmth;
                    warmed = Some(warmth);
                }
                Finished::Empty(_) => {}
            }
        }
        match body {
            Holder::Anywhere(body) => mailbox.body = Some(body),
            Holder::Here(body) => drop(here.settled.borrow_mut().insert(index, body)),
        }
        if more {
            drop(mailbox);
            here.push(queued);
        } else {
            mailbox.scheduled = false;
            drop(mailbox);
            if let Some(warmth) = warmed {
                self.warm.add(&self.here, index, warmth);
            }
        }
        handled + 1
    }

    /// Goes to sleep; false when work came in the meantime.
    fn sleep(&self, cx: &task::Context<'_>) -> bool {
        let pool = self.here.node.pool();
        let desk = &self.here.desk;
        desk.waker.register(cx.waker());
        if !desk.sleeping.swap(true, Ordering::SeqCst) {
            pool.sleeping.fetch_add(1, Ordering::SeqCst);
        }
        let called = pool.injected_len.load(Ordering::SeqCst) > 0
            || desk.pinned_len.load(Ordering::SeqCst) > 0;
        if called && desk.sleeping.swap(false, Ordering::SeqCst) {
            pool.sleeping.fetch_sub(1, Ordering::SeqCst);
        }
        !called
    }

    /// Says how things stand, at the end of a slice.
    fn pause(&self) {
        let Here { queue, desk, .. } = &*self.here;
        self.here.polling.set(false);
        let mut queue = queue.borrow_mut();
        desk.queue.store(queue.len(), Ordering::Relaxed);
        trim(&mut queue);
        desk.handled.store(self.handled, Ordering::Relaxed);
    }
}

/// Gives back what a burst took, of a queue that is empty again.
fn trim<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > QUEUE_KEPT {
        *queue = VecDeque::new();
    }
}

/// A process whose actor could not be made, and what the panic said.
struct Stillborn(String);

impl Run for Stillborn {
    fn turn(&mut self, _: &Rc<Here>, _: &mut dyn AnyLane, _: Turn) -> Option<ExitReason> {
        Some(ExitReason::Panicked(std::mem::take(&mut self.0)))
    }

    fn rearm(&mut self, _: tokio::time::Instant) -> Option<tokio::time::Instant> {
        None
    }

    fn end(&mut self, _: &Rc<Here>, _: bool) -> Vec<Upid> {
        Vec::new()
    }

    fn link_count(&self) -> usize {
        0
    }
}

/// A process that has its turn: one that may move to another thread, or one that may not.
enum Holder {
    Anywhere(Box<dyn Run + Send>),
    Here(Box<dyn Run>),
}

impl Holder {
    fn run(&mut self) -> &mut dyn Run {
        match self {
            Holder::Anywhere(body) => &mut **body,
            Holder::Here(body) => &mut **body,
        }
    }

    fn into_run(self) -> Box<dyn Run> {
        match self {
            Holder::Anywhere(body) => body,
            Holder::Here(body) => body,
        }
    }
}

/// The worker's own lane for letters of the protocol of `kind`.
fn batch_for<'a>(
    batches: &'a mut Vec<(TypeId, Box<dyn AnyLane>)>,
    kind: &Kind,
) -> &'a mut dyn AnyLane {
    let protocol = kind.protocol;
    let found = batches.iter().position(|(of, _)| *of == protocol);
    match found {
        Some(0) => {}
        Some(at) => batches.swap(0, at),
        None => batches.insert(0, (protocol, (kind.lane)())),
    }
    &mut *batches[0].1
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not text".to_owned())
}

impl Future for Worker {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.here.polling.set(true);
        let second = this.here.node.uptime().as_secs() as u32;
        this.here.second.set(second);
        this.measured = this.measured.map(|_| Instant::now());
        this.began = this.measured;
        let mut letters = 0;
        loop {
            let over = this.measure();
            this.share();
            let next = this.here.queue.borrow_mut().pop_front();
            match next {
                Some(index) => letters += this.turn(index),
                None if this.take_pinned() || this.take_injected(64) => {}
                None if this.here.node.is_over() => return Poll::Ready(()),
                None if this.sleep(cx) => {
                    this.pause();
                    return Poll::Pending;
                }
                None => {}
            }
            if over || letters >= SLICE_LETTERS {
                this.pause();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let number = self.here.node.number();
        // Not when the thread itself is ending: then the list is gone already.
        let _ = HERE.try_with(|here| here.borrow_mut().retain(|(id, _)| *id != number));
        let pool = self.here.node.pool();
        if self.here.desk.sleeping.swap(false, Ordering::SeqCst) {
            pool.sleeping.fetch_sub(1, Ordering::SeqCst);
        }
        let settled = std::mem::take(&mut *self.here.settled.borrow_mut());
        drop(settled);
        let last = pool.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if last {
            self.here.node.collapse();
        }
        crate::transport::forget_peers(number);
    }
}
