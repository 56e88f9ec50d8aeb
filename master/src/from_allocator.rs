//! What the allocator says: that it is there, and what is to be offered to whom.

use std::collections::{BTreeMap, BTreeSet};

use allocator::Allocation;
use api::scheduler;
use libproc::prelude::*;
use types::{FrameworkId, Offer, OfferId};

use crate::allocator_process::{Allocated, Ready};
use crate::books::{Freed, NoRoom};
use crate::process::MasterProcess;

impl Handler<Ready> for MasterProcess {
    type Result = ();
    fn handle(&mut self, Ready(to): Ready, _: &mut Context<Self>) {
        self.orders.open(to);
    }
}

impl Handler<Allocated> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Allocated, ctx: &mut Context<Self>) {
        let Allocated { seen, allocations } = message;
        let mut offers: BTreeMap<FrameworkId, Vec<Offer>> = BTreeMap::new();
        for allocation in allocations {
            if let Some(offer) = self.offer(allocation, seen, ctx) {
                offers
                    .entry(offer.framework_id.clone())
                    .or_default()
                    .push(offer);
            }
        }
        for (framework_id, offers) in offers {
            self.expire_later(&offers, ctx);
            self.metrics.offers_sent += offers.len() as u64;
            if let Some(framework) = self.books.framework(&framework_id) {
                tracing::debug!(framework = %framework_id, offers = offers.len(), "offers sent");
                self.say(framework, scheduler::Offers { offers }, ctx);
            }
        }
        self.settle();
    }
}

impl MasterProcess {
    /// Makes an offer of an allocation, unless things have changed since it was made.
    fn offer(
        &mut self,
        allocation: Allocation,
        seen: u64,
        ctx: &mut Context<Self>,
    ) -> Option<Offer> {
        let agent = self.books.agent(&allocation.agent)?;
        if seen < agent.announced {
            // Of an earlier life of the agent, which the allocator has forgotten since.
            self.metrics.allocations_void += 1;
            return None;
        }
        let executor_ids = self.books.framework(&allocation.framework);
        let executor_ids = executor_ids.map(|f| f.executors_on(&agent.id));
        let offer = Offer {
            hostname: agent.info.hostname.clone(),
            attributes: agent.info.attributes.clone(),
            agent_address: agent.pid.upid().address().to_string(),
            executor_ids: executor_ids.unwrap_or_default(),
            id: self.ids.offer(),
            framework_id: allocation.framework,
            agent_id: allocation.agent,
            role: allocation.role,
            resources: allocation.resources,
        };
        match self.books.add_offer(offer.clone()) {
            Ok(()) => Some(offer),
            Err(NoRoom::Framework | NoRoom::Agent) => {
                self.metrics.allocations_void += 1;
                self.orders.recover(offer.into(), None);
                None
            }
            Err(NoRoom::Resources) => {
                self.metrics.allocations_void += 1;
                self.announce_again(offer, ctx);
                None
            }
        }
    }

    /// The allocator and the books disagree about an agent: the books are right.
    fn announce_again(&mut self, offer: Offer, ctx: &mut Context<Self>) {
        let Freed { agent_id, .. } = offer.into();
        tracing::warn!(agent = %agent_id, "allocation of what is not free");
        self.rescind_agent_offers(&agent_id, ctx);
        self.announce_agent(&agent_id);
    }

    /// Tells the allocator what an agent has and what is used of it, whatever it knew before.
    pub(crate) fn announce_agent(&mut self, id: &types::AgentId) {
        let used = self.books.used_by(id);
        let Some(agent) = self.books.agent_mut(id) else {
            return;
        };
        agent.announced = self.orders.announce(id.clone(), &agent.info, used);
        if self.books.aside(id).is_some() {
            let aside = id.clone();
            self.orders
                .give(move |allocator, _| allocator.deactivate_agent(&aside));
        }
    }

    /// Takes offers back when they are not answered in time.
    fn expire_later(&self, offers: &[Offer], ctx: &mut Context<Self>) {
        let Some(timeout) = self.options.offer_timeout else {
            return;
        };
        let ids: BTreeSet<OfferId> = offers.iter().map(|offer| offer.id.clone()).collect();
        ctx.after(timeout, move |this, ctx| {
            this.rescind(&ids, ctx);
            this.settle();
        });
    }
}
