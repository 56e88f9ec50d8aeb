//! Which child a supervisor starts and stops, and when: the core, without processes or clock.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::spec::{Backoff, Restart};

/// Who else is restarted when a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Nobody.
    One,
    /// All.
    All,
    /// Those that were started after it.
    Rest,
}

/// How often children may be restarted before the supervisor gives up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) restarts: u32,
    pub(crate) within: Duration,
}

/// What is to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start a child; answer with [`Tree::started`] or [`Tree::not_started`].
    Start(usize),
    /// Stop a child; its exit is answer enough.
    Stop(usize),
    /// Call [`Tree::waited`] after this time.
    Wait(usize, Duration),
    /// End: for a reason when it gives up.
    End(Option<String>),
}

/// How a child ended, or why it was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// By itself, in good order.
    None,
    /// It is the child's own.
    Own,
    /// Not the child's: its node is not reached, or has no room. Counts as no restart.
    Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Is to be started as soon as those before it are.
    Ready,
    /// Is to be ready after a while.
    Waiting,
    Starting,
    Running(Instant),
    Stopping,
    /// Is not to be started.
    Stopped,
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) restart: Restart,
    pub(crate) backoff: Backoff,
    pub(crate) phase: Phase,
    /// Is to be stopped as soon as those after it are.
    must_stop: bool,
    /// Is to be started again once it was stopped.
    wanted: bool,
    /// Failures in a row.
    failures: u32,
    pub(crate) restarts: u64,
    was_started: bool,
}

impl Child {
    fn lives(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting | Phase::Running(_) | Phase::Stopping
        )
    }
}

pub(crate) struct Tree {
    strategy: Strategy,
    limit: Limit,
    pub(crate) children: Vec<Child>,
    /// When children were restarted last, no more of them than the limit says.
    restarts: VecDeque<Instant>,
    ending: Option<Option<String>>,
    outputs: Vec<Output>,
}

impl Tree {
    pub(crate) fn new(strategy: Strategy, limit: Limit) -> Tree {
        Tree {
            strategy,
            limit,
            children: Vec::new(),
            restarts: VecDeque::new(),
            ending: None,
            outputs: Vec::new(),
        }
    }

    pub(crate) fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
    }

    pub(crate) fn add(&mut self, restart: Restart, backoff: Backoff) {
        self.children.push(Child {
            restart,
            backoff,
            phase: Phase::Ready,
            must_stop: false,
            wanted: true,
            failures: 0,
            restarts: 0,
            was_started: false,
        });
    }

    /// Starts what can be started.
    pub(crate) fn begin(&mut self) -> Vec<Output> {
        self.advance()
    }

    pub(crate) fn started(&mut self, index: usize, now: Instant) -> Vec<Output> {
        self.children[index].phase = Phase::Running(now);
        self.children[index].was_started = true;
        self.advance()
    }

    /// A child could not be started; it is tried again after `at_least`.
    pub(crate) fn not_started(
        &mut self,
        index: usize,
        fault: Fault,
        why: &str,
        at_least: Duration,
        (now, chance): (Instant, f64),
    ) -> Vec<Output> {
        self.children[index].was_started = true;
        self.over(index, fault, why, at_least, (now, chance));
        self.advance()
    }

    /// A child has gone; it is started again, if at all, after `at_least`.
    pub(crate) fn exited(
        &mut self,
        index: usize,
        fault: Fault,
        why: &str,
        at_least: Duration,
        (now, chance): (Instant, f64),
    ) -> Vec<Output> {
        let child = &mut self.children[index];
        let again = match child.restart {
            Restart::Permanent => true,
            Restart::Transient => fault != Fault::None,
            Restart::Temporary => false,
        };
        if child.must_stop || again {
            let fault = if fault == Fault::None {
                Fault::Own
            } else {
                fault
            };
            self.over(index, fault, why, at_least, (now, chance));
        } else {
            child.phase = Phase::Stopped;
        }
        self.advance()
    }

    /// A child that is to run does not: because it was to be stopped, or against its will.
    fn over(
        &mut self,
        index: usize,
        fault: Fault,
        why: &str,
        at_least: Duration,
        (now, chance): (Instant, f64),
    ) {
        let child = &mut self.children[index];
        if child.must_stop {
            child.must_stop = false;
            let again = child.wanted && child.restart != Restart::Temporary;
            child.phase = match again {
                true if at_least.is_zero() => Phase::Ready,
                true => Phase::Waiting,
                false => Phase::Stopped,
            };
            if child.phase == Phase::Waiting {
                self.outputs.push(Output::Wait(index, at_least));
            }
            return;
        }
        if let Phase::Running(since) = child.phase
            && now.duration_since(since) >= child.backoff.healthy
        {
            child.failures = 0;
        }
        let wait = child.backoff.wait(child.failures, chance).max(at_least);
        child.failures = child.failures.saturating_add(1);
        let ran = matches!(child.phase, Phase::Running(_));
        child.phase = Phase::Waiting;
        if (ran || fault == Fault::Own) && !self.may_restart(now) {
            let Limit { restarts, within } = self.limit;
            let why = format!("more than {restarts} restarts in {within:?}, the last: {why}");
            return self.end(Some(why));
        }
        self.children[index].restarts += u64::from(ran);
        self.outputs.push(Output::Wait(index, wait));
        if ran {
            self.take_along(index);
        }
    }

    /// Counts a restart; false when there were too many.
    fn may_restart(&mut self, now: Instant) -> bool {
        let within = self.limit.within;
        let old = |at: &Instant| now.duration_since(*at) > within;
        while self.restarts.front().is_some_and(old) {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        self.restarts.len() <= self.limit.restarts as usize
    }

    /// Stops those that are restarted with the child at `index`.
    fn take_along(&mut self, index: usize) {
        let first = match self.strategy {
            Strategy::One => return,
            Strategy::All => 0,
            Strategy::Rest => index + 1,
        };
        for (at, child) in self.children.iter_mut().enumerate().skip(first) {
            if at == index {
                continue;
            }
            child.must_stop = child.lives();
            if child.phase == Phase::Stopped && child.wanted && child.restart != Restart::Temporary
            {
                child.phase = Phase::Ready;
            }
        }
    }

    /// The time to wait before a child is started again is over.
    pub(crate) fn waited(&mut self, index: usize) -> Vec<Output> {
        let child = &mut self.children[index];
        if child.phase == Phase::Waiting {
            child.phase = Phase::Ready;
        }
        self.advance()
    }

    /// Stops a child until it is started again by hand.
    pub(crate) fn stop_child(&mut self, index: usize) -> Vec<Output> {
        let child = &mut self.children[index];
        child.wanted = false;
        child.must_stop = child.lives();
        if !child.must_stop {
            child.phase = Phase::Stopped;
        }
        self.advance()
    }

    /// Starts a child that was stopped by hand, or has ended for good.
    pub(crate) fn start_child(&mut self, index: usize) -> Vec<Output> {
        let child = &mut self.children[index];
        child.wanted = true;
        if child.phase == Phase::Stopped {
            child.phase = Phase::Ready;
        }
        self.advance()
    }

    /// Stops all children in reverse order, and then itself.
    pub(crate) fn shut_down(&mut self) -> Vec<Output> {
        self.end(None);
        self.advance()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    fn end(&mut self, why: Option<String>) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(why);
        for child in &mut self.children {
            child.wanted = false;
            child.must_stop = child.lives();
            if !child.must_stop {
                child.phase = Phase::Stopped;
            }
        }
    }

    /// Whatever can be done: stop from the last to the first, or else start from the first to the
    /// last.
    fn advance(&mut self) -> Vec<Output> {
        if let Some(index) = self.children.iter().rposition(|child| child.must_stop) {
            let child = &mut self.children[index];
            // One that is being started can be stopped when that is done.
            if matches!(child.phase, Phase::Running(_)) {
                child.phase = Phase::Stopping;
                self.outputs.push(Output::Stop(index));
            }
        } else if let Some(why) = &mut self.ending {
            self.outputs.push(Output::End(why.take()));
        } else {
            self.start_some();
        }
        std::mem::take(&mut self.outputs)
    }

    fn start_some(&mut self) {
        let ordered = self.strategy != Strategy::One;
        let mut behind = false;
        for (index, child) in self.children.iter_mut().enumerate() {
            match child.phase {
                // What was started before does not wait for those before it any more.
                Phase::Ready if !behind || (!ordered && child.was_started) => {
                    child.phase = Phase::Starting;
                    self.outputs.push(Output::Start(index));
                    behind = true;
                }
                Phase::Starting => behind = true,
                Phase::Waiting => behind |= ordered,
                Phase::Ready | Phase::Running(_) | Phase::Stopping | Phase::Stopped => {}
            }
        }
    }
}
