//! Statuses a master makes: they need no acknowledgement.

use types::{AgentId, Reason, Source, Task, TaskId, TaskState, TaskStatus};

/// What a master says of a task, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub(crate) state: TaskState,
    pub(crate) reason: Reason,
    pub(crate) message: &'static str,
    pub(crate) at_ms: u64,
}

impl Word {
    /// Says it of a task that may not be known.
    pub(crate) fn of(self, task_id: TaskId, agent_id: Option<AgentId>) -> TaskStatus {
        let mut status = TaskStatus::new(task_id, self.state, Source::Master, self.at_ms)
            .because(self.reason, self.message);
        status.agent_id = agent_id;
        status
    }

    /// Says it of a task.
    pub(crate) fn of_task(self, task: &Task) -> TaskStatus {
        let mut status = self.of(task.task_id.clone(), Some(task.agent_id.clone()));
        status.executor_id = task.executor_id.clone();
        status
    }
}
