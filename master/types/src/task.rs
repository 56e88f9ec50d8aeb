//! Tasks: what frameworks launch, and what master and agent remember of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::executor::{MAX_NAME_BYTES, MAX_TASK_DATA_BYTES};
use crate::{
    AgentId, CommandInfo, DiscoveryInfo, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkId,
};
use crate::{
    InvalidInfo, Labels, Opaque, ResourceLimits, ResourceName, ResourceQuantities, Resources,
};
use crate::{Role, TaskId, TaskState, TaskStatus, UpdateId};

/// A task remembers at most this many statuses; older ones make room.
pub const MAX_STATUSES: usize = 16;

/// A task may be given no more than this to complete or to stop: ten years.
pub const MAX_TASK_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Describes a task to whoever launches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// A name for people.
    pub name: String,
    /// Names the task within its framework.
    pub task_id: TaskId,
    /// The agent to launch it on, which is the agent of the offer.
    pub agent_id: AgentId,
    /// What it uses.
    pub resources: Resources,
    /// What it runs, unless an executor decides.
    pub command: Option<CommandInfo>,
    /// The framework's own executor, unless it is a command.
    pub executor: Option<ExecutorInfo>,
    /// What the executor is told.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// Free words.
    pub labels: Labels,
    /// How it is killed.
    pub kill_policy: Option<KillPolicy>,
    /// How long it may run; without end if none.
    pub max_completion_time: Option<Duration>,
    /// How others find it.
    pub discovery: Option<DiscoveryInfo>,
    /// How much of processors and memory it may use at most; what it requests, if not named.
    pub limits: ResourceLimits,
    /// What only the public API understands of it: its container, its checks.
    #[serde(default, skip_serializing_if = "Opaque::is_empty")]
    pub opaque: Opaque,
}

/// How a task is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillPolicy {
    /// The time between asking it to stop and stopping it.
    pub grace_period: Duration,
}

/// What master and agent remember of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Names the task within its framework.
    pub task_id: TaskId,
    /// The framework that launched it.
    pub framework_id: FrameworkId,
    /// The agent it is on.
    pub agent_id: AgentId,
    /// The executor that runs it; none if it is a command.
    pub executor_id: Option<ExecutorId>,
    /// A name for people.
    pub name: String,
    /// The role its resources were offered to.
    pub role: Role,
    /// What it uses.
    pub resources: Resources,
    /// The latest state that is known.
    pub state: TaskState,
    /// The latest statuses, the oldest first.
    pub statuses: Vec<TaskStatus>,
    /// The state of the latest update that its framework has not acknowledged.
    pub status_update_state: Option<TaskState>,
    /// The id of that update.
    pub status_update_id: Option<UpdateId>,
    /// Free words.
    pub labels: Labels,
    /// The user it runs as, if known.
    pub user: Option<String>,
    /// How it is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_policy: Option<KillPolicy>,
    /// How others find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryInfo>,
    /// How much of processors and memory it may use at most; what it requests, if not named.
    #[serde(default, skip_serializing_if = "ResourceLimits::is_empty")]
    pub limits: ResourceLimits,
    /// What only the public API understands of it: its container, its checks.
    #[serde(default, skip_serializing_if = "Opaque::is_empty")]
    pub opaque: Opaque,
}

impl TaskInfo {
    /// Returns a task that runs a command.
    pub fn command(
        task_id: TaskId,
        agent_id: AgentId,
        command: CommandInfo,
        resources: Resources,
    ) -> Self {
        Self {
            name: task_id.to_string(),
            task_id,
            agent_id,
            resources,
            command: Some(command),
            executor: None,
            data: Vec::new(),
            labels: Labels::new(),
            kill_policy: None,
            max_completion_time: None,
            discovery: None,
            limits: ResourceLimits::new(),
            opaque: Opaque::new(),
        }
    }

    /// Returns what the task and its executor use together.
    pub fn total_resources(&self) -> Resources {
        let executor = self.executor.as_ref().map(|executor| &executor.resources);
        executor.map_or_else(
            || self.resources.clone(),
            |executor| &self.resources + executor,
        )
    }

    /// Checks what can be checked from the task alone and the agent of the offer.
    ///
    /// Whether the id is unused, the offer has the resources and the executor is like the one
    /// that runs, only the master knows.
    ///
    /// # Errors
    ///
    /// Says which rule is broken.
    pub fn validate(
        &self,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
    ) -> Result<(), InvalidInfo> {
        if self.agent_id != *agent_id {
            return Err(InvalidInfo::Agent {
                named: self.agent_id.to_string(),
                offered: agent_id.to_string(),
            });
        }
        match (&self.command, &self.executor) {
            (Some(command), None) => command.validate()?,
            (None, Some(executor)) if executor.kind == ExecutorKind::Default => {
                return Err(InvalidInfo::NotCustom);
            }
            (None, Some(executor)) => executor.validate(framework_id)?,
            (Some(_), Some(_)) | (None, None) => return Err(InvalidInfo::CommandOrExecutor),
        }
        self.total_resources().validate()?;
        self.validate_rest()
    }

    /// Checks a task of a group, as far as that can be done without the others: it has no executor
    /// of its own, and for our executor a command.
    ///
    /// # Errors
    ///
    /// Says which rule is broken.
    pub fn validate_in_group(
        &self,
        executor: &ExecutorInfo,
        agent_id: &AgentId,
    ) -> Result<(), InvalidInfo> {
        if self.agent_id != *agent_id {
            return Err(InvalidInfo::Agent {
                named: self.agent_id.to_string(),
                offered: agent_id.to_string(),
            });
        }
        match (&self.command, executor.kind) {
            (Some(command), _) if self.executor.is_none() => command.validate()?,
            (None, ExecutorKind::Custom) if self.executor.is_none() => {}
            (Some(_) | None, _) => return Err(InvalidInfo::CommandOrExecutor),
        }
        self.resources.validate()?;
        self.validate_rest()
    }

    /// What is the same alone and in a group.
    fn validate_rest(&self) -> Result<(), InvalidInfo> {
        if self.resources.is_empty() {
            return Err(InvalidInfo::NoResources);
        }
        InvalidInfo::limit("the name of the task", self.name.len(), MAX_NAME_BYTES)?;
        let data = self.data.len()
            + self
                .executor
                .as_ref()
                .map_or(0, |executor| executor.data.len());
        InvalidInfo::limit("the data of the task", data, MAX_TASK_DATA_BYTES)?;
        self.validate_durations()?;
        self.validate_limits()
    }

    fn validate_durations(&self) -> Result<(), InvalidInfo> {
        let grace_period = self.kill_policy.map(|policy| policy.grace_period);
        let durations = [
            ("the grace period", grace_period),
            ("the completion time", self.max_completion_time),
        ];
        let max_seconds = MAX_TASK_DURATION.as_secs();
        match durations
            .into_iter()
            .find(|(_, time)| *time > Some(MAX_TASK_DURATION))
        {
            Some((what, _)) => Err(InvalidInfo::TooLate { what, max_seconds }),
            None => Ok(()),
        }
    }

    /// Only processors and memory can be limited, to no less than is requested.
    fn validate_limits(&self) -> Result<(), InvalidInfo> {
        let requested = ResourceQuantities::from(&self.resources);
        let possible =
            |name: &ResourceName| *name == ResourceName::CPUS || *name == ResourceName::MEM;
        for (name, limit) in self.limits.iter() {
            if !possible(name) || limit < requested.get(name) {
                return Err(InvalidInfo::Limit(name.to_string()));
            }
        }
        Ok(())
    }
}

impl Task {
    /// Returns what to remember of a task that is about to be launched.
    pub fn staging(
        info: &TaskInfo,
        framework_id: FrameworkId,
        role: Role,
        user: Option<String>,
    ) -> Self {
        Self {
            task_id: info.task_id.clone(),
            framework_id,
            agent_id: info.agent_id.clone(),
            executor_id: info
                .executor
                .as_ref()
                .map(|executor| executor.executor_id.clone()),
            name: info.name.clone(),
            role,
            resources: info.resources.clone(),
            state: TaskState::Staging,
            statuses: Vec::new(),
            status_update_state: None,
            status_update_id: None,
            labels: info.labels.clone(),
            user,
            kill_policy: info.kill_policy,
            discovery: info.discovery.clone(),
            limits: info.limits.clone(),
            opaque: info.opaque.clone(),
        }
    }

    /// Returns what to remember of a task of a group that is about to be launched under an
    /// executor.
    pub fn staging_under(
        executor_id: &ExecutorId,
        info: &TaskInfo,
        framework_id: FrameworkId,
        role: Role,
        user: Option<String>,
    ) -> Self {
        Self {
            executor_id: Some(executor_id.clone()),
            ..Self::staging(info, framework_id, role, user)
        }
    }

    /// Remembers a status, in place of one that says the same state last, without its data, which
    /// is for the framework alone.
    pub fn remember(&mut self, status: &TaskStatus) {
        let status = TaskStatus {
            data: Vec::new(),
            ..status.clone()
        };
        match self
            .statuses
            .last_mut()
            .filter(|last| last.state == status.state)
        {
            Some(last) => *last = status,
            None => {
                if self.statuses.len() >= MAX_STATUSES {
                    self.statuses.remove(0);
                }
                self.statuses.push(status);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scalar, Source};

    fn info() -> TaskInfo {
        TaskInfo::command(
            TaskId::new("t").unwrap(),
            AgentId::new("a").unwrap(),
            CommandInfo::shell("sleep 60"),
            Resources::new().cpus(0.1).mem_mib(32),
        )
    }

    fn check(info: &TaskInfo) -> Result<(), InvalidInfo> {
        info.validate(&FrameworkId::new("f").unwrap(), &AgentId::new("a").unwrap())
    }

    #[test]
    fn a_task_is_for_the_agent_of_its_offer() {
        assert_eq!(check(&info()), Ok(()));
        let agent_id = AgentId::new("b").unwrap();
        assert!(matches!(
            check(&TaskInfo { agent_id, ..info() }),
            Err(InvalidInfo::Agent { .. })
        ));
    }

    #[test]
    fn a_task_has_a_command_or_an_executor_and_uses_something() {
        let idle = TaskInfo {
            command: None,
            ..info()
        };
        assert_eq!(check(&idle), Err(InvalidInfo::CommandOrExecutor));
        let executor_id = ExecutorId::new("e").unwrap();
        let executor = Some(ExecutorInfo::custom(
            executor_id,
            CommandInfo::shell("true"),
        ));
        let both = TaskInfo {
            executor: executor.clone(),
            ..info()
        };
        assert_eq!(check(&both), Err(InvalidInfo::CommandOrExecutor));
        assert_eq!(check(&TaskInfo { executor, ..idle }), Ok(()));
        let free = TaskInfo {
            resources: Resources::new(),
            ..info()
        };
        assert_eq!(check(&free), Err(InvalidInfo::NoResources));
    }

    #[test]
    fn a_task_of_a_group_has_no_executor_of_its_own() {
        let agent_id = AgentId::new("a").unwrap();
        let executor_id = ExecutorId::new("e").unwrap();
        let ours = ExecutorInfo::group(executor_id.clone(), Resources::new().cpus(0.1).mem_mib(32));
        let theirs = ExecutorInfo::custom(executor_id, CommandInfo::shell("true"));
        assert_eq!(info().validate_in_group(&ours, &agent_id), Ok(()));
        let idle = TaskInfo {
            command: None,
            ..info()
        };
        let wrong = Err(InvalidInfo::CommandOrExecutor);
        assert_eq!(idle.validate_in_group(&ours, &agent_id), wrong);
        assert_eq!(idle.validate_in_group(&theirs, &agent_id), Ok(()));
        let own = TaskInfo {
            executor: Some(theirs.clone()),
            ..info()
        };
        assert_eq!(own.validate_in_group(&theirs, &agent_id), wrong);
        let alone = TaskInfo {
            executor: Some(ours),
            ..idle
        };
        assert_eq!(check(&alone), Err(InvalidInfo::NotCustom));
    }

    #[test]
    fn only_processors_and_memory_are_limited_and_not_below_the_request() {
        let limited = |name, limit| TaskInfo {
            limits: ResourceLimits::new().with(name, Scalar::from_units(limit)),
            ..info()
        };
        assert_eq!(check(&limited(ResourceName::MEM, 32)), Ok(()));
        assert!(check(&limited(ResourceName::MEM, 31)).is_err());
        assert!(check(&limited(ResourceName::DISK, 9)).is_err());
    }

    #[test]
    fn a_task_waits_no_longer_than_we_do() {
        let late = TaskInfo {
            max_completion_time: Some(Duration::MAX),
            ..info()
        };
        assert!(matches!(check(&late), Err(InvalidInfo::TooLate { .. })));
        let kill_policy = Some(KillPolicy {
            grace_period: Duration::MAX,
        });
        assert!(
            check(&TaskInfo {
                kill_policy,
                ..info()
            })
            .is_err()
        );
    }

    #[test]
    fn a_task_remembers_the_last_status_of_each_state_in_turn() {
        let framework_id = FrameworkId::new("f").unwrap();
        let mut task = Task::staging(&info(), framework_id, Role::any(), None);
        let status = |state, at| TaskStatus {
            data: vec![1],
            ..TaskStatus::new(TaskId::new("t").unwrap(), state, Source::Executor, at)
        };
        task.remember(&status(TaskState::Running, 1));
        task.remember(&status(TaskState::Running, 2));
        task.remember(&status(TaskState::Finished, 3));
        let times: Vec<_> = task.statuses.iter().map(|s| s.timestamp_ms).collect();
        assert_eq!(times, [2, 3]);
        assert!(task.statuses.iter().all(|s| s.data.is_empty()));
        for at in 0..100 {
            let state = [TaskState::Running, TaskState::Unreachable][at as usize % 2];
            task.remember(&status(state, at));
        }
        assert_eq!(task.statuses.len(), MAX_STATUSES);
        assert_eq!(task.statuses[MAX_STATUSES - 1].timestamp_ms, 99);
    }
}
