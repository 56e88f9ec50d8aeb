//! The agents there are, as far as a job's chances depend on them.

use std::collections::BTreeMap;

use api::master::{AgentState, AgentSummary};
use sdk::placement::Constraint;
use types::{AgentId, FrameworkId, Offer, OfferId, Resources, Role};

use super::share::Amounts;
use crate::spec::Spec;

/// The agents, and all that each has.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// As if everything were offered: what constraints look at is there.
    all: BTreeMap<AgentId, Offer>,
    total: Amounts,
}

/// Why no agent there is could ever run a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// None has so much.
    #[error("no agent has {need}: the largest of {agents} has {largest}")]
    Resources {
        /// What is needed.
        need: String,
        /// What the agent has that has the most processors.
        largest: String,
        /// How many agents there are.
        agents: usize,
    },
    /// Some have, but none of those is allowed.
    #[error("the constraint {constraint} allows none of the {agents} agents that are large enough")]
    Constraint {
        /// The constraint.
        constraint: Constraint,
        /// How many agents are large enough.
        agents: usize,
    },
}

impl Agents {
    /// Takes in what the master says.
    pub(super) fn told(&mut self, agents: Vec<AgentSummary>) {
        let there = |agent: &AgentSummary| match agent.state {
            AgentState::Active | AgentState::Disconnected => true,
            AgentState::Deactivated
            | AgentState::Draining
            | AgentState::Drained
            | AgentState::Unreachable => false,
        };
        let agents = agents.into_iter().filter(there);
        let all = agents.filter_map(|agent| Some((agent.agent_id.clone(), as_offer(agent)?)));
        self.all = all.collect();
        self.total = Amounts::default();
        for agent in self.all.values() {
            self.total.add(Amounts::of(&agent.resources));
        }
    }

    pub(super) fn total(&self) -> Amounts {
        self.total
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether some agent could run it if it did nothing else; nothing is impossible while no agent
    /// is known.
    pub(super) fn check(&self, spec: &Spec) -> Result<(), Impossible> {
        if self.all.is_empty() {
            return Ok(());
        }
        let enough = |agent: &&Offer| has(&agent.resources, spec, &agent.role);
        let mut candidates: Vec<&Offer> = self.all.values().filter(enough).collect();
        if candidates.is_empty() {
            let largest = self
                .all
                .values()
                .max_by_key(|agent| agent.resources.total_cpus());
            let largest = largest
                .map(|agent| agent.resources.to_string())
                .unwrap_or_default();
            let ports = match spec.ports {
                0 => String::new(),
                count => format!(" and {count} ports"),
            };
            return Err(Impossible::Resources {
                need: format!("{}{ports}", spec.need),
                largest,
                agents: self.all.len(),
            });
        }
        for constraint in &spec.constraints {
            let agents = candidates.len();
            candidates.retain(|agent| constraint.allows(constraint.look(agent).as_deref(), &[]));
            if candidates.is_empty() {
                let constraint = constraint.clone();
                return Err(Impossible::Constraint { constraint, agents });
            }
        }
        Ok(())
    }
}

/// Whether resources have what a run needs.
fn has(resources: &Resources, spec: &Spec, role: &Role) -> bool {
    let Some(found) = resources.find(&spec.need, role) else {
        return false;
    };
    spec.ports == 0 || (resources - &found).take_ports(spec.ports.into()).is_some()
}

fn as_offer(agent: AgentSummary) -> Option<Offer> {
    Some(Offer {
        id: OfferId::new("all").ok()?,
        framework_id: FrameworkId::new("nobody").ok()?,
        hostname: agent.hostname,
        role: Role::any(),
        resources: agent.total,
        attributes: agent.attributes,
        executor_ids: Vec::new(),
        agent_address: agent.pid.upid().address().to_string(),
        agent_id: agent.agent_id,
    })
}
