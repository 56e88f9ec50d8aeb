//! What the workers of a node share: where work is put that no worker has yet, and how one that
//! sleeps is woken for it.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::spares::Spares;
use crate::metrics::ThreadCpu;
use crate::node::Node;
use crate::process::Run;

/// What the threads of a node share about their workers.
#[derive(Default)]
pub(crate) struct Pool {
    pub(super) workers: Mutex<Vec<Arc<Desk>>>,
    pub(super) sleeping: AtomicUsize,
    /// Workers that run.
    pub(super) left: AtomicUsize,
    pub(super) injected: Mutex<VecDeque<Job>>,
    pub(super) injected_len: AtomicUsize,
}

/// What another thread can hand to any worker.
pub(super) enum Job {
    Turn(u32),
    Call(Box<dyn FnOnce() + Send>),
}

/// What other threads see of a worker.
#[derive(Default)]
pub(crate) struct Desk {
    pub(super) sleeping: AtomicBool,
    pub(super) waker: AtomicWaker,
    /// What only this worker can do.
    pub(super) pinned: Mutex<VecDeque<Pinned>>,
    pub(super) pinned_len: AtomicUsize,
    /// Letters handled and the length of the queue, as they were at the end of the last slice.
    pub(super) handled: AtomicU64,
    pub(super) queue: AtomicUsize,
    /// None before the worker runs, and in a simulation, which has one thread for all.
    pub(super) cpu: OnceLock<ThreadCpu>,
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

pub(super) enum Pinned {
    Turn(u32),
    /// Makes the process at an index, here where it will stay.
    Settle(u32, Box<dyn FnOnce() -> Box<dyn Run> + Send>),
}

/// The worker of a node on this thread.
pub(crate) struct Here {
    pub(super) node: Node,
    /// Where its tasks run: nodes that share a thread may live in different runtimes.
    pub(super) runtime: tokio::runtime::Id,
    pub(super) queue: RefCell<VecDeque<u32>>,
    pub(super) polling: Cell<bool>,
    pub(super) desk: Arc<Desk>,
    /// The processes that never leave this thread, between their turns.
    pub(super) settled: RefCell<BTreeMap<u32, Box<dyn Run>>>,
    pub(super) spares: RefCell<Spares>,
    /// The second of its node's life in which the slice began that it is at.
    pub(super) second: Cell<u32>,
}

thread_local! {
    /// The workers on this thread by node: one in production, several when nodes share a thread.
    pub(super) static HERE: RefCell<Vec<(usize, Rc<Here>)>> = const { RefCell::new(Vec::new()) };
}

impl Here {
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// What processes left behind here; borrowed for a moment, never while anything is run.
    #[inline]
    pub(crate) fn spares(&self) -> RefMut<'_, Spares> {
        self.spares.borrow_mut()
    }

    /// Whether it runs processes just now, rather than anything else on its thread.
    #[inline]
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.get()
    }

    /// The second of its node's life, as it was when it began to run processes.
    pub(crate) fn second(&self) -> u32 {
        self.second.get()
    }

    #[inline]
    pub(super) fn push(&self, index: u32) {
        self.queue.borrow_mut().push_back(index);
    }
}

impl Pool {
    /// Puts a process into the queue of `here`, of this thread's worker, or of any.
    #[inline]
    pub(crate) fn schedule(&self, node: usize, index: u32, here: Option<&Here>) {
        match here {
            Some(here) => here.push(index), // being polled: this is a turn of it
            None => self.schedule_from_anywhere(node, index),
        }
    }

    fn schedule_from_anywhere(&self, node: usize, index: u32) {
        let scheduled = HERE.with_borrow(|here| {
            let Some((_, here)) = here.iter().find(|(id, _)| *id == node) else {
                return false;
            };
            here.push(index);
            if !here.polling.get() {
                self.rouse(&here.desk);
            }
            true
        });
        if !scheduled {
            self.inject(Job::Turn(index));
        }
    }

    /// Does `what` with the worker of this thread, if it has one of the node.
    #[inline]
    pub(crate) fn with_here<T>(&self, node: usize, what: impl FnOnce(Option<&Here>) -> T) -> T {
        HERE.with_borrow(|here| {
            let here = here.iter().find(|(id, _)| *id == node);
            what(here.map(|(_, here)| &**here))
        })
    }

    /// Puts a process into the queue of the one worker that may run it, counted from one.
    pub(crate) fn schedule_pinned(&self, worker: u16, index: u32) {
        self.pin(worker, Pinned::Turn(index));
    }

    /// Lets that worker make a process.
    pub(crate) fn settle(
        &self,
        worker: u16,
        index: u32,
        make: Box<dyn FnOnce() -> Box<dyn Run> + Send>,
    ) {
        self.pin(worker, Pinned::Settle(index, make));
    }

    fn pin(&self, worker: u16, job: Pinned) {
        let desk = self.workers.lock().get(usize::from(worker) - 1).cloned();
        let Some(desk) = desk else { return };
        desk.pinned.lock().push_back(job);
        desk.pinned_len.fetch_add(1, Ordering::SeqCst);
        self.rouse(&desk);
    }

    /// The desk of a worker, which is there before the worker is: others may send to it already.
    pub(crate) fn desk(&self, worker: usize) -> Arc<Desk> {
        let mut workers = self.workers.lock();
        let desks = workers.len().max(worker + 1);
        workers.resize_with(desks, Arc::default);
        workers[worker].clone()
    }

    /// How many workers there are.
    pub(crate) fn worker_count(&self) -> usize {
        self.workers.lock().len()
    }

    /// Runs `call` on a worker of this node: at once when this is the runtime of one.
    pub(crate) fn call(&self, node: usize, call: impl FnOnce() + Send + 'static) {
        let runtime = tokio::runtime::Handle::try_current().map(|handle| handle.id());
        let is_here = |(id, here): &(usize, Rc<Here>)| {
            *id == node && runtime.as_ref().is_ok_and(|id| *id == here.runtime)
        };
        if HERE.with_borrow(|here| here.iter().any(is_here)) {
            call();
        } else {
            self.inject(Job::Call(Box::new(call)));
        }
    }

    /// Drops what was handed to workers and waits for one.
    pub(crate) fn clear(&self) {
        let jobs = std::mem::take(&mut *self.injected.lock());
        self.injected_len.fetch_sub(jobs.len(), Ordering::SeqCst);
        for desk in self.workers.lock().iter() {
            let pinned = std::mem::take(&mut *desk.pinned.lock());
            desk.pinned_len.fetch_sub(pinned.len(), Ordering::SeqCst);
        }
    }

    pub(crate) fn look(&self) -> Vec<Look> {
        let workers = self.workers.lock().clone();
        let look = |desk: &Arc<Desk>| Look {
            handled: desk.handled.load(Ordering::Relaxed),
            queue: desk.queue.load(Ordering::Relaxed),
            used: desk.cpu.get().and_then(ThreadCpu::used),
            ratio: desk.cpu.get().and_then(ThreadCpu::ratio),
        };
        workers.iter().map(look).collect()
    }

    /// Jobs that wait for any worker.
    pub(crate) fn injected(&self) -> usize {
        self.injected_len.load(Ordering::Relaxed)
    }

    pub(crate) fn rouse_all(&self) {
        for desk in self.workers.lock().iter() {
            self.rouse(desk);
        }
    }

    fn inject(&self, job: Job) {
        self.injected.lock().push_back(job);
        self.injected_len.fetch_add(1, Ordering::SeqCst);
        self.wake_one();
    }

    pub(super) fn wake_one(&self) {
        if self.sleeping.load(Ordering::SeqCst) == 0 {
            return;
        }
        let workers = self.workers.lock();
        let _ = workers.iter().find(|desk| self.rouse(desk));
    }

    fn rouse(&self, desk: &Desk) -> bool {
        let slept =
            desk.sleeping.load(Ordering::SeqCst) && desk.sleeping.swap(false, Ordering::AcqRel);
        if slept {
            self.sleeping.fetch_sub(1, Ordering::SeqCst);
            desk.waker.wake();
        }
        slept
    }
}
