//! The allocator's process: carries out the master's orders, and runs rounds when there is
//! something to give.
//!
//! After a quiet time an order makes it run a round as soon as the orders that wait with it are
//! carried out; rounds keep a distance from each other, so that what happens together is decided
//! together and a storm of events costs few of them.
//! Refusals that end wake it up. While nothing happens it sleeps.

use std::time::Duration;

use allocator::{Allocation, Allocator};
use libproc::env::Instant;
use libproc::prelude::*;

use crate::Options;
use crate::orders::Order;
use crate::process::MasterProcess;

protocol! {
    /// What an allocator accepts from anywhere; its orders come from its master, on this node.
    pub(crate) protocol Allocating {
        /// How many rounds it has run.
        message GetRounds {} -> u64;
    }
}

/// The allocator has started and takes orders.
pub(crate) struct Ready(pub(crate) Local<AllocatorProcess>);

impl Message for Ready {
    type Result = ();
}

/// What a round gave away.
pub(crate) struct Allocated {
    /// How many orders had been carried out.
    pub(crate) seen: u64,
    pub(crate) allocations: Vec<Allocation>,
}

impl Message for Allocated {
    type Result = ();
}

/// Runs the allocator.
pub(crate) struct AllocatorProcess {
    allocator: Allocator,
    master: Local<MasterProcess>,
    master_upid: Upid,
    debounce: Duration,
    min_interval: Duration,
    /// The time of the allocator counts from here.
    epoch: Instant,
    seen: u64,
    last_round: Option<Instant>,
    round_is_due: bool,
    /// When a refusal ends, and the timer that waits for it.
    expiry: Option<(u64, Timer)>,
}

impl AllocatorProcess {
    pub(crate) fn new(master: Local<MasterProcess>, master_upid: Upid, options: &Options) -> Self {
        let defaults = allocator::Options::default();
        let mut allocator = Allocator::new(allocator::Options {
            min_allocatable: options.min_allocatable.clone(),
            seed: options
                .seed
                .unwrap_or_else(|| rand::Rng::random(&mut libproc::env::rng())),
            ..defaults
        });
        allocator.update_weights(options.weights.clone());
        Self {
            allocator,
            master,
            master_upid,
            debounce: options.allocation_debounce,
            min_interval: options.min_allocation_interval,
            epoch: Instant::now(),
            seen: 0,
            last_round: None,
            round_is_due: false,
            expiry: None,
        }
    }

    fn now_ms(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }

    /// Sees to it that a round is run, if one could give something away.
    fn plan_round(&mut self, ctx: &mut Context<Self>) {
        if self.round_is_due || !self.allocator.has_candidates() {
            return;
        }
        self.round_is_due = true;
        let since_last = self.last_round.map(|last| last.elapsed());
        let distance = since_last.map_or(Duration::ZERO, |since| {
            self.min_interval.saturating_sub(since)
        });
        let wait = distance.max(self.debounce);
        let round = |this: &mut Self, ctx: &mut Context<Self>| {
            this.round_is_due = false;
            this.round(ctx);
        };
        if wait.is_zero() {
            ctx.local().run(round); // behind what is in the mailbox; a timer takes a millisecond
        } else {
            ctx.after(wait, round);
        }
    }

    fn round(&mut self, ctx: &mut Context<Self>) {
        let allocations = self.allocator.allocate(self.now_ms());
        if !allocations.is_empty() {
            self.last_round = Some(Instant::now());
            let seen = self.seen;
            self.master.tell(Allocated { seen, allocations });
        }
        self.await_expiry(ctx);
        self.plan_round(ctx);
    }

    /// Sees to it that a round is run when the next refusal ends.
    fn await_expiry(&mut self, ctx: &mut Context<Self>) {
        let next = self.allocator.next_expiry_ms();
        if self.expiry.as_ref().map(|(at, _)| *at) == next {
            return;
        }
        if let Some((_, timer)) = self.expiry.take() {
            ctx.cancel(timer);
        }
        let Some(at_ms) = next else { return };
        let wait = Duration::from_millis(at_ms.saturating_sub(self.now_ms()));
        let timer = ctx.after(wait, |this, ctx| {
            this.expiry = None;
            this.round(ctx);
        });
        self.expiry = Some((at_ms, timer));
    }
}

impl Actor for AllocatorProcess {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let master = self.master_upid.clone();
        ctx.link(&master);
        self.master.tell(Ready(ctx.local()));
    }
}

impl Process for AllocatorProcess {
    type Protocol = Allocating;
}

impl Handler<Order> for AllocatorProcess {
    type Result = ();
    fn handle(&mut self, Order(order): Order, ctx: &mut Context<Self>) {
        self.seen += 1;
        let now_ms = self.now_ms();
        order(&mut self.allocator, now_ms);
        self.await_expiry(ctx);
        self.plan_round(ctx);
    }
}

impl Handler<GetRounds> for AllocatorProcess {
    type Result = u64;
    fn handle(&mut self, _: GetRounds, _: &mut Context<Self>) -> u64 {
        self.allocator.counters().runs
    }
}

impl Handler<Exited> for AllocatorProcess {
    type Result = ();
    fn handle(&mut self, _: Exited, ctx: &mut Context<Self>) {
        // Without its master there is nobody to decide for.
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_allocator_runs_no_rounds() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let node = Node::bind("127.0.0.1:0").await.unwrap();
            crate::start(&node, Options::default());
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let upid = format!("allocator@{}", node.address()).parse().unwrap();
            let allocator = Pid::<Allocating>::assume(upid);
            assert_eq!(node.ask(&allocator, GetRounds {}).await, Ok(0));
            node.shutdown().await;
        });
    }

    #[test]
    fn an_allocator_ends_with_its_master() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let node = Node::bind("127.0.0.1:0").await.unwrap();
            let master = crate::start(&node, Options::default());
            let summary = node.ask(&master, api::master::GetMaster {}).await;
            assert!(summary.is_ok());
            let upid = format!("allocator@{}", node.address()).parse().unwrap();
            let exit = node.exit_of(&upid);
            node.terminate(master.upid());
            assert_eq!(exit.await, ExitReason::Stopped);
            node.shutdown().await;
        });
    }
}
