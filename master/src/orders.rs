//! Orders: what the master tells its allocator, counted so that late allocations are recognised.
//!
//! An allocation names the last order the allocator had seen when it made it. One that is older
//! than the order that announced its agent is about an earlier life of that agent, and void.

use allocator::Allocator;
use libproc::Local;
use libproc::prelude::Message;
use types::{AgentId, Filters};

use crate::allocator_process::AllocatorProcess;
use crate::books::{Freed, UsedBy};

/// What is to be done with the allocator, at a time in milliseconds.
type Deed = Box<dyn FnOnce(&mut Allocator, u64) + Send>;

/// Something to do with the allocator.
pub(crate) struct Order(pub(crate) Deed);

impl Message for Order {
    type Result = ();
}

/// The way to the allocator; orders wait until it has started.
#[derive(Default)]
pub(crate) struct Orders {
    to: Option<Local<AllocatorProcess>>,
    waiting: Vec<Order>,
    count: u64,
}

impl Orders {
    /// The allocator has started.
    pub(crate) fn open(&mut self, to: Local<AllocatorProcess>) {
        self.waiting.drain(..).for_each(|order| to.tell(order));
        self.to = Some(to);
    }

    /// Gives an order, and returns its number.
    pub(crate) fn give(&mut self, order: impl FnOnce(&mut Allocator, u64) + Send + 'static) -> u64 {
        let order = Order(Box::new(order));
        match &self.to {
            Some(to) => to.tell(order),
            None => self.waiting.push(order),
        }
        self.count += 1;
        self.count
    }

    /// Resources are free again.
    pub(crate) fn recover(&mut self, freed: Freed, filters: Option<Filters>) {
        if freed.resources.is_empty() {
            return;
        }
        self.give(move |allocator, now_ms| {
            let Freed {
                framework_id,
                agent_id,
                role,
                resources,
            } = &freed;
            allocator.recover(framework_id, agent_id, role, resources, filters, now_ms);
        });
    }

    /// There is an agent, or one is back: what was known of it is void.
    pub(crate) fn announce(&mut self, id: AgentId, info: &types::AgentInfo, used: UsedBy) -> u64 {
        let entry = allocator::AgentEntry {
            used,
            traits: info.into(),
            ..allocator::AgentEntry::new(id, info.resources.clone())
        };
        self.give(move |allocator, _| allocator.add_agent(entry))
    }
}
