//! What happens to allocations: they come back, and operations make something else of them.

use types::{AgentId, Conversion, Filters, FrameworkId, Resources, Role};

use crate::agents::AgentIndex;
use crate::frameworks::FrameworkIndex;
use crate::roles::ClientIndex;
use crate::{Allocator, Error};

impl Allocator {
    /// Takes back what a framework declined, did not use, was rescinded, or whose task ended. The
    /// agent becomes a candidate.
    ///
    /// With filters, the framework is not offered these resources, or fewer, of this agent for
    /// this role until they end, counted from `now_ms`; more than these it is. Of what the
    /// framework does not have, nothing is taken back; frameworks and agents that are not known
    /// are ignored, since they may just have been removed.
    pub fn recover(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
        resources: &Resources,
        filters: Option<Filters>,
        now_ms: u64,
    ) {
        let Some((agent, client)) = self.find(framework, agent, role) else {
            return;
        };
        let refuse_ms = filters.map_or(0, |filters| filters.refuse_ms());
        let listens = self.frameworks.get(client.framework);
        let listens = listens.active && listens.is_subscribed(role);
        if refuse_ms > 0 && listens && !resources.is_empty() {
            let until_ms = now_ms.saturating_add(refuse_ms.max(self.min_refuse_ms()));
            self.filters.add(agent, client, resources.clone(), until_ms);
        }
        self.uncharge(agent, client, resources);
        self.agents.add_candidate(agent);
    }

    /// Makes something else of resources a framework has, as operations of its do.
    ///
    /// Each conversion finds what the ones before left. What the agent has changes with
    /// it.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, when the agent is not known, or what is to be converted is not allocated to the
    /// framework for this role.
    pub fn update_allocation(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
        conversions: &[Conversion],
    ) -> Result<(), Error> {
        let unknown = || Error::UnknownAgent(agent.clone());
        let agent_index = self.agents.find(agent).ok_or_else(unknown)?;
        let refused = |resources: &Resources| Error::NotAllocated {
            framework: framework.clone(),
            role: role.clone(),
            agent: agent.clone(),
            resources: resources.to_string(),
        };
        let Some((_, client)) = self.find(framework, agent, role) else {
            return conversions
                .first()
                .map_or(Ok(()), |first| Err(refused(&first.consumed)));
        };
        let known = &self.agents.get(agent_index);
        let before = known.allocated.get(&client).cloned().unwrap_or_default();
        let after = convert(&before, conversions).map_err(refused)?;
        let total = convert(&known.total, conversions).map_err(refused)?;
        self.uncharge_only(agent_index, client, &before);
        self.charge(agent_index, client, &after);
        self.set_total(agent_index, total);
        self.settle(client);
        self.drop_if_forgotten(client.framework);
        Ok(())
    }

    /// Makes something else of resources nobody has, as operations of an operator do.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, when the agent is not known or what is to be converted is not
    /// free.
    pub fn update_available(
        &mut self,
        agent: &AgentId,
        conversions: &[Conversion],
    ) -> Result<(), Error> {
        let index = self
            .agents
            .find(agent)
            .ok_or_else(|| Error::UnknownAgent(agent.clone()))?;
        let refused = |resources: &Resources| Error::NotFree {
            agent: agent.clone(),
            resources: resources.to_string(),
        };
        let known = self.agents.get(index);
        convert(&known.free, conversions).map_err(refused)?;
        let total = convert(&known.total, conversions).map_err(refused)?;
        self.set_total(index, total);
        Ok(())
    }

    /// Returns the client of a framework in a role, added if need be. It takes part if its
    /// framework is ready.
    pub(crate) fn ensure_client(&mut self, framework: FrameworkIndex, role: &Role) -> ClientIndex {
        let client = ClientIndex {
            framework,
            node: self.roles.ensure(role),
        };
        let entry = self.frameworks.get_mut(framework);
        if entry.client_roles.insert(role.clone()) {
            self.roles
                .set_willing(client, &entry.id, entry.is_willing(role));
        }
        client
    }

    /// Returns the clients of a framework.
    pub(crate) fn clients_of(&self, framework: FrameworkIndex) -> Vec<ClientIndex> {
        let roles = self.frameworks.get(framework).client_roles.iter();
        let nodes = roles.filter_map(|role| self.roles.find(role));
        nodes.map(|node| ClientIndex { framework, node }).collect()
    }

    /// Charges a client with resources of an agent; what is free must be found anew.
    pub(crate) fn charge(&mut self, agent: AgentIndex, client: ClientIndex, resources: &Resources) {
        if resources.is_empty() {
            return;
        }
        if self.agents.get_mut(agent).charge(client, resources) {
            self.roles.agent_joined(client);
        }
        self.roles.charge(client, resources);
    }

    /// Takes resources of an agent back from a client, and forgets the client if nothing is left
    /// to remember.
    pub(crate) fn uncharge(
        &mut self,
        agent: AgentIndex,
        client: ClientIndex,
        resources: &Resources,
    ) {
        if self.uncharge_only(agent, client, resources) {
            self.settle(client);
            self.drop_if_forgotten(client.framework);
        }
    }

    /// Takes resources of an agent back from a client; returns whether it has nothing left there.
    pub(crate) fn uncharge_only(
        &mut self,
        agent: AgentIndex,
        client: ClientIndex,
        resources: &Resources,
    ) -> bool {
        let (taken, last) = self.agents.get_mut(agent).uncharge(client, resources);
        if !taken.is_empty() {
            self.roles.uncharge(client, &taken);
        }
        if last {
            self.roles.agent_left(client);
        }
        last
    }

    /// Lets all clients of a framework take part or not, as the framework is.
    pub(crate) fn settle_all(&mut self, framework: FrameworkIndex) {
        for client in self.clients_of(framework) {
            self.settle(client);
        }
    }

    /// Lets a client take part or not, as its framework is; removes it if its framework left the
    /// role and nothing is allocated.
    pub(crate) fn settle(&mut self, client: ClientIndex) {
        let Some(role) = self.roles.node(client.node).role().cloned() else {
            return;
        };
        let framework = self.frameworks.get_mut(client.framework);
        if framework.is_subscribed(&role) || self.roles.has_allocations(client) {
            self.roles
                .set_willing(client, &framework.id, framework.is_willing(&role));
        } else {
            framework.client_roles.remove(&role);
            self.filters.remove_client(client);
            self.roles.remove_client(client, &self.totals);
        }
    }

    /// Forgets a framework that was removed, or never added, and has nothing.
    pub(crate) fn drop_if_forgotten(&mut self, index: FrameworkIndex) {
        let framework = self.frameworks.get(index);
        if !framework.registered && framework.client_roles.is_empty() {
            self.frameworks.remove(index);
        }
    }

    fn find(
        &self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
    ) -> Option<(AgentIndex, ClientIndex)> {
        let framework = self.frameworks.find(framework)?;
        let (agent, node) = (self.agents.find(agent)?, self.roles.find(role)?);
        let known = self.frameworks.get(framework).client_roles.contains(role);
        known.then_some((agent, ClientIndex { framework, node }))
    }

    fn set_total(&mut self, index: AgentIndex, total: Resources) {
        let agent = self.agents.get_mut(index);
        self.totals.subtract(&agent.total);
        self.totals.add(&total);
        agent.set_total(total);
        self.roles.totals_changed();
        self.agents.add_candidate(index);
    }

    fn min_refuse_ms(&self) -> u64 {
        self.options
            .min_refuse
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }
}

/// Applies conversions in order; fails with what the first impossible one would consume.
fn convert<'a>(
    resources: &Resources,
    conversions: &'a [Conversion],
) -> Result<Resources, &'a Resources> {
    let mut result = resources.clone();
    for conversion in conversions {
        let rest = result
            .checked_sub(&conversion.consumed)
            .ok_or(&conversion.consumed)?;
        result = rest + &conversion.converted;
    }
    Ok(result)
}
