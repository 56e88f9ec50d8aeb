//! The registry: what a cluster must not forget when its master ends. Which agents are its own, and
//! which of them cannot be reached; which frameworks there are, and since when they are away; what
//! operators have set. Pure.

mod record;

use std::collections::{BTreeMap, VecDeque};

use libproc::Upid;
use types::{AgentId, AgentInfo, DrainConfig, FrameworkId, Role};

use crate::books::{Aside, Drain};

pub(crate) use record::{AgentRecord, FrameworkRecord, Presence, Record};

/// A change of the registry. Nobody is told of one before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// An agent becomes one of the cluster's.
    Admit {
        /// Who it is, with its id.
        info: AgentInfo,
        /// Where it is.
        upid: Upid,
    },
    /// An agent did not answer for too long.
    MarkUnreachable {
        /// Which it is.
        agent_id: AgentId,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// An agent is back, known or not.
    MarkReachable {
        /// Who it is, with its id.
        info: AgentInfo,
        /// Where it is.
        upid: Upid,
    },
    /// An agent left, or was replaced.
    Remove(AgentId),
    /// An operator says that an agent will not come back.
    MarkGone {
        /// Which it is.
        agent_id: AgentId,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// An agent is offered no more.
    Deactivate(AgentId),
    /// The same, and its tasks end.
    Drain {
        /// Which it is.
        agent_id: AgentId,
        /// How.
        config: DrainConfig,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// Nothing runs there any more.
    MarkDrained(AgentId),
    /// An agent is offered again.
    Reactivate(AgentId),
    /// What became unreachable before this moment, in milliseconds since 1970, is forgotten.
    Forget {
        /// The moment.
        before_ms: u64,
    },
    /// A framework is there, or away.
    KeepFramework(FrameworkRecord),
    /// A framework has ended, at this moment, and may not come back.
    EndFramework(FrameworkId, u64),
    /// Roles count so much beside their siblings, in thousandths.
    SetWeights(BTreeMap<Role, u64>),
}

/// What has to be stored for a change: the record of this name, or that there is none any more.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edit {
    pub(crate) name: String,
    pub(crate) record: Option<Record>,
}

/// Why an operation changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// An agent is admitted with an id, once.
    #[error("the agent is admitted already, or has no id")]
    NotAdmissible,
    /// Only an admitted agent becomes unreachable or leaves.
    #[error("the agent {0} is not admitted")]
    NotAdmitted(AgentId),
    /// What is gone does not come back.
    #[error("the agent {0} was declared gone")]
    Gone(AgentId),
    /// Only what is set aside can be taken back, or be empty.
    #[error("the agent {0} is not set aside")]
    NotAside(AgentId),
    /// A framework is kept by its id.
    #[error("the framework has no id")]
    NoFrameworkId,
    /// The registry is bounded.
    #[error("there are {0} agents, and no more can be admitted")]
    Full(usize),
}

/// A cluster has at most this many agents: more than any scheduler has been shown to bear.
const MAX_AGENTS: usize = 100_000;

/// How much of the past a registry keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Agents that are unreachable; as many that are gone.
    pub(crate) unreachable: usize,
    /// Frameworks that have ended.
    pub(crate) ended_frameworks: usize,
}

/// What a cluster must not forget.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    agents: BTreeMap<AgentId, AgentRecord>,
    admitted: usize,
    /// The unreachable in the order they became so; may list some that came back.
    order: VecDeque<AgentId>,
    /// The gone, the oldest first.
    gone: VecDeque<AgentId>,
    frameworks: BTreeMap<FrameworkId, FrameworkRecord>,
    /// Frameworks that have ended, the oldest first.
    ended: VecDeque<FrameworkId>,
    weights: BTreeMap<Role, u64>,
    limits: Limits,
}

/// What there is.
impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Puts together what was stored.
    pub(crate) fn restore(limits: Limits, records: impl IntoIterator<Item = Record>) -> Self {
        let mut registry = Self::new(limits);
        let mut unreachable = Vec::new();
        let mut gone = Vec::new();
        let mut ended = Vec::new();
        for record in records {
            match record {
                Record::Agent(agent) => {
                    let Some(id) = agent.info.id.clone() else {
                        continue; // none was ever stored so
                    };
                    match agent.presence {
                        Presence::Admitted => registry.admitted += 1,
                        Presence::Unreachable { since_ms } => {
                            unreachable.push((since_ms, id.clone()));
                        }
                        Presence::Gone { since_ms } => gone.push((since_ms, id.clone())),
                    }
                    registry.agents.insert(id, agent);
                }
                Record::Framework(framework) => {
                    let Some(id) = framework.info.id.clone() else {
                        continue;
                    };
                    ended.extend(framework.ended_ms.map(|at_ms| (at_ms, id.clone())));
                    registry.frameworks.insert(id, framework);
                }
                Record::Weights(weights) => registry.weights = weights,
            }
        }
        unreachable.sort_unstable();
        gone.sort_unstable();
        ended.sort_unstable();
        registry.order = unreachable.into_iter().map(|(_, id)| id).collect();
        registry.gone = gone.into_iter().map(|(_, id)| id).collect();
        registry.ended = ended.into_iter().map(|(_, id)| id).collect();
        registry
    }

    /// The agents, in the order of their ids.
    pub(crate) fn agents(&self) -> impl Iterator<Item = (&AgentId, &AgentRecord)> {
        self.agents.iter()
    }

    /// The frameworks, in the order of their ids.
    pub(crate) fn frameworks(&self) -> impl Iterator<Item = (&FrameworkId, &FrameworkRecord)> {
        self.frameworks.iter()
    }

    /// How much roles count, in thousandths, where an operator said so.
    pub(crate) fn weights(&self) -> &BTreeMap<Role, u64> {
        &self.weights
    }
}

/// Changes.
impl Registry {
    /// Makes a change; says what has to be stored for it.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        match operation {
            Operation::Admit { info, upid } => {
                let id = info.id.clone().ok_or(Refusal::NotAdmissible)?;
                if self.agents.contains_key(&id) {
                    return Err(Refusal::NotAdmissible);
                }
                self.admit(id, AgentRecord::admitted(info, upid), &mut edits)?;
            }
            Operation::MarkReachable { info, upid } => {
                let id = info.id.clone().ok_or(Refusal::NotAdmissible)?;
                let before = self.agents.get(&id);
                if before.is_some_and(AgentRecord::is_gone) {
                    return Err(Refusal::Gone(id));
                }
                let aside = before.and_then(|agent| agent.aside);
                let admitted = AgentRecord::admitted(info, upid);
                self.admit(id, AgentRecord { aside, ..admitted }, &mut edits)?;
            }
            Operation::MarkUnreachable { agent_id, since_ms } => {
                let agent = self.agents.get_mut(&agent_id);
                let agent = agent.filter(|agent| agent.presence == Presence::Admitted);
                let agent = agent.ok_or_else(|| Refusal::NotAdmitted(agent_id.clone()))?;
                agent.presence = Presence::Unreachable { since_ms };
                edits.push(record::agent(&agent_id, Some(agent)));
                self.admitted -= 1;
                self.order.push_back(agent_id);
                self.forget(
                    |registry, _| registry.order.len() > registry.limits.unreachable,
                    &mut edits,
                );
            }
            Operation::Remove(agent_id) => {
                let removed = self.known(&agent_id)?.presence;
                self.admitted -= usize::from(removed == Presence::Admitted);
                self.agents.remove(&agent_id);
                edits.push(record::agent(&agent_id, None));
            }
            Operation::MarkGone { agent_id, since_ms } => {
                self.mark_gone(agent_id, since_ms, &mut edits)?;
            }
            Operation::Deactivate(agent_id) => {
                let agent = self.known(&agent_id)?;
                agent.aside.get_or_insert_default();
                edits.push(record::agent(&agent_id, Some(agent)));
            }
            Operation::Drain {
                agent_id,
                config,
                since_ms,
            } => {
                let agent = self.known(&agent_id)?;
                let drain = Some(Drain {
                    config,
                    since_ms,
                    drained: false,
                });
                agent.aside = Some(Aside { drain });
                edits.push(record::agent(&agent_id, Some(agent)));
            }
            Operation::MarkDrained(agent_id) => {
                let agent = self.known(&agent_id)?;
                let drain = agent.aside.as_mut().and_then(|aside| aside.drain.as_mut());
                let drain = drain.ok_or_else(|| Refusal::NotAside(agent_id.clone()))?;
                drain.drained = true;
                edits.push(record::agent(&agent_id, Some(agent)));
            }
            Operation::Reactivate(agent_id) => {
                let agent = self.known(&agent_id)?;
                let aside = agent.aside.take();
                aside.ok_or_else(|| Refusal::NotAside(agent_id.clone()))?;
                edits.push(record::agent(&agent_id, Some(agent)));
            }
            Operation::Forget { before_ms } => self.forget(
                |registry, oldest| {
                    registry
                        .unreachable_since(oldest)
                        .is_none_or(|at| at < before_ms)
                },
                &mut edits,
            ),
            Operation::KeepFramework(framework) => self.keep_framework(framework, &mut edits)?,
            Operation::EndFramework(id, at_ms) => self.end_framework(id, at_ms, &mut edits),
            Operation::SetWeights(weights) => {
                self.weights.extend(weights);
                edits.push(record::weights(&self.weights));
            }
        }
        Ok(edits)
    }

    fn admit(
        &mut self,
        id: AgentId,
        record: AgentRecord,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Refusal> {
        let before = self.agents.get(&id);
        if before == Some(&record) {
            return Ok(()); // as it was
        }
        let is_more = before.is_none_or(|before| before.presence != Presence::Admitted);
        if is_more && self.admitted >= MAX_AGENTS {
            return Err(Refusal::Full(MAX_AGENTS));
        }
        self.admitted += usize::from(is_more);
        edits.push(record::agent(&id, Some(&record)));
        self.agents.insert(id, record);
        Ok(())
    }

    /// An agent that is one of the cluster's, in sight or not.
    fn known(&mut self, id: &AgentId) -> Result<&mut AgentRecord, Refusal> {
        let agent = self.agents.get_mut(id);
        let agent = agent.filter(|agent| !agent.is_gone());
        agent.ok_or_else(|| Refusal::NotAdmitted(id.clone()))
    }

    fn mark_gone(
        &mut self,
        id: AgentId,
        since_ms: u64,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Refusal> {
        let agent = self.known(&id)?;
        let was_admitted = agent.presence == Presence::Admitted;
        agent.presence = Presence::Gone { since_ms };
        agent.aside = None;
        edits.push(record::agent(&id, Some(agent)));
        self.admitted -= usize::from(was_admitted);
        self.gone.push_back(id);
        while self.gone.len() > self.limits.unreachable {
            if let Some(oldest) = self.gone.pop_front() {
                self.agents.remove(&oldest);
                edits.push(record::agent(&oldest, None));
            }
        }
        Ok(())
    }

    fn unreachable_since(&self, id: &AgentId) -> Option<u64> {
        match self.agents.get(id)?.presence {
            Presence::Unreachable { since_ms } => Some(since_ms),
            Presence::Admitted | Presence::Gone { .. } => None,
        }
    }

    /// Forgets the unreachable, the oldest first, as long as it is to be so.
    fn forget(&mut self, more: impl Fn(&Self, &AgentId) -> bool, edits: &mut Vec<Edit>) {
        while self.order.front().is_some_and(|oldest| more(self, oldest)) {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if self.unreachable_since(&oldest).is_some() {
                self.agents.remove(&oldest);
                edits.push(record::agent(&oldest, None));
            }
        }
    }

    fn keep_framework(
        &mut self,
        framework: FrameworkRecord,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Refusal> {
        let id = framework.info.id.clone().ok_or(Refusal::NoFrameworkId)?;
        if self.frameworks.get(&id) != Some(&framework) {
            edits.push(record::framework(&id, Some(&framework)));
            self.frameworks.insert(id, framework);
        }
        Ok(())
    }

    fn end_framework(&mut self, id: FrameworkId, at_ms: u64, edits: &mut Vec<Edit>) {
        let Some(framework) = self.frameworks.get_mut(&id) else {
            return; // nobody but agents ever told of it
        };
        if framework.ended_ms.replace(at_ms).is_none() {
            self.ended.push_back(id.clone());
        }
        edits.push(record::framework(&id, Some(framework)));
        while self.ended.len() > self.limits.ended_frameworks {
            if let Some(oldest) = self.ended.pop_front() {
                self.frameworks.remove(&oldest);
                edits.push(record::framework(&oldest, None));
            }
        }
    }
}

#[cfg(test)]
mod tests;
