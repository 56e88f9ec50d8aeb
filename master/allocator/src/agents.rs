//! Agents as the allocator sees them: what they have, who has it, what is free.

use std::collections::{BTreeMap, HashMap};

use types::{AgentId, FrameworkId, ResourceName, Resources, Role};

use crate::constraints::Traits;
use crate::roles::ClientIndex;
use crate::slab::{Index, Slab};

/// The number of an agent.
pub(crate) type AgentIndex = Index<Agent>;

/// An agent to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentEntry {
    /// Its id.
    pub id: AgentId,
    /// Everything it has.
    pub total: Resources,
    /// What frameworks have of it, known ones or not.
    pub used: BTreeMap<FrameworkId, BTreeMap<Role, Resources>>,
    /// Whether it stands near the master.
    pub locality: Locality,
    /// What frameworks may choose by.
    pub traits: Traits,
}

/// Whether an agent stands near the master.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Locality {
    /// In the region of the master.
    #[default]
    Local,
    /// In another region: only for frameworks that know of regions.
    Remote,
}

impl AgentEntry {
    /// Returns an agent nobody has anything of.
    pub fn new(id: AgentId, total: Resources) -> Self {
        Self {
            id,
            total,
            used: BTreeMap::new(),
            locality: Locality::Local,
            traits: Traits::default(),
        }
    }
}

/// What is known of an agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) total: Resources,
    /// What nobody has.
    pub(crate) free: Resources,
    /// What each client has.
    pub(crate) allocated: BTreeMap<ClientIndex, Resources>,
    pub(crate) locality: Locality,
    pub(crate) traits: Traits,
    /// It may be offered.
    pub(crate) active: bool,
    /// It is considered in the next round.
    pub(crate) candidate: bool,
    pub(crate) has_gpus: bool,
    /// More is allocated than there is, since the agent became smaller.
    overcommitted: bool,
}

impl Agent {
    pub(crate) fn new(entry: &AgentEntry) -> Self {
        Self {
            id: entry.id.clone(),
            total: entry.total.clone(),
            free: entry.total.clone(),
            allocated: BTreeMap::new(),
            locality: entry.locality,
            traits: entry.traits.clone(),
            active: true,
            candidate: false,
            has_gpus: has_gpus(&entry.total),
            overcommitted: false,
        }
    }

    /// Charges a client with what is free, or with what was not known to be taken.
    ///
    /// Returns whether it is the first the client has here.
    pub(crate) fn charge(&mut self, client: ClientIndex, resources: &Resources) -> bool {
        let mut first = false;
        let entry = self.allocated.entry(client).or_insert_with(|| {
            first = true;
            Resources::new()
        });
        *entry += resources;
        first
    }

    /// Takes resources back from a client, as far as it has them, and frees them.
    ///
    /// Returns what it had of them, and whether it has nothing left here.
    pub(crate) fn uncharge(
        &mut self,
        client: ClientIndex,
        resources: &Resources,
    ) -> (Resources, bool) {
        let Some(entry) = self.allocated.get_mut(&client) else {
            return (Resources::new(), false);
        };
        let before = (!entry.contains(resources)).then(|| entry.clone());
        *entry -= resources;
        let taken = match before {
            Some(before) => before - &*entry,
            None => resources.clone(),
        };
        let last = entry.is_empty();
        if last {
            self.allocated.remove(&client);
        }
        if self.overcommitted {
            self.find_free();
        } else {
            self.free += &taken;
        }
        (taken, last)
    }

    /// Replaces what the agent has.
    pub(crate) fn set_total(&mut self, total: Resources) {
        self.has_gpus = has_gpus(&total);
        self.total = total;
        self.find_free();
    }

    /// Finds what is free from what there is and what is allocated.
    pub(crate) fn find_free(&mut self) {
        self.free = self.total.clone();
        self.overcommitted = false;
        for allocated in self.allocated.values() {
            self.overcommitted |= !self.free.contains(allocated);
            self.free -= allocated;
        }
    }

    /// Checks that what is free and what is allocated is what there is.
    pub(crate) fn is_consistent(&self) -> bool {
        let sum = self
            .allocated
            .values()
            .fold(self.free.clone(), |sum, more| sum + more);
        self.allocated
            .values()
            .all(|allocated| !allocated.is_empty())
            && (self.overcommitted || sum == self.total)
    }
}

fn has_gpus(resources: &Resources) -> bool {
    !resources.scalar(&ResourceName::GPUS).is_zero()
}

/// All agents, and which are to be considered in the next round.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    slab: Slab<Agent>,
    by_id: HashMap<AgentId, AgentIndex>,
    /// May list agents that are gone, and those of others by the same number; the mark of the
    /// agent decides.
    candidates: Vec<AgentIndex>,
    all_candidates: bool,
}

impl Agents {
    pub(crate) fn find(&self, id: &AgentId) -> Option<AgentIndex> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn get(&self, index: AgentIndex) -> &Agent {
        &self.slab[index]
    }

    pub(crate) fn get_mut(&mut self, index: AgentIndex) -> &mut Agent {
        &mut self.slab[index]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AgentIndex, &Agent)> {
        self.slab.iter()
    }

    pub(crate) fn insert(&mut self, agent: Agent) -> AgentIndex {
        let id = agent.id.clone();
        let index = self.slab.insert(agent);
        self.by_id.insert(id, index);
        index
    }

    pub(crate) fn remove(&mut self, index: AgentIndex) {
        let agent = self.slab.remove(index);
        self.by_id.remove(&agent.id);
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Considers an agent in the next round.
    pub(crate) fn add_candidate(&mut self, index: AgentIndex) {
        let Some(agent) = self.slab.get_mut(index) else {
            return;
        };
        if !std::mem::replace(&mut agent.candidate, true) {
            self.candidates.push(index);
        }
    }

    /// Considers all agents in the next round.
    pub(crate) fn add_all_candidates(&mut self) {
        self.all_candidates = true;
    }

    pub(crate) fn has_candidates(&self) -> bool {
        self.slab.len() > 0 && (self.all_candidates || !self.candidates.is_empty())
    }

    /// Returns the agents to consider, in the order they became candidates, and forgets them.
    pub(crate) fn take_candidates(&mut self) -> Vec<AgentIndex> {
        let mut candidates = std::mem::take(&mut self.candidates);
        if std::mem::take(&mut self.all_candidates) {
            self.slab
                .iter_mut()
                .for_each(|(_, agent)| agent.candidate = false);
            return self.slab.indices().collect();
        }
        candidates.retain(|index| {
            let agent = self.slab.get_mut(*index);
            agent.is_some_and(|agent| std::mem::take(&mut agent.candidate))
        });
        candidates
    }
}
