//! The round: each candidate agent's free resources go to the next willing framework.

use std::borrow::Cow;

use types::{AgentId, FrameworkId, Resource, ResourceQuantities, Resources, Role};

use crate::Allocator;
use crate::agents::{Agent, AgentIndex, Locality};
use crate::filters::PassedOver;
use crate::frameworks::Framework;
use crate::roles::{ClientIndex, Node, NodeIndex};

/// Resources of one agent that a framework is to be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// To whom.
    pub framework: FrameworkId,
    /// For which of its roles.
    pub role: Role,
    /// Whose resources.
    pub agent: AgentId,
    /// What.
    pub resources: Resources,
}

/// An agent in a round, with what is asked of it again and again.
struct Candidate<'a> {
    index: AgentIndex,
    agent: &'a Agent,
    /// What everybody may have, where that is not all that is free.
    unreserved: Option<Resources>,
    /// What is free has revocable or shared resources, or refined reservations.
    special: bool,
}

/// Who gets something, and what of the free resources.
struct Choice {
    client: ClientIndex,
    /// Everything that is free if none.
    part: Option<Resources>,
}

impl Allocator {
    /// Runs one round over all agents. See [`Allocator::allocate`].
    pub fn allocate_all(&mut self, now_ms: u64) -> Vec<Allocation> {
        self.agents.add_all_candidates();
        self.allocate(now_ms)
    }

    /// Runs one round over the agents about which something changed since the last one.
    ///
    /// For each of them, in an order drawn from the seed, what is free goes to the willing role
    /// with the lowest dominant share, and there to the willing framework with the lowest; whole,
    /// so far as the framework may and can take it. What remains goes to the next. Whoever was
    /// given something has a greater share for the next agent. Nothing is allocated while the
    /// allocator is paused.
    pub fn allocate(&mut self, now_ms: u64) -> Vec<Allocation> {
        for agent in self.filters.expire(now_ms) {
            self.agents.add_candidate(agent);
        }
        if self.paused {
            return Vec::new();
        }
        let mut candidates = self.agents.take_candidates();
        self.shuffle(&mut candidates);
        self.roles.refresh(&self.totals);
        self.counters.runs += 1;
        let mut round = Vec::new();
        for agent in candidates {
            while let Some(choice) = self.choose(agent) {
                round.push(self.grant(agent, choice));
            }
        }
        self.counters.allocations += round.len() as u64;
        round
    }

    /// Returns who gets something of an agent next. Each grant takes something from what is free,
    /// so this ends.
    fn choose(&self, index: AgentIndex) -> Option<Choice> {
        let agent = self.agents.get(index);
        if !agent.active || agent.free.is_empty() {
            return None;
        }
        let reserved = agent.free.iter().any(|resource| !resource.is_unreserved());
        let unreserved = reserved.then(|| agent.free.unreserved());
        let special = agent.free.iter().any(is_special);
        let candidate = Candidate {
            index,
            agent,
            unreserved,
            special,
        };
        self.choose_below(self.roles.root_index(), self.roles.root(), &candidate)
    }

    fn choose_below(
        &self,
        index: NodeIndex,
        node: &Node,
        candidate: &Candidate<'_>,
    ) -> Option<Choice> {
        node.children().find_map(|child| {
            if child.node == index {
                self.choose_in(index, node, candidate)
            } else {
                self.choose_below(child.node, self.roles.node(child.node), candidate)
            }
        })
    }

    fn choose_in(
        &self,
        index: NodeIndex,
        node: &Node,
        candidate: &Candidate<'_>,
    ) -> Option<Choice> {
        let role = node.role()?;
        let offer = candidate.offer_to(role);
        if offer.is_empty() {
            return None;
        }
        let worthwhile = is_allocatable(&offer, &self.options.min_allocatable);
        let refusals = self.filters.of(candidate.index, index);
        let passed_over = PassedOver::new(refusals, &offer);
        node.clients().find_map(|framework_index| {
            if passed_over.has(framework_index) {
                return None;
            }
            let framework = self.frameworks.get(framework_index);
            if !self.may_have(framework, candidate.agent)
                || !framework.wants(role, &candidate.agent.traits)
            {
                return None;
            }
            let stripped = candidate.strip(&offer, framework);
            let own_min = framework.min_allocatable.get(role);
            let fits = match (own_min, &stripped) {
                (None, Cow::Borrowed(_)) => worthwhile,
                (None, Cow::Owned(part)) => {
                    is_allocatable(part, &self.options.min_allocatable)
                        && !passed_over.has_for(framework_index, part)
                }
                (Some(min), part) => {
                    is_allocatable(part, min) && !passed_over.has_for(framework_index, part)
                }
            };
            if !fits {
                return None;
            }
            let client = ClientIndex {
                framework: framework_index,
                node: index,
            };
            let whole = stripped.len() == candidate.agent.free.len();
            let part = (!whole).then(|| stripped.into_owned());
            Some(Choice { client, part })
        })
    }

    /// Some agents are only for frameworks that know what they are.
    fn may_have(&self, framework: &Framework, agent: &Agent) -> bool {
        let gpus = agent.has_gpus && self.options.gpus_for_gpu_frameworks;
        let remote = agent.locality == Locality::Remote;
        (!gpus || framework.takes.gpus) && (!remote || framework.takes.remote)
    }

    fn grant(&mut self, index: AgentIndex, choice: Choice) -> Allocation {
        let Choice { client, part } = choice;
        let agent = self.agents.get_mut(index);
        let resources = match part {
            None => std::mem::take(&mut agent.free),
            Some(part) => {
                agent.free -= &part;
                part
            }
        };
        let first = agent.charge(client, &resources);
        let agent = agent.id.clone();
        if first {
            self.roles.agent_joined(client);
        }
        self.roles.charge(client, &resources);
        self.roles.refresh(&self.totals);
        let framework = self.frameworks.get(client.framework).id.clone();
        let role = self
            .roles
            .node(client.node)
            .role()
            .cloned()
            .unwrap_or_default();
        Allocation {
            framework,
            role,
            agent,
            resources,
        }
    }
}

impl Candidate<'_> {
    /// Returns what a role may have.
    fn offer_to(&self, role: &Role) -> Cow<'_, Resources> {
        let free = &self.agent.free;
        let Some(unreserved) = &self.unreserved else {
            return Cow::Borrowed(free);
        };
        let theirs = |r: &Resource| !r.is_unreserved() && r.is_allocatable_to(role);
        if free.iter().any(theirs) {
            Cow::Owned(free.allocatable_to(role))
        } else {
            Cow::Borrowed(unreserved)
        }
    }

    /// Returns what of an offer a framework can take.
    fn strip<'a>(&self, offer: &'a Resources, framework: &Framework) -> Cow<'a, Resources> {
        let takes = framework.takes;
        let can_take = |resource: &Resource| {
            (takes.revocable || !resource.revocable)
                && (takes.shared || !resource.shared)
                && (takes.refined || !resource.has_refined_reservation())
        };
        if !self.special || offer.iter().all(can_take) {
            return Cow::Borrowed(offer);
        }
        Cow::Owned(offer.filter(can_take))
    }
}

fn is_special(resource: &Resource) -> bool {
    resource.revocable || resource.shared || resource.has_refined_reservation()
}

/// Returns whether an offer has any one of some quantities; something at all, if there are none.
fn is_allocatable(offer: &Resources, min: &[ResourceQuantities]) -> bool {
    let has = |quantities: &ResourceQuantities| {
        quantities
            .iter()
            .all(|(name, amount)| offer.scalar(name) >= amount)
    };
    !offer.is_empty() && (min.is_empty() || min.iter().any(has))
}
