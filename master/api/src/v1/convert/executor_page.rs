//! The executor API and the pages of agent and executor.

use types::{ExecutorId, FrameworkId, Role, TaskStatus};

use super::{At, Unfit, all};
use crate::agent::{ExecutorUpdate, ToFramework};
use crate::executor as page;
use crate::v1::executor::{Call, CallBody, Event, EventBody, event};
use crate::v1::{AllocationInfo, ExecutorInfo, Resource, TaskGroupInfo, TaskInfo};

/// A call of an executor in our own nouns.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub enum ExecutorCall {
    /// The executor is ready for its tasks.
    Subscribe(Subscription),
    /// News of a task.
    Update(ExecutorUpdate),
    /// Words for the framework.
    Message(ToFramework),
    /// The executor is there.
    Heartbeat,
}

/// What an executor says of itself when it subscribes, again perhaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its framework.
    pub framework_id: FrameworkId,
    /// The executor.
    pub executor_id: ExecutorId,
    /// The tasks of which no news was acknowledged.
    pub tasks: Vec<types::TaskInfo>,
    /// The news that was not acknowledged.
    pub updates: Vec<TaskStatus>,
}

impl TryFrom<Call> for ExecutorCall {
    type Error = Unfit;

    fn try_from(call: Call) -> Result<Self, Unfit> {
        let framework_id = FrameworkId::try_from(call.framework_id.clone()).at("framework_id")?;
        let executor_id = ExecutorId::try_from(call.executor_id.clone()).at("executor_id")?;
        let body = call
            .into_body()
            .map_err(|fault| Unfit::new(fault.field, fault.text))?;
        Ok(match body {
            CallBody::Subscribe(subscribe) => {
                let tasks = all(subscribe.unacknowledged_tasks, types::TaskInfo::try_from);
                let updates = all(subscribe.unacknowledged_updates, |update| {
                    TaskStatus::try_from(update.status).at("status")
                });
                Self::Subscribe(Subscription {
                    framework_id,
                    executor_id,
                    tasks: tasks.at("subscribe.unacknowledged_tasks")?,
                    updates: updates.at("subscribe.unacknowledged_updates")?,
                })
            }
            CallBody::Update(update) => Self::Update(ExecutorUpdate {
                framework_id,
                executor_id,
                status: update.status.try_into().at("update.status")?,
            }),
            CallBody::Message(message) => Self::Message(ToFramework {
                framework_id,
                executor_id,
                data: message.data.into(),
            }),
            CallBody::Heartbeat => Self::Heartbeat,
        })
    }
}

impl From<&page::Registered> for Event {
    fn from(registered: &page::Registered) -> Self {
        EventBody::Subscribed(event::Subscribed {
            executor_info: executor_of(&registered.executor, &registered.role),
            framework_info: (&registered.framework).into(),
            agent_info: (&registered.agent).into(),
            container_id: Some((&registered.container_id).into()),
        })
        .into()
    }
}

impl From<&page::Launch> for Event {
    fn from(launch: &page::Launch) -> Self {
        EventBody::Launch(event::Launch {
            task: task_of(&launch.task, &launch.role),
        })
        .into()
    }
}

/// A task whose resources are allocated to a role.
fn task_of(task: &types::TaskInfo, role: &Role) -> TaskInfo {
    let mut message = TaskInfo::from(task);
    allocate(&mut message.resources, role);
    if let Some(executor) = &mut message.executor {
        allocate(&mut executor.resources, role);
    }
    message
}

/// An executor whose resources are allocated to a role.
pub fn executor_of(executor: &types::ExecutorInfo, role: &Role) -> ExecutorInfo {
    let mut message = ExecutorInfo::from(executor);
    allocate(&mut message.resources, role);
    message
}

fn allocate(resources: &mut [Resource], role: &Role) {
    for resource in resources {
        resource.allocation_info = Some(AllocationInfo {
            role: Some(role.to_string()),
        });
    }
}

impl From<&page::LaunchGroup> for Event {
    fn from(launch: &page::LaunchGroup) -> Self {
        let tasks = launch.tasks.iter();
        let tasks = tasks.map(|task| task_of(task, &launch.role)).collect();
        EventBody::LaunchGroup(event::LaunchGroup {
            task_group: TaskGroupInfo { tasks },
        })
        .into()
    }
}

impl From<&page::Kill> for Event {
    fn from(kill: &page::Kill) -> Self {
        let kill_policy = kill.kill_policy.as_ref().map(Into::into);
        EventBody::Kill(event::Kill {
            task_id: (&kill.task_id).into(),
            kill_policy,
        })
        .into()
    }
}

impl From<&page::Acknowledged> for Event {
    fn from(acknowledged: &page::Acknowledged) -> Self {
        EventBody::Acknowledged(event::Acknowledged {
            task_id: (&acknowledged.task_id).into(),
            uuid: super::update_bytes(&acknowledged.update_id),
        })
        .into()
    }
}

impl From<&page::FromFramework> for Event {
    fn from(message: &page::FromFramework) -> Self {
        EventBody::Message(event::Message {
            data: message.data.clone().into(),
        })
        .into()
    }
}

impl From<&page::Shutdown> for Event {
    fn from(_: &page::Shutdown) -> Self {
        EventBody::Shutdown.into()
    }
}
