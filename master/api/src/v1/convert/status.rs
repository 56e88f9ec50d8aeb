//! News of tasks.

use std::net::IpAddr;

use super::{At, Unfit, discovery, from_opaque, optional, text, to_opaque};
use crate::v1::codec::macros::message;
use crate::v1::{CgroupInfo, CheckStatusInfo, ContainerId, ContainerStatus, NetworkInfo, Reason};
use crate::v1::{IpAddress, NetworkProtocol, StatusSource, TaskResourceLimitation, TaskStatus};

message! {
    /// What no noun has of a status, under the numbers it has in `TaskStatus`; what is of its
    /// container, under 32 and more.
    pub(super) struct StatusRest {
        15 check_status: Option<CheckStatusInfo>,
        16 limitation: Option<TaskResourceLimitation>,
        32 network_infos: Vec<NetworkInfo>,
        33 cgroup_info: Option<CgroupInfo>,
        34 parent: Option<Box<ContainerId>>,
    }
}

/// Adds to what a status keeps for the public API what a check of its task found.
pub fn add_check_status(opaque: &mut types::Opaque, found: CheckStatusInfo) {
    let rest: StatusRest = from_opaque(opaque);
    let rest = StatusRest {
        check_status: Some(found),
        ..rest
    };
    if let Ok(bytes) = to_opaque(&rest) {
        *opaque = bytes; // else it was as large as it may be before
    }
}

/// Adds to what a status keeps for the public API where its container is reached, unless that is
/// known.
pub fn add_address(opaque: &mut types::Opaque, address: IpAddr) {
    let mut rest: StatusRest = from_opaque(opaque);
    if !rest.network_infos.is_empty() {
        return;
    }
    let protocol = match address {
        IpAddr::V4(_) => NetworkProtocol::Ipv4,
        IpAddr::V6(_) => NetworkProtocol::Ipv6,
    };
    let address = IpAddress {
        protocol,
        ip_address: Some(address.to_string()),
    };
    rest.network_infos.push(NetworkInfo {
        ip_addresses: vec![address],
        ..NetworkInfo::default()
    });
    // What has no room for it does without.
    if let Ok(more) = to_opaque(&rest) {
        *opaque = more;
    }
}

impl From<&types::TaskStatus> for TaskStatus {
    fn from(status: &types::TaskStatus) -> Self {
        let rest: StatusRest = from_opaque(&status.opaque);
        let container = status.container.as_ref();
        let known = container.is_some() || !rest.network_infos.is_empty();
        let container_status = (known || rest.cgroup_info.is_some()).then(|| ContainerStatus {
            container_id: container
                .and_then(|c| c.container_id.as_ref())
                .map(|id| ContainerId {
                    value: id.to_string(),
                    parent: rest.parent,
                }),
            network_infos: rest.network_infos,
            cgroup_info: rest.cgroup_info,
            executor_pid: container.and_then(|container| container.pid),
        });
        Self {
            task_id: (&status.task_id).into(),
            state: status.state.into(),
            message: status.message.as_deref().and_then(text),
            source: Some(match status.source {
                types::Source::Master => StatusSource::Master,
                types::Source::Agent => StatusSource::Agent,
                types::Source::Executor => StatusSource::Executor,
            }),
            reason: status.reason.map(Reason::from),
            data: super::bytes(&status.data),
            agent_id: status.agent_id.as_ref().map(Into::into),
            executor_id: status.executor_id.as_ref().map(Into::into),
            timestamp: Some(status.timestamp_ms as f64 / 1_000.0),
            uuid: status.update_id.as_ref().map(super::update_bytes),
            healthy: status.healthy,
            check_status: rest.check_status,
            labels: discovery::labels(&status.labels),
            container_status,
            unreachable_time: status.unreachable_since_ms.map(super::time_info),
            limitation: rest.limitation,
        }
    }
}

impl TryFrom<TaskStatus> for types::TaskStatus {
    type Error = Unfit;

    /// A status that does not say whose it is, is the executor's; one that does not say when, is
    /// of 1970.
    fn try_from(message: TaskStatus) -> Result<Self, Unfit> {
        let mut rest = StatusRest {
            check_status: message.check_status,
            limitation: message.limitation,
            ..StatusRest::default()
        };
        let container = message.container_status.map(|status| {
            rest.network_infos = status.network_infos;
            rest.cgroup_info = status.cgroup_info;
            let container_id = status.container_id.map(|mut id| {
                rest.parent = id.parent.take();
                id.try_into()
            });
            let container_id = container_id.transpose().at("container_id")?;
            Ok::<_, Unfit>(types::ContainerStatus {
                container_id,
                pid: status.executor_pid,
            })
        });
        let update_id = message.uuid.as_deref().map(super::update_id);
        Ok(Self {
            task_id: message.task_id.try_into().at("task_id")?,
            state: message.state.into(),
            source: match message.source {
                Some(StatusSource::Master) => types::Source::Master,
                Some(StatusSource::Agent) => types::Source::Agent,
                Some(StatusSource::Executor) | None => types::Source::Executor,
            },
            reason: message.reason.map(types::Reason::from),
            message: message.message,
            agent_id: optional(message.agent_id, "agent_id")?,
            executor_id: optional(message.executor_id, "executor_id")?,
            // A cast of what is negative, or no number, gives zero.
            timestamp_ms: (message.timestamp.unwrap_or(0.0) * 1_000.0).round() as u64,
            update_id: update_id.transpose().at("uuid")?,
            data: message.data.map(Into::into).unwrap_or_default(),
            healthy: message.healthy,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
            container: container.transpose().at("container_status")?,
            exit_code: None,
            signal: None,
            unreachable_since_ms: message.unreachable_time.as_ref().map(super::time_ms),
            opaque: to_opaque(&rest).at("container_status")?,
        })
    }
}
