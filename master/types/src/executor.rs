//! Executors: what runs tasks on an agent, for one framework.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Scalar;
use crate::task::MAX_TASK_DURATION;
use crate::{CommandInfo, ExecutorId, FrameworkId, InvalidInfo, Labels, Opaque, Resources};

/// Words between a framework and its executors, and what a status carries, have at most this many
/// bytes: they are kept until they are acknowledged.
pub const MAX_DATA_BYTES: usize = 1 << 20;

/// The data of a task and its executor, or of all the tasks of a group, has at most this many bytes
/// together: what is sent to an agent in one frame, which has 16 MiB, with all that stands beside
/// it. Some frameworks send whole programs so.
pub const MAX_TASK_DATA_BYTES: usize = 12 << 20;

/// A name has at most this many bytes.
pub(crate) const MAX_NAME_BYTES: usize = 1_024;

/// Whose program an executor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExecutorKind {
    /// Ours, for one task that is a command.
    Command,
    /// Ours, for groups of tasks.
    Default,
    /// The framework's.
    Custom,
}

/// Describes an executor to the agent that starts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorInfo {
    /// Names the executor within its framework and agent.
    pub executor_id: ExecutorId,
    /// The framework it works for; set by the master.
    pub framework_id: Option<FrameworkId>,
    /// Whose program it is.
    pub kind: ExecutorKind,
    /// The program, if it is the framework's.
    pub command: Option<CommandInfo>,
    /// What it uses beside its tasks.
    pub resources: Resources,
    /// A name for people.
    pub name: String,
    /// Where its tasks come from, for people.
    pub source: String,
    /// What the framework wants it to know.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// How long it may take to stop before it is killed; the agent's choice if none.
    pub shutdown_grace: Option<Duration>,
    /// Free words.
    pub labels: Labels,
    /// What only the public API understands of it: its container, its discovery.
    #[serde(default, skip_serializing_if = "Opaque::is_empty")]
    pub opaque: Opaque,
}

impl ExecutorInfo {
    /// Returns a framework's own executor without resources.
    pub fn custom(executor_id: ExecutorId, command: CommandInfo) -> Self {
        Self {
            name: executor_id.to_string(),
            executor_id,
            framework_id: None,
            kind: ExecutorKind::Custom,
            command: Some(command),
            resources: Resources::new(),
            source: String::new(),
            data: Vec::new(),
            shutdown_grace: None,
            labels: Labels::new(),
            opaque: Opaque::new(),
        }
    }

    /// Returns our own executor for groups of tasks, which uses these resources itself.
    pub fn group(executor_id: ExecutorId, resources: Resources) -> Self {
        Self {
            kind: ExecutorKind::Default,
            command: None,
            resources,
            ..Self::custom(executor_id, CommandInfo::default())
        }
    }

    /// Checks what can be checked without knowing the agent, and that it is enough for groups: a
    /// hundredth of a processor and 32 MiB, as Apache Mesos asks.
    ///
    /// # Errors
    ///
    /// As [`ExecutorInfo::validate`], and when it uses less.
    pub fn validate_for_group(&self, framework_id: &FrameworkId) -> Result<(), InvalidInfo> {
        self.validate(framework_id)?;
        let small = |what, used: Scalar, min| InvalidInfo::SmallExecutor {
            executor: self.executor_id.to_string(),
            what,
            used: used.to_string(),
            min,
        };
        let (cpus, mem_mib) = (self.resources.total_cpus(), self.resources.total_mem_mib());
        if cpus < Scalar::from_thousandths(10) {
            return Err(small("CPUs", cpus, "0.01"));
        }
        if mem_mib < Scalar::from_units(32) {
            return Err(small("memory", mem_mib, "32MB"));
        }
        Ok(())
    }

    /// Checks what can be checked without knowing the agent.
    ///
    /// # Errors
    ///
    /// Fails when the executor is of another framework, has no command though it is custom, has
    /// impossible resources, is too long, or would take too long to stop.
    pub fn validate(&self, framework_id: &FrameworkId) -> Result<(), InvalidInfo> {
        if let Some(named) = self
            .framework_id
            .as_ref()
            .filter(|named| *named != framework_id)
        {
            return Err(InvalidInfo::ExecutorFramework {
                named: named.to_string(),
                expected: framework_id.to_string(),
            });
        }
        match (&self.command, self.kind) {
            (None, ExecutorKind::Custom) => return Err(InvalidInfo::ExecutorCommand),
            (Some(_), ExecutorKind::Default) => return Err(InvalidInfo::DefaultCommand),
            (Some(command), _) => command.validate()?,
            (None, ExecutorKind::Command | ExecutorKind::Default) => {}
        }
        InvalidInfo::limit("the name of the executor", self.name.len(), MAX_NAME_BYTES)?;
        InvalidInfo::limit(
            "the source of the executor",
            self.source.len(),
            MAX_NAME_BYTES,
        )?;
        InvalidInfo::limit(
            "the data of the executor",
            self.data.len(),
            MAX_TASK_DATA_BYTES,
        )?;
        if self.shutdown_grace > Some(MAX_TASK_DURATION) {
            return Err(InvalidInfo::TooLate {
                what: "the shutdown grace period",
                max_seconds: MAX_TASK_DURATION.as_secs(),
            });
        }
        Ok(self.resources.validate()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_belongs_to_its_framework_and_runs_something() {
        let (ours, theirs) = (
            FrameworkId::new("f").unwrap(),
            FrameworkId::new("g").unwrap(),
        );
        let id = ExecutorId::new("e").unwrap();
        let executor = ExecutorInfo::custom(id, CommandInfo::shell("true"));
        assert_eq!(executor.validate(&ours), Ok(()));
        let foreign = ExecutorInfo {
            framework_id: Some(theirs),
            ..executor.clone()
        };
        assert!(matches!(
            foreign.validate(&ours),
            Err(InvalidInfo::ExecutorFramework { .. })
        ));
        let idle = ExecutorInfo {
            command: None,
            ..executor.clone()
        };
        assert_eq!(idle.validate(&ours), Err(InvalidInfo::ExecutorCommand));
        let shutdown_grace = Some(Duration::MAX);
        let slow = ExecutorInfo {
            shutdown_grace,
            ..executor.clone()
        };
        assert!(matches!(
            slow.validate(&ours),
            Err(InvalidInfo::TooLate { .. })
        ));
        let data = vec![0; MAX_TASK_DATA_BYTES + 1];
        assert!(ExecutorInfo { data, ..executor }.validate(&ours).is_err());
    }
}
