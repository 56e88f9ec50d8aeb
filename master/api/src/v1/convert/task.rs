//! Tasks: as they are launched, and as they are remembered.

use types::Role;

use super::{
    At, ResourceFormat, Unfit, all, discovery, from_opaque, optional, resource, to_opaque,
};
use crate::v1::codec::macros::message;
use crate::v1::{CheckInfo, ContainerInfo, HealthCheck, Task, TaskInfo, TaskState, TaskStatus};

message! {
    /// What no noun has of a task, under the numbers it has in `TaskInfo`.
    pub(super) struct TaskRest {
        8 health_check: Option<Box<HealthCheck>>,
        9 container: Option<Box<ContainerInfo>>,
        13 check: Option<Box<CheckInfo>>,
    }
}

impl From<types::TaskState> for TaskState {
    fn from(state: types::TaskState) -> Self {
        match state {
            types::TaskState::Staging => TaskState::Staging,
            types::TaskState::Starting => TaskState::Starting,
            types::TaskState::Running => TaskState::Running,
            types::TaskState::Killing => TaskState::Killing,
            types::TaskState::Finished => TaskState::Finished,
            types::TaskState::Failed => TaskState::Failed,
            types::TaskState::Killed => TaskState::Killed,
            types::TaskState::Error => TaskState::Error,
            types::TaskState::Lost => TaskState::Lost,
            types::TaskState::Dropped => TaskState::Dropped,
            types::TaskState::Unreachable => TaskState::Unreachable,
            types::TaskState::Gone => TaskState::Gone,
            types::TaskState::GoneByOperator => TaskState::GoneByOperator,
            types::TaskState::Unknown => TaskState::Unknown,
        }
    }
}

impl From<TaskState> for types::TaskState {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Staging => types::TaskState::Staging,
            TaskState::Starting => types::TaskState::Starting,
            TaskState::Running => types::TaskState::Running,
            TaskState::Killing => types::TaskState::Killing,
            TaskState::Finished => types::TaskState::Finished,
            TaskState::Failed => types::TaskState::Failed,
            TaskState::Killed => types::TaskState::Killed,
            TaskState::Error => types::TaskState::Error,
            TaskState::Lost => types::TaskState::Lost,
            TaskState::Dropped => types::TaskState::Dropped,
            TaskState::Unreachable => types::TaskState::Unreachable,
            TaskState::Gone => types::TaskState::Gone,
            TaskState::GoneByOperator => types::TaskState::GoneByOperator,
            TaskState::Unknown => types::TaskState::Unknown,
        }
    }
}

impl From<&types::TaskInfo> for TaskInfo {
    /// The resources are not said to be allocated to a role, which the task does not know.
    fn from(task: &types::TaskInfo) -> Self {
        let rest: TaskRest = from_opaque(&task.opaque);
        Self {
            name: task.name.clone(),
            task_id: (&task.task_id).into(),
            agent_id: (&task.agent_id).into(),
            resources: super::resources_for(&task.resources, ResourceFormat::PostRefinement, None),
            executor: task
                .executor
                .as_ref()
                .map(|executor| Box::new(executor.into())),
            command: task.command.as_ref().map(Into::into),
            container: rest.container,
            health_check: rest.health_check,
            check: rest.check,
            kill_policy: task.kill_policy.as_ref().map(Into::into),
            data: super::bytes(&task.data),
            labels: discovery::labels(&task.labels),
            discovery: task
                .discovery
                .as_ref()
                .map(|discovery| Box::new(discovery.into())),
            max_completion_time: task.max_completion_time.map(Into::into),
            limits: resource::limits(&task.limits),
        }
    }
}

impl TryFrom<TaskInfo> for types::TaskInfo {
    type Error = Unfit;

    fn try_from(message: TaskInfo) -> Result<Self, Unfit> {
        let rest = TaskRest {
            health_check: message.health_check,
            container: message.container,
            check: message.check,
        };
        Ok(Self {
            name: message.name,
            task_id: message.task_id.try_into().at("task_id")?,
            agent_id: message.agent_id.try_into().at("agent_id")?,
            resources: resource::resources(message.resources).at("resources")?,
            command: optional(message.command, "command")?,
            executor: optional(message.executor.map(|executor| *executor), "executor")?,
            data: message.data.map(Into::into).unwrap_or_default(),
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
            kill_policy: super::command::kill_policy(message.kill_policy)?,
            max_completion_time: optional(message.max_completion_time, "max_completion_time")?,
            discovery: optional(message.discovery.map(|discovery| *discovery), "discovery")?,
            limits: resource::limits_from(message.limits).at("limits")?,
            opaque: to_opaque(&rest).at("container")?,
        })
    }
}

/// Returns a task as operators see it, with the last of its updates that was passed on, whether or
/// not that was acknowledged; [`types::Task`] has it only until then.
pub fn told(task: &types::Task) -> Task {
    let mut message = Task::from(task);
    let known = task.status_update_state;
    let passed_on = |status: &&types::TaskStatus| {
        status.update_id.is_some() && known.is_none_or(|state| state == status.state)
    };
    if message.status_update_uuid.is_none()
        && let Some(status) = task.statuses.iter().rev().find(passed_on)
    {
        message.status_update_state = Some(status.state.into());
        message.status_update_uuid = status.update_id.as_ref().map(super::update_bytes);
    }
    message
}

impl From<&types::Task> for Task {
    fn from(task: &types::Task) -> Self {
        let rest: TaskRest = from_opaque(&task.opaque);
        let (format, role) = (ResourceFormat::PostRefinement, Some(&task.role));
        Self {
            name: task.name.clone(),
            task_id: (&task.task_id).into(),
            framework_id: (&task.framework_id).into(),
            executor_id: task.executor_id.as_ref().map(Into::into),
            agent_id: (&task.agent_id).into(),
            state: task.state.into(),
            resources: super::resources_for(&task.resources, format, role),
            statuses: task.statuses.iter().map(TaskStatus::from).collect(),
            status_update_state: task.status_update_state.map(Into::into),
            status_update_uuid: task.status_update_id.as_ref().map(super::update_bytes),
            labels: discovery::labels(&task.labels),
            discovery: task
                .discovery
                .as_ref()
                .map(|discovery| Box::new(discovery.into())),
            container: rest.container,
            health_check: rest.health_check,
            kill_policy: task.kill_policy.as_ref().map(Into::into),
            user: task.user.clone(),
            limits: resource::limits(&task.limits),
        }
    }
}

impl TryFrom<Task> for types::Task {
    type Error = Unfit;

    /// The role is that of the first resource that is allocated to one, or `*`.
    fn try_from(message: Task) -> Result<Self, Unfit> {
        let rest = TaskRest {
            health_check: message.health_check,
            container: message.container,
            check: None,
        };
        let allocations = message.resources.iter();
        let mut roles = allocations.filter_map(|r| r.allocation_info.as_ref()?.role.as_deref());
        let update_id = message.status_update_uuid.as_deref().map(super::update_id);
        Ok(Self {
            role: roles
                .next()
                .map_or_else(|| Ok(Role::any()), str::parse)
                .at("resources")?,
            task_id: message.task_id.try_into().at("task_id")?,
            framework_id: message.framework_id.try_into().at("framework_id")?,
            agent_id: message.agent_id.try_into().at("agent_id")?,
            executor_id: optional(message.executor_id, "executor_id")?,
            name: message.name,
            resources: resource::resources(message.resources).at("resources")?,
            state: message.state.into(),
            statuses: all(message.statuses, types::TaskStatus::try_from).at("statuses")?,
            status_update_state: message.status_update_state.map(Into::into),
            status_update_id: update_id.transpose().at("status_update_uuid")?,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
            user: message.user,
            kill_policy: super::command::kill_policy(message.kill_policy)?,
            discovery: optional(message.discovery.map(|discovery| *discovery), "discovery")?,
            limits: resource::limits_from(message.limits).at("limits")?,
            opaque: to_opaque(&rest).at("container")?,
        })
    }
}
