//! What happens to frameworks: they come, go, fall silent, change their roles and their minds.

use std::collections::{BTreeMap, BTreeSet};

use types::{AgentId, FrameworkCapability, FrameworkId, ResourceQuantities, Resources, Role};

use crate::Allocator;
use crate::constraints::Constraints;
use crate::frameworks::{FrameworkEntry, FrameworkIndex, Takes};
use crate::roles::ClientIndex;

impl Allocator {
    /// Adds a framework, or tells that it is back. All agents become candidates.
    ///
    /// What it uses on agents that are known replaces what was known of it there, so that it may
    /// be told by the agent and by the framework in either order.
    pub fn add_framework(&mut self, entry: FrameworkEntry) {
        let index = self.frameworks.ensure(&entry.id);
        let framework = self.frameworks.get_mut(index);
        framework.registered = true;
        framework.active = entry.active;
        framework.min_allocatable = entry.min_allocatable;
        self.set_roles(index, entry.roles, entry.suppressed, &entry.capabilities);
        for (agent, roles) in &entry.used {
            for (role, resources) in roles {
                self.set_used(index, agent, role, resources);
            }
        }
        self.agents.add_all_candidates();
    }

    /// Removes a framework: what it has becomes free, and its agents candidates. One that is not
    /// known is ignored.
    pub fn remove_framework(&mut self, id: &FrameworkId) {
        let Some(index) = self.frameworks.find(id) else {
            return;
        };
        let framework = self.frameworks.get_mut(index);
        framework.registered = false;
        framework.active = false;
        framework.roles.clear();
        let clients = self.clients_of(index);
        if clients
            .iter()
            .any(|client| self.roles.has_allocations(*client))
        {
            self.free_all(index);
        }
        for client in clients {
            self.filters.remove_client(client);
            self.settle(client);
        }
        self.drop_if_forgotten(index);
    }

    /// Tells that a framework listens again. All agents become candidates.
    pub fn activate_framework(&mut self, id: &FrameworkId) {
        self.set_active(id, true);
    }

    /// Tells that a framework does not listen: it gets nothing, keeps what it has, and its
    /// refusals are forgotten.
    pub fn deactivate_framework(&mut self, id: &FrameworkId) {
        self.set_active(id, false);
    }

    /// Replaces the roles of a framework, those it suppresses, and what it can take. All agents
    /// become candidates.
    ///
    /// In a role it leaves it keeps what it has until that is recovered.
    pub fn update_framework(
        &mut self,
        id: &FrameworkId,
        roles: BTreeSet<Role>,
        suppressed: BTreeSet<Role>,
        capabilities: &BTreeSet<FrameworkCapability>,
    ) {
        let Some(index) = self.registered(id) else {
            return;
        };
        self.set_roles(index, roles, suppressed, capabilities);
        self.agents.add_all_candidates();
    }

    /// Replaces what a framework asks of offers: quantities any one of which make one worth its
    /// while, and constraints on agents, by role. All agents become candidates.
    pub fn set_terms(
        &mut self,
        id: &FrameworkId,
        min_allocatable: BTreeMap<Role, Vec<ResourceQuantities>>,
        constraints: BTreeMap<Role, Constraints>,
    ) {
        let Some(index) = self.registered(id) else {
            return;
        };
        let framework = self.frameworks.get_mut(index);
        framework.min_allocatable = min_allocatable;
        framework.constraints = constraints;
        self.agents.add_all_candidates();
    }

    /// Tells that a framework wants nothing for some of its roles, or for all if none is named.
    pub fn suppress(&mut self, id: &FrameworkId, roles: &BTreeSet<Role>) {
        let Some(index) = self.registered(id) else {
            return;
        };
        let framework = self.frameworks.get_mut(index);
        let named = if roles.is_empty() {
            framework.roles.clone()
        } else {
            roles.clone()
        };
        framework.suppressed.extend(named);
        self.settle_all(index);
    }

    /// Tells that a framework wants something for some of its roles, or for all if none is named,
    /// even what it refused. All agents become candidates.
    pub fn revive(&mut self, id: &FrameworkId, roles: &BTreeSet<Role>) {
        let Some(index) = self.registered(id) else {
            return;
        };
        let framework = self.frameworks.get_mut(index);
        let named = if roles.is_empty() {
            framework.roles.clone()
        } else {
            roles.clone()
        };
        framework.suppressed.retain(|role| !named.contains(role));
        for node in named.iter().filter_map(|role| self.roles.find(role)) {
            self.filters.remove_client(ClientIndex {
                framework: index,
                node,
            });
        }
        self.settle_all(index);
        self.agents.add_all_candidates();
    }

    fn registered(&self, id: &FrameworkId) -> Option<FrameworkIndex> {
        self.frameworks
            .find(id)
            .filter(|index| self.frameworks.get(*index).registered)
    }

    fn set_active(&mut self, id: &FrameworkId, active: bool) {
        let Some(index) = self.registered(id) else {
            return;
        };
        self.frameworks.get_mut(index).active = active;
        self.settle_all(index);
        if active {
            self.agents.add_all_candidates();
        } else {
            for client in self.clients_of(index) {
                self.filters.remove_client(client);
            }
        }
    }

    fn set_roles(
        &mut self,
        index: FrameworkIndex,
        roles: BTreeSet<Role>,
        suppressed: BTreeSet<Role>,
        capabilities: &BTreeSet<FrameworkCapability>,
    ) {
        for role in &roles {
            self.ensure_client(index, role);
        }
        let framework = self.frameworks.get_mut(index);
        let left: Vec<Role> = framework.roles.difference(&roles).cloned().collect();
        framework.roles = roles;
        framework.suppressed = suppressed;
        framework.takes = Takes::from_capabilities(capabilities);
        for node in left.iter().filter_map(|role| self.roles.find(role)) {
            self.filters.remove_client(ClientIndex {
                framework: index,
                node,
            });
        }
        self.settle_all(index);
    }

    /// Charges a framework with what it turns out to use, in place of what was known.
    fn set_used(
        &mut self,
        index: FrameworkIndex,
        agent: &AgentId,
        role: &Role,
        resources: &Resources,
    ) {
        let Some(agent_index) = self.agents.find(agent) else {
            return;
        };
        let client = self.ensure_client(index, role);
        let known = self.agents.get(agent_index).allocated.get(&client).cloned();
        let known = known.unwrap_or_default();
        if known == *resources {
            return;
        }
        self.uncharge(agent_index, client, &known);
        let client = self.ensure_client(index, role);
        self.charge(agent_index, client, resources);
        self.agents.get_mut(agent_index).find_free();
    }

    fn free_all(&mut self, index: FrameworkIndex) {
        let mut charges = Vec::new();
        for (agent_index, agent) in self.agents.iter() {
            let of_framework = agent.allocated.iter().filter(|(c, _)| c.framework == index);
            charges.extend(of_framework.map(|(client, r)| (agent_index, *client, r.clone())));
        }
        for (agent, client, resources) in charges {
            self.uncharge_only(agent, client, &resources);
            self.agents.add_candidate(agent);
        }
    }
}
