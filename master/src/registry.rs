//! The registry: which agents are the cluster's, and which of them cannot be reached. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use types::{AgentId, AgentInfo, DrainConfig};

/// A change of the registry. Nobody is told of one before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An agent becomes one of the cluster's.
    Admit(AgentInfo),
    /// An agent did not answer for too long.
    MarkUnreachable {
        /// Which it is.
        agent_id: AgentId,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// An agent is back, known or not.
    MarkReachable(AgentInfo),
    /// An agent left, or was replaced.
    Remove(AgentId),
    /// An operator says that an agent will not come back.
    MarkGone(AgentId),
    /// An agent is offered no more.
    Deactivate(AgentId),
    /// The same, and its tasks end.
    Drain {
        /// Which it is.
        agent_id: AgentId,
        /// How.
        config: DrainConfig,
    },
    /// Nothing runs there any more.
    MarkDrained(AgentId),
    /// An agent is offered again.
    Reactivate(AgentId),
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
    /// The registry is bounded.
    #[error("there are {0} agents, and no more can be admitted")]
    Full(usize),
}

/// A cluster has at most this many agents: more than any scheduler has been shown to bear.
const MAX_AGENTS: usize = 100_000;

/// Which agents are the cluster's.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    admitted: BTreeMap<AgentId, AgentInfo>,
    unreachable: BTreeMap<AgentId, u64>,
    /// The unreachable in the order they became so; may list some that came back.
    order: VecDeque<AgentId>,
    max_unreachable: usize,
    gone: BTreeSet<AgentId>,
    /// The same in the order they went.
    gone_order: VecDeque<AgentId>,
    aside: BTreeMap<AgentId, Aside>,
}

/// Why an agent is offered no more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Aside {
    Deactivated,
    Draining(DrainConfig),
    Drained(DrainConfig),
}

impl Registry {
    pub(crate) fn new(max_unreachable: usize) -> Self {
        Self {
            max_unreachable,
            ..Self::default()
        }
    }

    /// Makes a change.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<(), Refusal> {
        match operation {
            Operation::Admit(info) => {
                let Some(id) = info.id.clone() else {
                    return Err(Refusal::NotAdmissible);
                };
                if self.admitted.contains_key(&id) {
                    return Err(Refusal::NotAdmissible);
                }
                self.insert(id, info)
            }
            Operation::MarkReachable(info) => {
                let id = info.id.clone().ok_or(Refusal::NotAdmissible)?;
                if self.gone.contains(&id) {
                    return Err(Refusal::Gone(id));
                }
                self.insert(id.clone(), info)?;
                self.unreachable.remove(&id);
                Ok(())
            }
            Operation::MarkUnreachable { agent_id, since_ms } => {
                self.remove(&agent_id)?;
                self.unreachable.insert(agent_id.clone(), since_ms);
                self.order.push_back(agent_id);
                self.forget();
                Ok(())
            }
            Operation::MarkGone(agent_id) => {
                if self.unreachable.remove(&agent_id).is_none() {
                    self.remove(&agent_id)?;
                }
                self.aside.remove(&agent_id);
                self.gone.insert(agent_id.clone());
                self.gone_order.push_back(agent_id);
                self.forget_gone();
                Ok(())
            }
            Operation::Deactivate(agent_id) => {
                let agent_id = self.known(agent_id)?;
                self.aside.entry(agent_id).or_insert(Aside::Deactivated);
                Ok(())
            }
            Operation::Drain { agent_id, config } => {
                let agent_id = self.known(agent_id)?;
                self.aside.insert(agent_id, Aside::Draining(config));
                Ok(())
            }
            Operation::MarkDrained(agent_id) => match self.aside.get_mut(&agent_id) {
                Some(aside @ Aside::Draining(_)) => {
                    if let Aside::Draining(config) = *aside {
                        *aside = Aside::Drained(config);
                    }
                    Ok(())
                }
                Some(Aside::Drained(_)) => Ok(()),
                Some(Aside::Deactivated) | None => Err(Refusal::NotAside(agent_id)),
            },
            Operation::Reactivate(agent_id) => {
                let aside = self.aside.remove(&agent_id);
                aside.map(drop).ok_or(Refusal::NotAside(agent_id))
            }
            Operation::Remove(agent_id) => {
                self.aside.remove(&agent_id);
                if self.unreachable.remove(&agent_id).is_some() {
                    return Ok(());
                }
                self.remove(&agent_id)
            }
        }
    }

    fn insert(&mut self, id: AgentId, info: AgentInfo) -> Result<(), Refusal> {
        if self.admitted.len() >= MAX_AGENTS && !self.admitted.contains_key(&id) {
            return Err(Refusal::Full(MAX_AGENTS));
        }
        self.admitted.insert(id, info);
        Ok(())
    }

    fn remove(&mut self, id: &AgentId) -> Result<(), Refusal> {
        let removed = self.admitted.remove(id);
        removed
            .map(drop)
            .ok_or_else(|| Refusal::NotAdmitted(id.clone()))
    }

    fn forget(&mut self) {
        while self.order.len() > self.max_unreachable {
            if let Some(oldest) = self.order.pop_front()
                && self.unreachable.remove(&oldest).is_some()
            {
                self.aside.remove(&oldest);
            }
        }
    }

    fn forget_gone(&mut self) {
        while self.gone_order.len() > self.max_unreachable {
            if let Some(oldest) = self.gone_order.pop_front() {
                self.gone.remove(&oldest);
            }
        }
    }

    fn known(&self, id: AgentId) -> Result<AgentId, Refusal> {
        let known = self.admitted.contains_key(&id) || self.unreachable.contains_key(&id);
        known.then(|| id.clone()).ok_or(Refusal::NotAdmitted(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Resources;

    fn info(id: &str) -> AgentInfo {
        AgentInfo {
            id: Some(id.parse().unwrap()),
            ..AgentInfo::new("host", 5051, Resources::new())
        }
    }

    fn unreachable(id: &str) -> Operation {
        Operation::MarkUnreachable {
            agent_id: id.parse().unwrap(),
            since_ms: 7,
        }
    }

    #[test]
    fn an_agent_is_admitted_once() {
        let mut registry = Registry::new(10);
        assert_eq!(registry.apply(Operation::Admit(info("a"))), Ok(()));
        let again = registry.apply(Operation::Admit(info("a")));
        assert_eq!(again, Err(Refusal::NotAdmissible));
        let nameless = AgentInfo {
            id: None,
            ..info("a")
        };
        let nameless = registry.apply(Operation::Admit(nameless));
        assert_eq!(nameless, Err(Refusal::NotAdmissible));
    }

    #[test]
    fn an_agent_goes_and_comes_back() {
        let mut registry = Registry::new(10);
        registry.apply(Operation::Admit(info("a"))).unwrap();
        registry.apply(unreachable("a")).unwrap();
        assert!(registry.apply(unreachable("a")).is_err());
        assert_eq!(registry.unreachable.len(), 1);
        registry.apply(Operation::MarkReachable(info("a"))).unwrap();
        assert!(registry.unreachable.is_empty());
        let id: AgentId = "a".parse().unwrap();
        registry.apply(Operation::Remove(id.clone())).unwrap();
        assert!(registry.apply(Operation::Remove(id)).is_err());
    }

    #[test]
    fn an_agent_that_is_gone_does_not_come_back() {
        let mut registry = Registry::new(1);
        for id in ["a", "b"] {
            let id: AgentId = id.parse().unwrap();
            registry.apply(Operation::Admit(info(id.as_str()))).unwrap();
            registry.apply(Operation::MarkGone(id)).unwrap();
        }
        let back = |id| Operation::MarkReachable(info(id));
        let gone = Err(Refusal::Gone("b".parse().unwrap()));
        assert_eq!(registry.apply(back("b")), gone);
        // Which is remembered of so many.
        assert_eq!(registry.apply(back("a")), Ok(()));
    }

    #[test]
    fn an_agent_is_set_aside_emptied_and_taken_back() {
        let mut registry = Registry::new(10);
        let id: AgentId = "a".parse().unwrap();
        let drain = || Operation::Drain {
            agent_id: id.clone(),
            config: DrainConfig::default(),
        };
        assert!(registry.apply(drain()).is_err());
        registry.apply(Operation::Admit(info("a"))).unwrap();
        registry.apply(Operation::Deactivate(id.clone())).unwrap();
        assert!(registry.apply(Operation::MarkDrained(id.clone())).is_err());
        registry.apply(drain()).unwrap();
        registry.apply(unreachable("a")).unwrap();
        registry.apply(Operation::MarkDrained(id.clone())).unwrap();
        registry.apply(Operation::Reactivate(id.clone())).unwrap();
        assert!(registry.apply(Operation::Reactivate(id)).is_err());
    }

    #[test]
    fn an_agent_nobody_knows_is_taken_back() {
        let mut registry = Registry::new(10);
        assert_eq!(registry.apply(Operation::MarkReachable(info("a"))), Ok(()));
    }

    #[test]
    fn the_unreachable_are_bounded() {
        let mut registry = Registry::new(2);
        for id in ["a", "b", "c"] {
            registry.apply(Operation::Admit(info(id))).unwrap();
            registry.apply(unreachable(id)).unwrap();
        }
        let left: Vec<_> = registry.unreachable.keys().map(AgentId::as_str).collect();
        assert_eq!(left, ["b", "c"]);
    }
}
