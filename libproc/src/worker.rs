//! Workers: one a core, each an actix actor that runs a queue of processes.
//!
//! A process is put into the queue of the worker its letter was sent on, so that question and
//! answer stay on one core. A worker gives half of its queue away only when its work has shown to
//! be dear enough to pay for waking another core.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, WrapFuture};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::letter::Letter;
use crate::link::ExitReason;
use crate::metrics::ThreadCpu;
use crate::node::Node;
use crate::process::Run;
use crate::table::Handle;

/// Letters a process may handle in one turn.
const TURN_LETTERS: usize = 256;
/// Letters between two looks at the clock within a turn.
const CLOCK_LETTERS: usize = 16;
/// Longest turn of a process with letters left, so that a dear one does not hold up the others.
const TURN_TIME: Duration = Duration::from_micros(500);
/// Letters after which a worker lets the sockets and timers of its thread have their turn.
const SLICE_LETTERS: usize = 4096;
/// Turns between two looks at how dear they are, and at what other threads sent.
const MEASURE_TURNS: u32 = 16;
/// Sixteen turns dearer than this are worth another core's wake-up (5-30 us).
const DEAR: Duration = Duration::from_micros(30);
/// An empty mailbox keeps room for this many letters; what a burst took beyond is given back.
const KEEP_LETTERS: usize = 64;

/// What the threads of a node share about their workers.
#[derive(Default)]
pub(crate) struct Pool {
    workers: Mutex<Vec<Arc<Sleeper>>>,
    sleeping: AtomicUsize,
    injected: Mutex<VecDeque<Job>>,
    injected_len: AtomicUsize,
}

/// What another thread can hand to a worker.
enum Job {
    Turn(u32),
    Call(Box<dyn FnOnce() + Send>),
}

#[derive(Default)]
struct Sleeper {
    sleeping: AtomicBool,
    waker: AtomicWaker,
    /// Letters handled and the length of the queue, as they were at the end of the last slice.
    handled: AtomicU64,
    queue: AtomicUsize,
    /// None in a simulation, which has one thread for all.
    cpu: Option<ThreadCpu>,
}

/// What a worker looks like from outside.
pub(crate) struct Look {
    pub(crate) handled: u64,
    /// Processes that wait for a turn.
    pub(crate) queue: usize,
    /// Processor time of its thread, and the part of the last second that it was busy.
    pub(crate) used: Option<Duration>,
    pub(crate) ratio: Option<f64>,
}

/// The worker of a node on this thread.
struct Here {
    queue: RefCell<VecDeque<u32>>,
    polling: Cell<bool>,
    sleeper: Arc<Sleeper>,
}

thread_local! {
    /// The workers on this thread by node: one in production, several when nodes share a thread.
    static HERE: RefCell<Vec<(usize, Rc<Here>)>> = const { RefCell::new(Vec::new()) };
}

impl Pool {
    /// Puts a process into the queue of this thread's worker, or of any when it has none.
    pub(crate) fn schedule(&self, node: usize, index: u32) {
        let scheduled = HERE.with_borrow(|here| {
            let Some((_, here)) = here.iter().find(|(id, _)| *id == node) else {
                return false;
            };
            here.queue.borrow_mut().push_back(index);
            if !here.polling.get() {
                self.rouse(&here.sleeper);
            }
            true
        });
        if !scheduled {
            self.inject(Job::Turn(index));
        }
    }

    /// Runs `call` on a worker of this node: at once when this thread has one.
    pub(crate) fn call(&self, node: usize, call: impl FnOnce() + Send + 'static) {
        if HERE.with_borrow(|here| here.iter().any(|(id, _)| *id == node)) {
            call();
        } else {
            self.inject(Job::Call(Box::new(call)));
        }
    }

    pub(crate) fn look(&self) -> Vec<Look> {
        let workers = self.workers.lock().clone();
        let look = |worker: &Arc<Sleeper>| Look {
            handled: worker.handled.load(Ordering::Relaxed),
            queue: worker.queue.load(Ordering::Relaxed),
            used: worker.cpu.as_ref().and_then(ThreadCpu::used),
            ratio: worker.cpu.as_ref().and_then(ThreadCpu::ratio),
        };
        workers.iter().map(look).collect()
    }

    /// Jobs that wait for any worker.
    pub(crate) fn injected(&self) -> usize {
        self.injected_len.load(Ordering::Relaxed)
    }

    pub(crate) fn rouse_all(&self) {
        for sleeper in self.workers.lock().iter() {
            self.rouse(sleeper);
        }
    }

    fn inject(&self, job: Job) {
        self.injected.lock().push_back(job);
        self.injected_len.fetch_add(1, Ordering::SeqCst);
        self.wake_one();
    }

    fn wake_one(&self) {
        if self.sleeping.load(Ordering::SeqCst) == 0 {
            return;
        }
        let workers = self.workers.lock();
        let _ = workers.iter().find(|sleeper| self.rouse(sleeper));
    }

    fn rouse(&self, sleeper: &Sleeper) -> bool {
        let slept = sleeper.sleeping.load(Ordering::Relaxed)
            && sleeper.sleeping.swap(false, Ordering::AcqRel);
        if slept {
            self.sleeping.fetch_sub(1, Ordering::SeqCst);
            sleeper.waker.wake();
        }
        slept
    }
}

/// The actix actor that runs the processes of a node on one thread.
pub(crate) struct Host(pub(crate) Node);

impl Actor for Host {
    type Context = actix::Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Worker::new(self.0.clone()).into_actor(self));
    }
}

struct Worker {
    node: Node,
    here: Rc<Here>,
    batch: VecDeque<Letter>,
    /// None in a simulation, where real time must decide nothing.
    measured: Option<Instant>,
    turns: u32,
    handled: u64,
    dear: bool,
}

impl Worker {
    fn new(node: Node) -> Worker {
        let cpu = (!node.is_simulated()).then(ThreadCpu::of_this_thread);
        let sleeper = Arc::new(Sleeper {
            cpu: cpu.flatten(),
            ..Sleeper::default()
        });
        node.pool().workers.lock().push(sleeper.clone());
        let here = Rc::new(Here {
            queue: RefCell::default(),
            polling: Cell::new(false),
            sleeper,
        });
        HERE.with_borrow_mut(|all| all.push((node.number(), here.clone())));
        let measured = (!node.is_simulated()).then(Instant::now);
        Worker {
            node,
            here,
            batch: VecDeque::new(),
            measured,
            turns: 0,
            handled: 0,
            dear: false,
        }
    }

    /// Seconds since the node was bound, as of a few turns ago.
    #[cold]
    fn now_s(&self) -> u32 {
        let bound = self.node.inner().bound;
        let since = match self.measured {
            Some(measured) => measured.saturating_duration_since(bound.into_std()),
            None => bound.elapsed(),
        };
        since.as_secs() as u32
    }

    /// Every few turns: how dear were they, and is there work that other threads sent?
    fn measure(&mut self) {
        self.turns += 1;
        if !self.turns.is_multiple_of(MEASURE_TURNS) {
            return;
        }
        if let Some(last) = &mut self.measured {
            let now = Instant::now();
            self.dear = now.duration_since(*last) > DEAR;
            *last = now;
        }
        if self.node.pool().injected_len.load(Ordering::Relaxed) > 0 {
            self.take_injected(1);
        }
    }

    /// Gives half of the queue away when it is worth it and somebody sleeps.
    fn share(&self) {
        let pool = self.node.pool();
        if !self.dear || pool.sleeping.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut queue = self.here.queue.borrow_mut();
        let keep = queue.len() - queue.len() / 2;
        if keep == queue.len() {
            return;
        }
        let mut injected = pool.injected.lock();
        let given = queue.len() - keep;
        injected.extend(queue.drain(keep..).map(Job::Turn));
        drop(injected);
        pool.injected_len.fetch_add(given, Ordering::SeqCst);
        pool.wake_one();
    }

    /// Takes up to `most` jobs that other threads sent; false when there were none.
    fn take_injected(&mut self, most: usize) -> bool {
        let pool = self.node.pool();
        let mut injected = pool.injected.lock();
        let taken = most.min(injected.len().div_ceil(2));
        if taken == 0 {
            return false;
        }
        let jobs: Vec<Job> = injected.drain(..taken).collect();
        drop(injected);
        pool.injected_len.fetch_sub(taken, Ordering::SeqCst);
        for job in jobs {
            match job {
                Job::Turn(index) => self.here.queue.borrow_mut().push_back(index),
                Job::Call(call) => call(),
            }
        }
        true
    }

    /// One turn of the process at `index`; how many letters it handled.
    fn turn(&mut self, index: u32) -> usize {
        let node = self.node.clone();
        let Some(slot) = node.table().slot(index) else {
            return 1;
        };
        let (mut body, at, fresh) = {
            let mut mailbox = slot.0.lock();
            let Some(body) = mailbox.body.take() else {
                mailbox.scheduled = false;
                return 1;
            };
            let count = mailbox.queue.len().min(TURN_LETTERS);
            self.batch.extend(mailbox.queue.drain(..count));
            let fresh = std::mem::take(&mut mailbox.fresh);
            if fresh {
                mailbox.born_s = self.now_s();
            }
            mailbox.woken = false;
            (
                body,
                Handle {
                    index,
                    generation: mailbox.generation,
                },
                fresh,
            )
        };
        let before = self.batch.len();
        let timed = self.measured.is_some();
        let batch = &mut self.batch;
        let ran = catch_unwind(AssertUnwindSafe(|| run(&mut *body, batch, fresh, timed)));
        let handled = before - self.batch.len();
        self.handled += handled as u64;
        let ended = ran.unwrap_or_else(|panic| Some(ExitReason::Panicked(panic_text(&*panic))));
        if let Some(reason) = ended {
            node.bury(at, body, self.batch.drain(..), reason);
            return handled + 1;
        }
        if body.has_timers() {
            let now = tokio::time::Instant::now();
            if let Some(first) = body.rearm(now) {
                node.alarms().set(first, at);
            }
        }
        let mut mailbox = slot.0.lock();
        for letter in self.batch.drain(..).rev() {
            mailbox.queue.push_front(letter);
        }
        mailbox.handled += handled as u64;
        mailbox.body = Some(body);
        if mailbox.queue.is_empty() && !mailbox.woken {
            mailbox.scheduled = false;
            if mailbox.queue.capacity() > KEEP_LETTERS {
                mailbox.queue = VecDeque::new();
            }
        } else {
            drop(mailbox);
            self.here.queue.borrow_mut().push_back(index);
        }
        handled + 1
    }

    /// Says how things stand, at the end of a slice.
    fn publish(&self) {
        let queue = self.here.queue.borrow().len();
        self.here.sleeper.queue.store(queue, Ordering::Relaxed);
        let handled = &self.here.sleeper.handled;
        handled.store(self.handled, Ordering::Relaxed);
    }

    /// Goes to sleep; false when work came in the meantime.
    fn sleep(&self, cx: &task::Context<'_>) -> bool {
        let pool = self.node.pool();
        self.here.sleeper.waker.register(cx.waker());
        if !self.here.sleeper.sleeping.swap(true, Ordering::SeqCst) {
            pool.sleeping.fetch_add(1, Ordering::SeqCst);
        }
        if pool.injected_len.load(Ordering::SeqCst) > 0 {
            if self.here.sleeper.sleeping.swap(false, Ordering::SeqCst) {
                pool.sleeping.fetch_sub(1, Ordering::SeqCst);
            }
            return false;
        }
        true
    }
}

/// Due timers first, then letters in order, until the batch is empty, time is up or it ends.
fn run(
    body: &mut dyn Run,
    batch: &mut VecDeque<Letter>,
    fresh: bool,
    timed: bool,
) -> Option<ExitReason> {
    if fresh {
        body.begin();
        if let Some(reason) = body.ending() {
            return Some(reason);
        }
    }
    if body.has_timers() {
        body.due(tokio::time::Instant::now(), TURN_LETTERS as u32);
        if let Some(reason) = body.ending() {
            return Some(reason);
        }
    }
    let began = (timed && batch.len() > CLOCK_LETTERS).then(Instant::now);
    let mut count = 0;
    while let Some(letter) = batch.pop_front() {
        body.letter(letter);
        if let Some(reason) = body.ending() {
            return Some(reason);
        }
        count += 1;
        if count % CLOCK_LETTERS == 0 && began.is_some_and(|began| began.elapsed() > TURN_TIME) {
            return None;
        }
    }
    None
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
        this.measured = this.measured.map(|_| Instant::now());
        let mut letters = 0;
        loop {
            this.measure();
            this.share();
            let next = this.here.queue.borrow_mut().pop_front();
            match next {
                Some(index) => letters += this.turn(index),
                None if this.take_injected(64) => {}
                None if this.node.is_over() => return Poll::Ready(()),
                None if this.sleep(cx) => {
                    this.here.polling.set(false);
                    this.publish();
                    return Poll::Pending;
                }
                None => {}
            }
            if letters >= SLICE_LETTERS {
                this.here.polling.set(false);
                this.publish();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let number = self.node.number();
        // Not when the thread itself is ending: then the list is gone already.
        let _ = HERE.try_with(|here| here.borrow_mut().retain(|(id, _)| *id != number));
        let pool = self.node.pool();
        pool.workers
            .lock()
            .retain(|sleeper| !Arc::ptr_eq(sleeper, &self.here.sleeper));
        if self.here.sleeper.sleeping.swap(false, Ordering::SeqCst) {
            pool.sleeping.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
