//! Frameworks as the allocator sees them: roles, what they can take, whether they listen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::{AgentId, FrameworkCapability, FrameworkId, ResourceQuantities, Resources, Role};

use crate::constraints::{Constraints, Traits};
use crate::slab::{Index, Slab};

/// The number of a framework.
pub(crate) type FrameworkIndex = Index<Framework>;

/// A framework to add, or what became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameworkEntry {
    /// Its id.
    pub id: FrameworkId,
    /// The roles it wants resources for.
    pub roles: BTreeSet<Role>,
    /// Those of its roles for which it wants none for the time being.
    pub suppressed: BTreeSet<Role>,
    /// What it can take.
    pub capabilities: BTreeSet<FrameworkCapability>,
    /// It is connected.
    pub active: bool,
    /// What it has, by agent and role; in place of what was known of these.
    pub used: BTreeMap<AgentId, BTreeMap<Role, Resources>>,
    /// Quantities any one of which makes an offer worth its while, by role; those of the options
    /// for other roles.
    pub min_allocatable: BTreeMap<Role, Vec<ResourceQuantities>>,
}

impl FrameworkEntry {
    /// Returns an active framework with nothing special.
    pub fn new(id: FrameworkId, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            id,
            roles: roles.into_iter().collect(),
            suppressed: BTreeSet::new(),
            capabilities: BTreeSet::new(),
            active: true,
            used: BTreeMap::new(),
            min_allocatable: BTreeMap::new(),
        }
    }
}

/// What is known of a framework.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    /// It was added; else it only has something on an agent.
    pub(crate) registered: bool,
    /// It is connected.
    pub(crate) active: bool,
    pub(crate) takes: Takes,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) suppressed: BTreeSet<Role>,
    pub(crate) min_allocatable: BTreeMap<Role, Vec<ResourceQuantities>>,
    /// The agents it wants to be offered, by role; any, for other roles.
    pub(crate) constraints: BTreeMap<Role, Constraints>,
    /// Roles in which it is a client: its own, and those in which it still has something.
    pub(crate) client_roles: BTreeSet<Role>,
}

/// What a framework can take, beyond the plainest resources.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Takes {
    pub(crate) gpus: bool,
    pub(crate) revocable: bool,
    pub(crate) shared: bool,
    pub(crate) refined: bool,
    pub(crate) remote: bool,
}

impl Takes {
    pub(crate) fn from_capabilities(capabilities: &BTreeSet<FrameworkCapability>) -> Self {
        let has = |capability| capabilities.contains(&capability);
        Self {
            gpus: has(FrameworkCapability::GpuResources),
            revocable: has(FrameworkCapability::RevocableResources),
            shared: has(FrameworkCapability::SharedResources),
            refined: has(FrameworkCapability::ReservationRefinement),
            remote: has(FrameworkCapability::RegionAware),
        }
    }
}

impl Framework {
    /// Returns whether it is ready to be given something for a role.
    pub(crate) fn is_willing(&self, role: &Role) -> bool {
        self.active && self.roles.contains(role) && !self.suppressed.contains(role)
    }

    /// Returns whether it wants an agent for a role.
    pub(crate) fn wants(&self, role: &Role, agent: &Traits) -> bool {
        let constraints = self.constraints.get(role);
        constraints.is_none_or(|constraints| constraints.fit(agent))
    }

    /// Returns whether it wants resources for a role, at some time.
    pub(crate) fn is_subscribed(&self, role: &Role) -> bool {
        self.registered && self.roles.contains(role)
    }
}

/// All frameworks that were added or have something.
#[derive(Debug, Default)]
pub(crate) struct Frameworks {
    slab: Slab<Framework>,
    by_id: HashMap<FrameworkId, FrameworkIndex>,
}

impl Frameworks {
    pub(crate) fn find(&self, id: &FrameworkId) -> Option<FrameworkIndex> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn get(&self, index: FrameworkIndex) -> &Framework {
        &self.slab[index]
    }

    pub(crate) fn get_mut(&mut self, index: FrameworkIndex) -> &mut Framework {
        &mut self.slab[index]
    }

    /// Returns the framework of an id; one that nobody added yet, if it is not known.
    pub(crate) fn ensure(&mut self, id: &FrameworkId) -> FrameworkIndex {
        if let Some(index) = self.find(id) {
            return index;
        }
        let index = self.slab.insert(Framework {
            id: id.clone(),
            registered: false,
            active: false,
            takes: Takes::default(),
            roles: BTreeSet::new(),
            suppressed: BTreeSet::new(),
            min_allocatable: BTreeMap::new(),
            constraints: BTreeMap::new(),
            client_roles: BTreeSet::new(),
        });
        self.by_id.insert(id.clone(), index);
        index
    }

    pub(crate) fn remove(&mut self, index: FrameworkIndex) {
        let framework = self.slab.remove(index);
        self.by_id.remove(&framework.id);
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }
}
