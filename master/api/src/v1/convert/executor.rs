//! Executors.

use types::ExecutorKind;

use super::{At, Unfit, discovery, from_opaque, optional, to_opaque};
use crate::v1::codec::macros::message;
use crate::v1::{ContainerInfo, DiscoveryInfo, ExecutorInfo, ExecutorType};

message! {
    /// What no noun has of an executor, under the numbers it has in `ExecutorInfo`.
    pub(super) struct ExecutorRest {
        11 container: Option<Box<ContainerInfo>>,
        12 discovery: Option<DiscoveryInfo>,
    }
}

impl From<&types::ExecutorInfo> for ExecutorInfo {
    fn from(executor: &types::ExecutorInfo) -> Self {
        let rest: ExecutorRest = from_opaque(&executor.opaque);
        let resources = &executor.resources;
        Self {
            kind: match executor.kind {
                ExecutorKind::Command => None,
                ExecutorKind::Default => Some(ExecutorType::Default),
                ExecutorKind::Custom => Some(ExecutorType::Custom),
            },
            executor_id: (&executor.executor_id).into(),
            framework_id: executor.framework_id.as_ref().map(Into::into),
            command: executor.command.as_ref().map(Into::into),
            container: rest.container,
            resources: super::resources_for(resources, super::ResourceFormat::PostRefinement, None),
            name: super::text(&executor.name),
            source: super::text(&executor.source),
            data: super::bytes(&executor.data),
            discovery: rest.discovery.map(Box::new),
            shutdown_grace_period: executor.shutdown_grace.map(Into::into),
            labels: discovery::labels(&executor.labels),
        }
    }
}

impl TryFrom<ExecutorInfo> for types::ExecutorInfo {
    type Error = Unfit;

    /// An executor that does not say whose program it is, is the framework's.
    fn try_from(message: ExecutorInfo) -> Result<Self, Unfit> {
        let rest = ExecutorRest {
            container: message.container,
            discovery: message.discovery.map(|discovery| *discovery),
        };
        Ok(Self {
            executor_id: message.executor_id.try_into().at("executor_id")?,
            framework_id: optional(message.framework_id, "framework_id")?,
            kind: match message.kind {
                Some(ExecutorType::Default) => ExecutorKind::Default,
                Some(ExecutorType::Custom | ExecutorType::Unknown) | None => ExecutorKind::Custom,
            },
            command: optional(message.command, "command")?,
            resources: super::resource::resources(message.resources).at("resources")?,
            name: message.name.unwrap_or_default(),
            source: message.source.unwrap_or_default(),
            data: message.data.map(Into::into).unwrap_or_default(),
            shutdown_grace: optional(message.shutdown_grace_period, "shutdown_grace_period")?,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
            opaque: to_opaque(&rest).at("container")?,
        })
    }
}
