//! Reconciliation: what a framework is told when it asks what became of its tasks. Pure.

use std::collections::BTreeSet;

use api::master::ReconcileTask;
use types::{AgentId, Reason, Task, TaskId, TaskState, TaskStatus};

use crate::books::{Books, Framework};
use crate::ids::Ids;
use crate::status::Word;

/// What a master does not know yet, and says nothing of.
#[derive(Debug)]
pub(crate) struct Doubts<'a> {
    /// Agents that are coming back at this moment.
    pub(crate) returning: &'a BTreeSet<AgentId>,
    /// Whose ids were given in this life of the master.
    pub(crate) ids: &'a Ids,
    /// Agents and frameworks of an earlier master may still be on their way.
    pub(crate) learning: bool,
}

impl Doubts<'_> {
    /// Whether an agent is about to come or to go, or may be on its way.
    fn cover_agent(&self, books: &Books, id: &AgentId) -> bool {
        match books.agent(id) {
            Some(agent) => agent.leaving,
            None if self.returning.contains(id) => true,
            None => {
                let lost = books.unreachable_agent(id).is_some() || books.is_gone(id);
                self.learning && !lost && !self.ids.gave(id.as_str())
            }
        }
    }

    /// Whether a task nobody named an agent for may be on an agent that is on its way.
    fn cover_task(&self, framework: &Framework) -> bool {
        self.learning && !self.ids.gave(framework.id.as_str())
    }
}

/// The latest word on every task of a framework that may go on or is not acknowledged.
pub(crate) fn all(framework: &Framework, at_ms: u64) -> Vec<TaskStatus> {
    let latest = |entry: &crate::books::Entry| latest(&entry.task, at_ms);
    framework.tasks().map(latest).collect()
}

/// The word on one task; none while there is doubt.
pub(crate) fn one(
    books: &Books,
    framework: &Framework,
    asked: &ReconcileTask,
    doubts: &Doubts<'_>,
    at_ms: u64,
) -> Option<TaskStatus> {
    let ReconcileTask { task_id, agent_id } = asked;
    if let Some(task) = framework.task(task_id) {
        let leaving = books.agent(&task.agent_id).is_some_and(|a| a.leaving);
        return (!leaving).then(|| latest(task, at_ms));
    }
    let say = |state, message| Word {
        state,
        reason: Reason::Reconciliation,
        message,
        at_ms,
    };
    if let Some(entry) = framework.unreachable_task(task_id) {
        if doubts.cover_agent(books, &entry.task.agent_id) {
            return None;
        }
        let word = say(TaskState::Unreachable, "the agent does not answer");
        let mut status = word.of_task(&entry.task);
        status.unreachable_since_ms = entry.unreachable_since_ms;
        return Some(status);
    }
    let Some(agent_id) = agent_id else {
        let word = say(TaskState::Unknown, "nobody knows the task");
        return (!doubts.cover_task(framework)).then(|| word.of(task_id.clone(), None));
    };
    if doubts.cover_agent(books, agent_id) {
        return None;
    }
    Some(absent(books, task_id, agent_id, say))
}

/// The word on a task its agent does not have, or whose agent is not here.
fn absent(
    books: &Books,
    task_id: &TaskId,
    agent_id: &AgentId,
    say: impl Fn(TaskState, &'static str) -> Word,
) -> TaskStatus {
    let on = Some(agent_id.clone());
    if books.agent(agent_id).is_some() {
        let word = say(TaskState::Gone, "the agent does not have the task");
        return word.of(task_id.clone(), on);
    }
    if books.is_gone(agent_id) {
        let word = say(TaskState::GoneByOperator, "the agent was declared gone");
        return word.of(task_id.clone(), on);
    }
    if let Some(lost) = books.unreachable_agent(agent_id) {
        let word = say(TaskState::Unreachable, "the agent does not answer");
        let mut status = word.of(task_id.clone(), on);
        status.unreachable_since_ms = Some(lost.since_ms);
        return status;
    }
    say(TaskState::Unknown, "nobody knows the agent").of(task_id.clone(), on)
}

/// What is known of a task: the state of the update its framework has to acknowledge, if there is
/// one, so that it does not learn of an end before the update that says so.
fn latest(task: &Task, at_ms: u64) -> TaskStatus {
    let word = Word {
        state: task.status_update_state.unwrap_or(task.state),
        reason: Reason::Reconciliation,
        message: "the latest state of the task",
        at_ms,
    };
    let mut status = word.of_task(task);
    if let Some(last) = task.statuses.last() {
        status.healthy = last.healthy;
        status.container.clone_from(&last.container);
    }
    status
}
