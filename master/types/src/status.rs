//! Statuses: what somebody says about a task, at one moment.

use serde::{Deserialize, Serialize};

use crate::executor::MAX_DATA_BYTES;
use crate::{AgentId, ContainerId, ExecutorId, InvalidInfo, Labels, Opaque, Reason, TaskId};
use crate::{TaskState, UpdateId};

/// A message for people has at most this many bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The master.
    Master,
    /// The agent.
    Agent,
    /// The executor.
    Executor,
}

/// What somebody says about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The task.
    pub task_id: TaskId,
    /// Where it is in its life.
    pub state: TaskState,
    /// Who says so.
    pub source: Source,
    /// Why, for programs.
    pub reason: Option<Reason>,
    /// Why, for people.
    pub message: Option<String>,
    /// The agent it is, or was, on.
    pub agent_id: Option<AgentId>,
    /// The executor that runs, or ran, it.
    pub executor_id: Option<ExecutorId>,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// What to acknowledge; none needs no acknowledgement.
    pub update_id: Option<UpdateId>,
    /// What the executor wants its framework to know.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// Whether it answers, if anybody asks it.
    pub healthy: Option<bool>,
    /// Free words.
    pub labels: Labels,
    /// Its container, while it has one.
    pub container: Option<ContainerStatus>,
    /// What it exited with, if it did.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Since when its agent does not answer, in milliseconds since 1970.
    pub unreachable_since_ms: Option<u64>,
    /// What only the public API understands of it: checks, networks, limits.
    #[serde(default, skip_serializing_if = "Opaque::is_empty")]
    pub opaque: Opaque,
}

/// What is known about a running container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its id.
    pub container_id: Option<ContainerId>,
    /// The process that leads it, on the agent.
    pub pid: Option<u32>,
}

impl TaskStatus {
    /// Returns a status with nothing but the most needed.
    pub fn new(task_id: TaskId, state: TaskState, source: Source, timestamp_ms: u64) -> Self {
        Self {
            task_id,
            state,
            source,
            reason: None,
            message: None,
            agent_id: None,
            executor_id: None,
            timestamp_ms,
            update_id: None,
            data: Vec::new(),
            healthy: None,
            labels: Labels::new(),
            container: None,
            exit_code: None,
            signal: None,
            unreachable_since_ms: None,
            opaque: Opaque::new(),
        }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: Reason, message: impl Into<String>) -> Self {
        self.reason = Some(reason);
        self.message = Some(message.into());
        self
    }

    /// Says on which agent.
    #[must_use]
    pub fn on(mut self, agent_id: AgentId) -> Self {
        self.agent_id = Some(agent_id);
        self
    }

    /// Asks for an acknowledgement.
    #[must_use]
    pub fn acknowledged_as(mut self, update_id: UpdateId) -> Self {
        self.update_id = Some(update_id);
        self
    }

    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// Fails when the message or the data is too long.
    pub fn validate(&self) -> Result<(), InvalidInfo> {
        let message = self.message.as_ref().map_or(0, String::len);
        InvalidInfo::limit("the message of the status", message, MAX_MESSAGE_BYTES)?;
        InvalidInfo::limit("the data of the status", self.data.len(), MAX_DATA_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_bounded() {
        let task_id = TaskId::new("t").unwrap();
        let status = TaskStatus::new(task_id, TaskState::Failed, Source::Agent, 7)
            .because(Reason::ContainerLimitation, "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(status.validate(), Ok(()));
        let data = vec![0; MAX_DATA_BYTES + 1];
        assert!(TaskStatus { data, ..status }.validate().is_err());
    }
}
