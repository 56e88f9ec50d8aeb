//! The updates of an executor that its agent has not acknowledged: sent again until it has.

use std::collections::VecDeque;

use types::{TaskId, TaskStatus, UpdateId};

/// Most updates that are kept. An executor that tells more, while its agent takes none, loses the
/// oldest that is not the end of a task.
pub(crate) const UPDATES_MAX: usize = 10_000;

/// Updates in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Unacknowledged(VecDeque<TaskStatus>);

impl Unacknowledged {
    pub(crate) fn push(&mut self, status: TaskStatus) {
        if self.0.len() >= UPDATES_MAX {
            let oldest = self.0.iter().position(|status| !status.state.is_terminal());
            self.0.remove(oldest.unwrap_or(0));
        }
        self.0.push_back(status);
    }

    /// Forgets an update. True if it was the end of its task.
    pub(crate) fn acknowledge(&mut self, task_id: &TaskId, update_id: UpdateId) -> bool {
        let is_it =
            |status: &TaskStatus| status.update_id == Some(update_id) && status.task_id == *task_id;
        let ended = self
            .0
            .iter()
            .any(|status| is_it(status) && status.state.is_terminal());
        self.0.retain(|status| !is_it(status));
        ended
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TaskStatus> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use types::{Source, TaskState};

    use super::*;

    fn status(state: TaskState) -> TaskStatus {
        TaskStatus::new(TaskId::new("t").unwrap(), state, Source::Executor, 1)
            .acknowledged_as(UpdateId::random())
    }

    #[test]
    fn an_update_is_kept_until_it_is_acknowledged() {
        let (first, second) = (status(TaskState::Running), status(TaskState::Finished));
        let mut updates = Unacknowledged::default();
        updates.push(first.clone());
        updates.push(second.clone());
        updates.acknowledge(&first.task_id, first.update_id.unwrap());
        assert_eq!(updates.iter().collect::<Vec<_>>(), [&second]);
        let other = TaskId::new("other").unwrap();
        updates.acknowledge(&other, second.update_id.unwrap());
        assert!(!updates.is_empty());
        updates.acknowledge(&second.task_id, second.update_id.unwrap());
        assert!(updates.is_empty());
    }

    #[test]
    fn the_end_of_a_task_outlives_a_flood_of_news() {
        let end = status(TaskState::Failed);
        let mut updates = Unacknowledged::default();
        updates.push(end.clone());
        for _ in 0..UPDATES_MAX {
            updates.push(status(TaskState::Running));
        }
        assert_eq!(updates.iter().count(), UPDATES_MAX);
        assert_eq!(updates.iter().next(), Some(&end));
    }
}
