//! The registry: which agents are the cluster's, and which of them cannot be reached. Pure.

use std::collections::{BTreeMap, VecDeque};

use types::{AgentId, AgentInfo};

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
            Operation::Remove(agent_id) => {
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
            if let Some(oldest) = self.order.pop_front() {
                self.unreachable.remove(&oldest);
            }
        }
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
