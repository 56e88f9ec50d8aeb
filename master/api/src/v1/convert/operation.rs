//! Operations on offers, as far as there are nouns for them.

use super::{At, ResourceFormat, Unfit, all, resource};
use crate::v1::codec::bounds::Fault;
use crate::v1::{Create, Destroy, Launch, OfferOperation, OfferOperationBody, Reserve, TaskInfo};
use crate::v1::{ExecutorType, LaunchGroup, TaskGroupInfo, Unreserve};

impl From<&types::Operation> for OfferOperation {
    fn from(operation: &types::Operation) -> Self {
        let all = |resources| super::resources_for(resources, ResourceFormat::PostRefinement, None);
        let body = match operation {
            types::Operation::Launch { tasks } => OfferOperationBody::Launch(Launch {
                task_infos: tasks.iter().map(TaskInfo::from).collect(),
            }),
            types::Operation::LaunchGroup { executor, tasks } => {
                let tasks = tasks.iter().map(TaskInfo::from).collect();
                OfferOperationBody::LaunchGroup(Box::new(LaunchGroup {
                    executor: executor.into(),
                    task_group: TaskGroupInfo { tasks },
                }))
            }
            types::Operation::Reserve { resources } => OfferOperationBody::Reserve(Reserve {
                source: Vec::new(),
                resources: all(resources),
            }),
            types::Operation::Unreserve { resources } => OfferOperationBody::Unreserve(Unreserve {
                resources: all(resources),
            }),
            types::Operation::Create { volumes } => OfferOperationBody::Create(Create {
                volumes: all(volumes),
            }),
            types::Operation::Destroy { volumes } => OfferOperationBody::Destroy(Destroy {
                volumes: all(volumes),
            }),
        };
        body.into()
    }
}

impl TryFrom<OfferOperation> for types::Operation {
    type Error = Unfit;

    /// Without its `id`, of which there is no noun.
    fn try_from(message: OfferOperation) -> Result<Self, Unfit> {
        let wrong = |fault: Fault| Unfit::new(fault.field, fault.text);
        let resources = |messages, field| resource::resources(messages).at(field);
        Ok(match message.into_body().map_err(wrong)? {
            OfferOperationBody::Launch(launch) => types::Operation::Launch {
                tasks: all(launch.task_infos, types::TaskInfo::try_from).at("launch.task_infos")?,
            },
            OfferOperationBody::LaunchGroup(group) => launch_group(*group).at("launch_group")?,
            OfferOperationBody::Reserve(reserve) if reserve.source.is_empty() => {
                let resources = resources(reserve.resources, "reserve.resources")?;
                types::Operation::Reserve { resources }
            }
            OfferOperationBody::Unreserve(unreserve) => {
                let resources = resources(unreserve.resources, "unreserve.resources")?;
                types::Operation::Unreserve { resources }
            }
            OfferOperationBody::Create(create) => {
                let volumes = resources(create.volumes, "create.volumes")?;
                types::Operation::Create { volumes }
            }
            OfferOperationBody::Destroy(destroy) => {
                let volumes = resources(destroy.volumes, "destroy.volumes")?;
                types::Operation::Destroy { volumes }
            }
            OfferOperationBody::Reserve(_) => {
                return Err(Unfit::new(
                    "reserve.source",
                    "reservations are not changed here",
                ));
            }
            other @ (OfferOperationBody::GrowVolume(_)
            | OfferOperationBody::ShrinkVolume(_)
            | OfferOperationBody::CreateDisk(_)
            | OfferOperationBody::DestroyDisk(_)) => {
                let kind = other.kind();
                return Err(Unfit::new("type", format!("{kind} is not known here")));
            }
        })
    }
}

/// A group whose executor says whose program it is. A task may repeat that executor, as masters of
/// Apache Mesos do, and name no other.
fn launch_group(group: LaunchGroup) -> Result<types::Operation, Unfit> {
    let LaunchGroup {
        executor,
        task_group,
    } = group;
    match executor.kind {
        Some(ExecutorType::Default | ExecutorType::Custom) => {}
        Some(ExecutorType::Unknown) => {
            return Err(Unfit::new("executor.type", "Unknown executor type"));
        }
        None => {
            let text = "'ExecutorInfo.type' must be set";
            return Err(Unfit::new("executor.type", text));
        }
    }
    let member = |mut task: TaskInfo| {
        let other = task.executor.take().filter(|own| **own != executor);
        if other.is_some() {
            let text = format!(
                "The `ExecutorInfo` of task '{}' is different from executor '{}'",
                task.task_id.value, executor.executor_id.value
            );
            return Err(Unfit::new("executor", text));
        }
        types::TaskInfo::try_from(task)
    };
    let tasks = all(task_group.tasks, member).at("task_group.tasks")?;
    let executor = executor.try_into().at("executor")?;
    Ok(types::Operation::LaunchGroup { executor, tasks })
}
