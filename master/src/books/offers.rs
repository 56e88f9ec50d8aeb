//! Offers in the books: promises of what is free, each taken back once.

use std::collections::BTreeSet;

use types::{Offer, OfferId, Resources};

use super::Books;

/// Why an offer cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    /// The framework is not there to answer.
    #[error("the framework is not subscribed")]
    Framework,
    /// The agent is not there.
    #[error("the agent is not connected")]
    Agent,
    /// Somebody has the resources.
    #[error("the resources are not free")]
    Resources,
}

impl Books {
    pub(crate) fn offer(&self, id: &OfferId) -> Option<&Offer> {
        self.offers.get(id)
    }

    /// The offers that wait for an answer.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values()
    }

    /// Makes an offer of what is free.
    pub(crate) fn add_offer(&mut self, offer: Offer) -> Result<(), NoRoom> {
        let framework = self.frameworks.get_mut(&offer.framework_id);
        let framework = framework
            .filter(|framework| framework.is_active())
            .ok_or(NoRoom::Framework)?;
        let agent = self.agents.get_mut(&offer.agent_id);
        let aside = self.aside.contains_key(&offer.agent_id);
        let agent = agent
            .filter(|agent| agent.connected && !agent.leaving && !aside)
            .ok_or(NoRoom::Agent)?;
        if !agent.free().contains(&offer.resources.non_shared()) {
            return Err(NoRoom::Resources);
        }
        assert!(
            !self.offers.contains_key(&offer.id),
            "an offer is made once"
        );
        agent.offered += &offer.resources;
        agent.offers.insert(offer.id.clone());
        framework.offers.insert(offer.id.clone());
        self.offers.insert(offer.id.clone(), offer);
        Ok(())
    }

    /// Takes an offer back, whether it was accepted, declined or rescinded.
    pub(crate) fn take_offer(&mut self, id: &OfferId) -> Option<Offer> {
        let offer = self.offers.remove(id)?;
        if let Some(agent) = self.agents.get_mut(&offer.agent_id) {
            agent.offers.remove(id);
            agent.offered -= &offer.resources;
        }
        if let Some(framework) = self.frameworks.get_mut(&offer.framework_id) {
            framework.offers.remove(id);
        }
        Some(offer)
    }

    /// Takes many offers back.
    pub(crate) fn take_offers(&mut self, ids: &BTreeSet<OfferId>) -> Vec<Offer> {
        ids.iter().filter_map(|id| self.take_offer(id)).collect()
    }

    /// Everything that is promised to a framework.
    pub(crate) fn offered_to(&self, framework: &super::Framework) -> Resources {
        let offers = framework.offers.iter().filter_map(|id| self.offers.get(id));
        offers.map(|offer| &offer.resources).sum()
    }
}
