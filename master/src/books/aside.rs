//! Agents that operators have set aside: they are offered to nobody, and some are to be emptied.
//!
//! An agent stays aside while it is away, until it is reactivated or goes for good.

use serde::{Deserialize, Serialize};
use types::{AgentId, DrainConfig, FrameworkId, Reason, TaskState, TaskStatus};

use super::Books;
use crate::status::Word;

/// An agent that is set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aside {
    /// It is to be emptied, or was.
    pub(crate) drain: Option<Drain>,
}

/// How far the draining of an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drain {
    pub(crate) config: DrainConfig,
    /// When it began, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// Nothing runs there any more.
    pub(crate) drained: bool,
}

impl Aside {
    /// Whether tasks are still being ended.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_some_and(|drain| !drain.drained)
    }
}

impl Books {
    /// Whether an agent is set aside, and what for.
    pub(crate) fn aside(&self, id: &AgentId) -> Option<&Aside> {
        self.aside.get(id)
    }

    /// Whether there is an agent by this id, in sight or out of it.
    pub(crate) fn has_agent(&self, id: &AgentId) -> bool {
        self.agents.contains_key(id) || self.unreachable.contains_key(id)
    }

    /// Sets an agent aside that there is; what it was set aside for before is void. Its offers were
    /// taken away before.
    pub(crate) fn set_aside(&mut self, id: &AgentId, aside: Aside) {
        if self.has_agent(id) {
            self.aside.insert(id.clone(), aside);
        }
    }

    /// Sets an agent aside that is not yet; one that is being drained goes on with that.
    pub(crate) fn deactivate(&mut self, id: &AgentId) {
        if self.has_agent(id) {
            self.aside.entry(id.clone()).or_default();
        }
    }

    /// Takes an agent back that was set aside.
    pub(crate) fn reactivate(&mut self, id: &AgentId) {
        self.aside.remove(id);
    }

    /// Notes that nothing runs on an agent any more.
    pub(crate) fn drained(&mut self, id: &AgentId) {
        let drain = self
            .aside
            .get_mut(id)
            .and_then(|aside| aside.drain.as_mut());
        if let Some(drain) = drain {
            drain.drained = true;
        }
    }

    /// Whether an agent is being drained and has nothing left that anybody waits for.
    pub(crate) fn is_emptied(&self, id: &AgentId) -> Option<DrainConfig> {
        let drain = self.aside.get(id)?.drain.filter(|drain| !drain.drained)?;
        let agent = self.agents.get(id)?;
        agent.tasks.is_empty().then_some(drain.config)
    }

    /// Whether an agent was declared gone: it may not come back.
    pub(crate) fn is_gone(&self, id: &AgentId) -> bool {
        self.gone.contains(id)
    }

    /// Remembers that an agent is gone for good; the oldest make room.
    pub(crate) fn remember_gone(&mut self, id: &AgentId) {
        self.aside.remove(id);
        if self.gone.insert(id.clone()).is_none() {
            self.gone_order.push_back(id.clone());
        }
        while self.gone_order.len() > self.limits.removed_agents {
            if let Some(oldest) = self.gone_order.pop_front() {
                self.gone.remove(&oldest);
            }
        }
    }

    /// Ends the tasks of an agent that is out of sight and will not come back. What frameworks are
    /// to be told comes back.
    pub(crate) fn give_up_unreachable(
        &mut self,
        id: &AgentId,
        word: Word,
    ) -> Vec<(FrameworkId, TaskStatus)> {
        assert!(word.state.is_terminal());
        self.unreachable.remove(id);
        let kept = self.limits.completed_tasks;
        let mut told = Vec::new();
        let concerned = self.frameworks.iter().filter(|(_, framework)| {
            let mut there = framework.unreachable.values();
            there.any(|entry| entry.task.agent_id == *id)
        });
        let concerned: Vec<FrameworkId> = concerned.map(|(id, _)| id.clone()).collect();
        for framework_id in concerned {
            let Some(framework) = self.frameworks.get_mut(&framework_id) else {
                continue;
            };
            let aware = framework.is_partition_aware();
            let word = word.for_framework(aware);
            let there = framework.unreachable.iter();
            let there = there.filter(|(_, entry)| entry.task.agent_id == *id);
            let there: Vec<_> = there.map(|(task_id, _)| task_id.clone()).collect();
            for task_id in there {
                let Some(mut entry) = framework.unreachable.remove(&task_id) else {
                    continue;
                };
                framework.kills.remove(&task_id);
                let status = word.of_task(&entry.task);
                entry.task.state = word.state;
                entry.task.remember(&status);
                framework.remember_completed(entry, kept);
                told.push((framework_id.clone(), status));
            }
        }
        told
    }
}

impl Word {
    /// The same in words that a framework understands which has not heard of partitions.
    pub(crate) fn for_framework(self, partition_aware: bool) -> Self {
        let state = self.state.for_framework(partition_aware);
        let reason = match self.reason {
            Reason::AgentRemovedByOperator if state == TaskState::Lost => Reason::AgentRemoved,
            reason => reason,
        };
        Self {
            state,
            reason,
            ..self
        }
    }
}
