//! What people want to know of the allocator.

use types::{FrameworkId, ResourceQuantities, Role};

use crate::Allocator;
use crate::roles::ClientIndex;

/// What was counted since the allocator was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rounds that were run.
    pub runs: u64,
    /// Allocations that were made.
    pub allocations: u64,
}

impl Allocator {
    /// Returns what was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns how many agents are known.
    pub fn agents_count(&self) -> usize {
        self.agents.len()
    }

    /// Returns how many frameworks are known, with those that only have something on an agent.
    pub fn frameworks_count(&self) -> usize {
        self.frameworks.len()
    }

    /// Returns all amounts of all agents, but for shared volumes.
    pub fn total(&self) -> &ResourceQuantities {
        self.totals.quantities()
    }

    /// Returns all amounts that are offered or in use, but for shared volumes.
    pub fn offered_or_allocated(&self) -> &ResourceQuantities {
        self.roles.root().allocated()
    }

    /// Returns what a role and those below it are offered or use; nothing for one that is not
    /// known.
    pub fn offered_or_allocated_to(&self, role: &Role) -> ResourceQuantities {
        let node = self.roles.find(role);
        node.map(|node| self.roles.node(node).allocated().clone())
            .unwrap_or_default()
    }

    /// Returns the dominant share of a role and those below it, in parts per million, not divided
    /// by its weight; none for one that is not known.
    pub fn role_share_ppm(&self, role: &Role) -> Option<u64> {
        let node = self.roles.find(role)?;
        Some(self.roles.role_share(node, &self.totals).ppm())
    }

    /// Returns the dominant share of a framework in one of its roles, in parts per million; none
    /// if it is not in that role.
    pub fn framework_share_ppm(&self, framework: &FrameworkId, role: &Role) -> Option<u64> {
        let client = ClientIndex {
            framework: self.frameworks.find(framework)?,
            node: self.roles.find(role)?,
        };
        Some(self.roles.client_share(client, &self.totals)?.ppm())
    }

    /// Returns how many refusals are in force in a role, one for each agent and framework.
    pub fn active_filters(&self, role: &Role) -> usize {
        let Some(node) = self.roles.find(role) else {
            return 0;
        };
        let frameworks = self.roles.frameworks(node);
        frameworks
            .map(|framework| self.filters.count(ClientIndex { framework, node }))
            .sum()
    }
}
