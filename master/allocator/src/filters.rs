//! Offer filters: what frameworks refused of an agent, and until when.
//!
//! Where many frameworks refuse an agent, they mostly refuse the same. So refusals are kept by
//! what was refused, and one comparison tells for all who refused it whether they are passed over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::Resources;

use crate::agents::AgentIndex;
use crate::frameworks::FrameworkIndex;
use crate::roles::{ClientIndex, NodeIndex};

/// A client has at most this many refusals on one agent; the one that ends first makes room. More
/// would only be kept for a framework that refuses ever growing offers.
const MAX_REFUSALS: usize = 16;

/// All refusals in force.
#[derive(Debug, Default)]
pub(crate) struct OfferFilters {
    by_agent: HashMap<AgentIndex, BTreeMap<NodeIndex, Vec<Refusal>>>,
    by_client: HashMap<ClientIndex, BTreeSet<AgentIndex>>,
    expiries: BTreeSet<(u64, AgentIndex, ClientIndex)>,
}

/// Resources of one agent that some frameworks refused for one role.
#[derive(Debug)]
pub(crate) struct Refusal {
    refused: Resources,
    /// Until when who refuses, in milliseconds.
    until_ms: BTreeMap<FrameworkIndex, u64>,
}

impl OfferFilters {
    /// Remembers a refusal. One that refuses no more and ends no later adds nothing to another.
    pub(crate) fn add(
        &mut self,
        agent: AgentIndex,
        client: ClientIndex,
        refused: Resources,
        until_ms: u64,
    ) {
        let who = client.framework;
        let refusals = self
            .by_agent
            .entry(agent)
            .or_default()
            .entry(client.node)
            .or_default();
        let theirs = |r: &Refusal| r.until_ms.get(&who).copied();
        let covers = |r: &Refusal| theirs(r) >= Some(until_ms) && r.refused.contains(&refused);
        if refusals.iter().any(covers) {
            return;
        }
        let mut gone = Vec::new();
        for refusal in refusals.iter_mut() {
            let until = theirs(refusal).filter(|until| *until <= until_ms);
            if until.is_some() && refused.contains(&refusal.refused) {
                gone.extend(refusal.until_ms.remove(&who));
            }
        }
        if refusals.iter().filter_map(theirs).count() == MAX_REFUSALS {
            let first = refusals
                .iter_mut()
                .filter(|refusal| theirs(refusal).is_some());
            let first = first.min_by_key(|refusal| theirs(refusal));
            gone.extend(first.and_then(|refusal| refusal.until_ms.remove(&who)));
        }
        let same = refusals
            .iter_mut()
            .find(|refusal| refusal.refused == refused);
        if let Some(same) = same {
            same.until_ms.insert(who, until_ms);
        } else {
            let until_ms = BTreeMap::from([(who, until_ms)]);
            refusals.push(Refusal { refused, until_ms });
        }
        refusals.retain(|refusal| !refusal.until_ms.is_empty());
        for end in gone {
            self.expiries.remove(&(end, agent, client));
        }
        // What ends at one moment has one entry, which those that stay still need.
        let ends = refusals.iter().filter_map(theirs);
        self.expiries.extend(ends.map(|end| (end, agent, client)));
        self.by_client.entry(client).or_default().insert(agent);
    }

    /// Returns what was refused of one agent for one role.
    pub(crate) fn of(&self, agent: AgentIndex, node: NodeIndex) -> &[Refusal] {
        let refusals = self.by_agent.get(&agent).and_then(|nodes| nodes.get(&node));
        refusals.map_or(&[], Vec::as_slice)
    }

    /// Forgets what has ended, and returns the agents concerned.
    pub(crate) fn expire(&mut self, now_ms: u64) -> BTreeSet<AgentIndex> {
        let mut agents = BTreeSet::new();
        while let Some(&(until_ms, agent, client)) = self.expiries.first() {
            if until_ms > now_ms {
                break;
            }
            self.expiries.pop_first();
            if self.forget(agent, client, now_ms) {
                agents.insert(agent);
            }
        }
        agents
    }

    /// Returns when the next refusal ends, in milliseconds.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.expiries.first().map(|(until_ms, ..)| *until_ms)
    }

    /// Forgets all refusals of a client.
    pub(crate) fn remove_client(&mut self, client: ClientIndex) {
        let agents = self.by_client.get(&client).cloned().unwrap_or_default();
        agents.into_iter().for_each(|agent| {
            self.forget(agent, client, u64::MAX);
        });
    }

    /// Forgets all refusals of an agent.
    pub(crate) fn remove_agent(&mut self, agent: AgentIndex) {
        let mut clients = BTreeSet::new();
        for (node, refusals) in self.by_agent.get(&agent).into_iter().flatten() {
            let frameworks = refusals.iter().flat_map(|refusal| refusal.until_ms.keys());
            clients.extend(frameworks.map(|who| ClientIndex {
                framework: *who,
                node: *node,
            }));
        }
        clients.into_iter().for_each(|client| {
            self.forget(agent, client, u64::MAX);
        });
    }

    /// Returns on how many agents a client refuses something.
    pub(crate) fn count(&self, client: ClientIndex) -> usize {
        self.by_client.get(&client).map_or(0, BTreeSet::len)
    }

    /// Forgets what a client refuses of an agent until a time; returns whether there was any.
    fn forget(&mut self, agent: AgentIndex, client: ClientIndex, until_ms: u64) -> bool {
        let Some(nodes) = self.by_agent.get_mut(&agent) else {
            return false;
        };
        let Some(refusals) = nodes.get_mut(&client.node) else {
            return false;
        };
        let (mut ended, mut left) = (false, false);
        for refusal in refusals.iter_mut() {
            let Some(end) = refusal.until_ms.get(&client.framework).copied() else {
                continue;
            };
            if end <= until_ms {
                refusal.until_ms.remove(&client.framework);
                self.expiries.remove(&(end, agent, client));
                ended = true;
            } else {
                left = true;
            }
        }
        refusals.retain(|refusal| !refusal.until_ms.is_empty());
        if refusals.is_empty() {
            nodes.remove(&client.node);
        }
        if nodes.is_empty() {
            self.by_agent.remove(&agent);
        }
        if !left && let Some(agents) = self.by_client.get_mut(&client) {
            agents.remove(&agent);
            if agents.is_empty() {
                self.by_client.remove(&client);
            }
        }
        ended
    }
}

/// The frameworks that are passed over, because they refused at least what is offered.
#[derive(Debug)]
pub(crate) struct PassedOver<'a> {
    refusals: &'a [Refusal],
    /// A bit for each framework that refused all of the offer.
    bits: Vec<u64>,
}

impl<'a> PassedOver<'a> {
    pub(crate) fn new(refusals: &'a [Refusal], offer: &Resources) -> Self {
        let mut bits = Vec::new();
        for refusal in refusals
            .iter()
            .filter(|refusal| refusal.refused.contains(offer))
        {
            for who in refusal.until_ms.keys() {
                let (word, bit) = (who.number() / 64, who.number() % 64);
                if bits.len() <= word {
                    bits.resize(word + 1, 0);
                }
                bits[word] |= 1 << bit;
            }
        }
        Self { refusals, bits }
    }

    /// Returns whether a framework refused all of the offer.
    pub(crate) fn has(&self, who: FrameworkIndex) -> bool {
        let word = self.bits.get(who.number() / 64).copied().unwrap_or(0);
        word & 1 << (who.number() % 64) != 0
    }

    /// Returns whether a framework refused all of this part of the offer.
    pub(crate) fn has_for(&self, who: FrameworkIndex, part: &Resources) -> bool {
        let refused = |r: &Refusal| r.until_ms.contains_key(&who) && r.refused.contains(part);
        self.has(who) || self.refusals.iter().any(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::{Agent, AgentEntry};
    use crate::frameworks::Frameworks;
    use crate::roles::Roles;
    use crate::slab::Slab;

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    /// Refusals by one client of one agent, each with its end.
    fn refusals<const N: usize>(list: [(&str, u64); N]) -> (OfferFilters, AgentIndex, ClientIndex) {
        let id = types::AgentId::new("a").unwrap();
        let agent = Slab::default().insert(Agent::new(&AgentEntry::new(id, Resources::new())));
        let framework = Frameworks::default().ensure(&types::FrameworkId::new("f").unwrap());
        let client = ClientIndex {
            framework,
            node: Roles::new().root_index(),
        };
        let mut filters = OfferFilters::default();
        for (text, until_ms) in list {
            filters.add(agent, client, resources(text), until_ms);
        }
        (filters, agent, client)
    }

    fn blocks(filters: &OfferFilters, agent: AgentIndex, client: ClientIndex, text: &str) -> bool {
        let offer = resources(text);
        let passed_over = PassedOver::new(filters.of(agent, client.node), &offer);
        let blocks = passed_over.has(client.framework);
        assert_eq!(passed_over.has_for(client.framework, &offer), blocks);
        blocks
    }

    #[test]
    fn a_refusal_of_more_does_not_end_a_longer_one_of_less() {
        for list in [
            [("cpus:1", 9), ("cpus:2", 5)],
            [("cpus:2", 5), ("cpus:1", 9)],
        ] {
            let (mut filters, agent, client) = refusals(list);
            assert!(blocks(&filters, agent, client, "cpus:2"));
            assert_eq!(filters.expire(5).len(), 1);
            assert!(!blocks(&filters, agent, client, "cpus:2"));
            assert!(blocks(&filters, agent, client, "cpus:1"));
            assert_eq!(filters.next_expiry_ms(), Some(9));
        }
    }

    #[test]
    fn a_longer_refusal_of_more_takes_the_place_of_a_shorter_one_of_less() {
        for list in [
            [("cpus:1", 5), ("cpus:2", 9)],
            [("cpus:2", 9), ("cpus:1", 5)],
        ] {
            let (mut filters, agent, client) = refusals(list);
            assert!(filters.expire(8).is_empty());
            assert!(blocks(&filters, agent, client, "cpus:2"));
            assert_eq!(filters.next_expiry_ms(), Some(9));
            assert_eq!(filters.expire(9).len(), 1);
            assert_eq!(filters.next_expiry_ms(), None);
            assert_eq!(filters.count(client), 0);
        }
    }

    #[test]
    fn what_is_refused_in_parts_is_not_refused_as_a_whole() {
        let (filters, agent, client) = refusals([("cpus:1", 9), ("mem:1", 9)]);
        assert!(blocks(&filters, agent, client, "cpus:1"));
        assert!(blocks(&filters, agent, client, "mem:1"));
        assert!(!blocks(&filters, agent, client, "cpus:1;mem:1"));
    }
}
