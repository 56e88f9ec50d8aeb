//! Offer filters: what a framework refused of an agent, and until when.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::Resources;

use crate::agents::AgentIndex;
use crate::roles::ClientIndex;

/// A client has at most this many filters on one agent; the one that ends first makes room. More
/// would only be kept for a framework that refuses ever growing offers.
const MAX_FILTERS: usize = 16;

/// One refusal.
#[derive(Debug)]
struct Filter {
    refused: Resources,
    until_ms: u64,
}

/// All refusals in force.
#[derive(Debug, Default)]
pub(crate) struct OfferFilters {
    by_agent: HashMap<AgentIndex, BTreeMap<ClientIndex, Vec<Filter>>>,
    by_client: HashMap<ClientIndex, BTreeSet<AgentIndex>>,
    expiries: BTreeSet<(u64, AgentIndex, ClientIndex)>,
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
        let filters = self
            .by_agent
            .entry(agent)
            .or_default()
            .entry(client)
            .or_default();
        if filters
            .iter()
            .any(|f| f.until_ms >= until_ms && f.refused.contains(&refused))
        {
            return;
        }
        let expiries = &mut self.expiries;
        filters.retain(|filter| {
            let outlived = filter.until_ms <= until_ms && refused.contains(&filter.refused);
            if outlived {
                expiries.remove(&(filter.until_ms, agent, client));
            }
            !outlived
        });
        if filters.len() == MAX_FILTERS {
            let first = (0..MAX_FILTERS)
                .min_by_key(|i| filters[*i].until_ms)
                .unwrap_or(0);
            let filter = filters.swap_remove(first);
            expiries.remove(&(filter.until_ms, agent, client));
        }
        filters.push(Filter { refused, until_ms });
        expiries.extend(
            filters
                .iter()
                .map(|filter| (filter.until_ms, agent, client)),
        );
        self.by_client.entry(client).or_default().insert(agent);
    }

    /// Returns the refusals of one agent.
    pub(crate) fn of_agent(&self, agent: AgentIndex) -> AgentFilters<'_> {
        AgentFilters(self.by_agent.get(&agent))
    }

    /// Forgets what has ended, and returns the agents concerned.
    pub(crate) fn expire(&mut self, now_ms: u64) -> BTreeSet<AgentIndex> {
        let mut agents = BTreeSet::new();
        while let Some(&(until_ms, agent, client)) = self.expiries.first() {
            if until_ms > now_ms {
                break;
            }
            self.expiries.pop_first();
            agents.insert(agent);
            let clients = self.by_agent.get_mut(&agent);
            let Some(filters) = clients.and_then(|clients| clients.get_mut(&client)) else {
                continue;
            };
            filters.retain(|filter| filter.until_ms > now_ms);
            if filters.is_empty() {
                self.forget(agent, client);
            }
        }
        agents
    }

    /// Returns when the next refusal ends, in milliseconds.
    pub(crate) fn next_expiry_ms(&self) -> Option<u64> {
        self.expiries.first().map(|(until_ms, ..)| *until_ms)
    }

    /// Forgets all refusals of a client, and returns how many agents they were on.
    pub(crate) fn remove_client(&mut self, client: ClientIndex) -> usize {
        let agents = self.by_client.get(&client).cloned().unwrap_or_default();
        agents.iter().for_each(|agent| self.forget(*agent, client));
        agents.len()
    }

    /// Forgets all refusals of an agent.
    pub(crate) fn remove_agent(&mut self, agent: AgentIndex) {
        let clients = self
            .by_agent
            .get(&agent)
            .map(|clients| clients.keys().copied().collect());
        let clients: Vec<ClientIndex> = clients.unwrap_or_default();
        clients
            .into_iter()
            .for_each(|client| self.forget(agent, client));
    }

    /// Returns on how many agents a client refuses something.
    pub(crate) fn count(&self, client: ClientIndex) -> usize {
        self.by_client.get(&client).map_or(0, BTreeSet::len)
    }

    fn forget(&mut self, agent: AgentIndex, client: ClientIndex) {
        if let Some(clients) = self.by_agent.get_mut(&agent) {
            for filter in clients.remove(&client).unwrap_or_default() {
                self.expiries.remove(&(filter.until_ms, agent, client));
            }
            if clients.is_empty() {
                self.by_agent.remove(&agent);
            }
        }
        if let Some(agents) = self.by_client.get_mut(&client) {
            agents.remove(&agent);
            if agents.is_empty() {
                self.by_client.remove(&client);
            }
        }
    }
}

/// The refusals of one agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AgentFilters<'a>(Option<&'a BTreeMap<ClientIndex, Vec<Filter>>>);

impl AgentFilters<'_> {
    /// Returns whether a client refused at least these resources.
    pub(crate) fn block(&self, client: ClientIndex, resources: &Resources) -> bool {
        let filters = self.0.and_then(|clients| clients.get(&client));
        filters.is_some_and(|filters| filters.iter().any(|f| f.refused.contains(resources)))
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

    #[test]
    fn a_refusal_of_more_does_not_end_a_longer_one_of_less() {
        for list in [
            [("cpus:1", 9), ("cpus:2", 5)],
            [("cpus:2", 5), ("cpus:1", 9)],
        ] {
            let (mut filters, agent, client) = refusals(list);
            assert!(filters.of_agent(agent).block(client, &resources("cpus:2")));
            assert_eq!(filters.expire(5).len(), 1);
            assert!(!filters.of_agent(agent).block(client, &resources("cpus:2")));
            assert!(filters.of_agent(agent).block(client, &resources("cpus:1")));
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
            assert_eq!(filters.next_expiry_ms(), Some(9));
            assert!(filters.expire(8).is_empty());
            assert!(filters.of_agent(agent).block(client, &resources("cpus:2")));
            assert_eq!(filters.expire(9).len(), 1);
            assert_eq!(filters.next_expiry_ms(), None);
            assert_eq!(filters.count(client), 0);
        }
    }
}
