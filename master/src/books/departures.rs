//! Agents and frameworks that leave the books, and what becomes of their tasks.

use api::agent::TaskOf;
use api::master::FrameworkState;
use types::{AgentId, FrameworkId, Resources, TaskId, TaskState, TaskStatus};

use super::{Agent, Books};
use crate::status::Word;

impl Books {
    /// Removes an agent that does not answer: its tasks go out of sight. What each framework is to
    /// be told of them comes back. Its offers were taken away before.
    pub(crate) fn lose_agent(
        &mut self,
        id: &AgentId,
        word: Word,
    ) -> Vec<(FrameworkId, TaskStatus)> {
        assert_eq!(word.state, TaskState::Unreachable);
        let Some(mut agent) = self.take_agent(id) else {
            return Vec::new();
        };
        let mut told = Vec::new();
        for of in std::mem::take(&mut agent.tasks) {
            let framework = self.frameworks.get_mut(&of.framework_id);
            let framework = framework.expect("tasks are of known frameworks");
            let entry = framework.tasks.remove(&of.task_id);
            let mut entry = entry.expect("an agent's tasks are its frameworks'");
            let state = word.state.for_framework(framework.is_partition_aware());
            let mut status = Word { state, ..word }.of_task(&entry.task);
            status.unreachable_since_ms = Some(word.at_ms);
            if entry.task.state.is_terminal() {
                // It has ended, but not for a framework that was never told so.
                let last = entry.task.status_update_state;
                if !last.is_some_and(TaskState::is_terminal) {
                    told.push((of.framework_id, status));
                }
                framework.remember_completed(entry, self.limits.completed_tasks);
                continue;
            }
            entry.unreachable_since_ms = Some(word.at_ms);
            entry.task.state = state;
            entry.task.remember(&status);
            framework.remember_unreachable(entry, self.limits.unreachable_tasks);
            told.push((of.framework_id, status));
        }
        agent.used = Resources::new();
        agent.connected = false;
        self.remember_unreachable(agent, word.at_ms);
        told
    }

    /// Removes an agent that will not come back: its tasks end. What each framework is to be told
    /// of them comes back. Its offers were taken away before.
    pub(crate) fn remove_agent(
        &mut self,
        id: &AgentId,
        word: Word,
    ) -> Vec<(FrameworkId, TaskStatus)> {
        let tasks: Vec<TaskOf> = self
            .agents
            .get(id)
            .map_or_else(Vec::new, |agent| agent.tasks.iter().cloned().collect());
        let mut told = Vec::new();
        for of in tasks {
            let framework = &self.frameworks[&of.framework_id];
            let known = framework.tasks[&of.task_id].task.state;
            let word = match known.is_terminal() {
                // The framework has not acknowledged the end, and nobody else will tell it.
                true => Word {
                    state: known,
                    ..word
                },
                false => word.for_framework(framework.is_partition_aware()),
            };
            let ended = self.end_task(&of.framework_id, &of.task_id, word);
            told.extend(ended.map(|(status, _)| (of.framework_id, status)));
        }
        self.take_agent(id);
        self.aside.remove(id);
        self.unreachable.remove(id);
        told
    }

    fn take_agent(&mut self, id: &AgentId) -> Option<Agent> {
        let mut agent = self.agents.remove(id)?;
        assert!(agent.offers.is_empty(), "these would be promised for ever");
        self.agent_at.remove(agent.pid.upid());
        for (framework, executor) in std::mem::take(&mut agent.executors) {
            if let Some(framework) = self.frameworks.get_mut(&framework) {
                framework.executors.remove(&(id.clone(), executor));
            }
        }
        Some(agent)
    }

    /// Removes a framework for good: its tasks end, its executors are forgotten. Its offers were
    /// taken away before. The agents on which something of it runs come back.
    pub(crate) fn remove_framework(&mut self, id: &FrameworkId, word: Word) -> Vec<AgentId> {
        let Some(framework) = self.frameworks.get(id) else {
            return Vec::new();
        };
        assert!(framework.offers.is_empty(), "nobody could answer these");
        let agents: Vec<AgentId> = framework.agents().into_iter().collect();
        let tasks: Vec<TaskId> = framework.tasks.keys().cloned().collect();
        let executors: Vec<_> = framework.executors.keys().cloned().collect();
        for task in tasks {
            self.end_task(id, &task, word);
        }
        for (agent, executor) in executors {
            self.remove_executor(id, &agent, &executor);
        }
        let mut framework = self.frameworks.remove(id).expect("it was just there");
        if let Some(pid) = &framework.pid
            && self.framework_at.get(pid.upid()) == Some(id)
        {
            self.framework_at.remove(pid.upid());
        }
        framework.stream = None;
        framework.unregistered_ms = Some(word.at_ms);
        framework.state = FrameworkState::Completed;
        framework.session += 1;
        framework.kills.clear();
        self.completed.push_back(framework);
        while self.completed.len() > self.limits.completed_frameworks {
            self.completed.pop_front();
        }
        agents
    }
}
