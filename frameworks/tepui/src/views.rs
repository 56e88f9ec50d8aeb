//! What `--json` prints: stable names, ids whole, times in milliseconds since 1970.

use std::collections::BTreeMap;

use api::master::{AgentSummary, FrameworkSummary, MasterSummary, TaskSummary};
use serde::Serialize;
use serde_json::{Number, Value as Json};
use types::{AttributeValue, Attributes, Resources, TaskStatus, Value};

use crate::masters::OneOf;

/// Amounts by name as numbers, ranges and sets as text; reservations are summed up.
pub(crate) fn resources(resources: &Resources) -> BTreeMap<String, Json> {
    let mut view = BTreeMap::new();
    for resource in resources {
        let name = resource.name.to_string();
        let value = match &resource.value {
            Value::Scalar(_) => number(resources.scalar(&resource.name).as_f64()),
            Value::Ranges(_) if name == "ports" => {
                Json::String(resources.total_ports().to_string())
            }
            Value::Ranges(_) | Value::Set(_) => Json::String(resource.value.to_string()),
        };
        view.insert(name, value);
    }
    view
}

/// A number as people write it: whole ones without a fraction.
fn number(number: f64) -> Json {
    if number.fract() == 0.0 {
        return Json::Number(Number::from(number as i64));
    }
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}

fn attributes(attributes: &Attributes) -> BTreeMap<String, Json> {
    let view = attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            AttributeValue::Scalar(scalar) => number(scalar.as_f64()),
            AttributeValue::Text(_) | AttributeValue::Ranges(_) => {
                Json::String(attribute.value.to_string())
            }
        };
        (attribute.name.clone(), value)
    });
    view.collect()
}

/// A master.
#[derive(Debug, Serialize)]
pub(crate) struct MasterView {
    id: String,
    address: String,
    hostname: String,
    version: String,
    started_ms: u64,
    agents: u64,
    frameworks: u64,
    tasks: u64,
    total: BTreeMap<String, Json>,
    used: BTreeMap<String, Json>,
    /// All masters of its ensemble; none where it is of none.
    masters: Vec<OneOfView>,
}

/// One of several masters.
#[derive(Debug, Serialize)]
struct OneOfView {
    address: String,
    state: &'static str,
}

impl MasterView {
    /// The master, and those of its ensemble.
    pub(crate) fn among(self, masters: &[OneOf]) -> MasterView {
        let masters = masters.iter().map(|master| OneOfView {
            address: master.address.to_string(),
            state: master.role.word(),
        });
        MasterView {
            masters: masters.collect(),
            ..self
        }
    }
}

impl From<&MasterSummary> for MasterView {
    fn from(master: &MasterSummary) -> Self {
        MasterView {
            id: master.info.id.clone(),
            address: master.info.address.clone(),
            hostname: master.info.hostname.clone(),
            version: master.info.version.clone(),
            started_ms: master.started_ms,
            agents: master.agents,
            frameworks: master.frameworks,
            tasks: master.tasks,
            total: resources(&master.total),
            used: resources(&master.used),
            masters: Vec::new(),
        }
    }
}

/// An agent.
#[derive(Debug, Serialize)]
pub(crate) struct AgentView {
    id: String,
    hostname: String,
    address: String,
    state: String,
    total: BTreeMap<String, Json>,
    used: BTreeMap<String, Json>,
    offered: BTreeMap<String, Json>,
    attributes: BTreeMap<String, Json>,
    tasks: u64,
    registered_ms: u64,
}

impl From<&AgentSummary> for AgentView {
    fn from(agent: &AgentSummary) -> Self {
        AgentView {
            id: agent.agent_id.to_string(),
            hostname: agent.hostname.clone(),
            address: agent.pid.upid().address().to_string(),
            state: format!("{:?}", agent.state).to_ascii_lowercase(),
            total: resources(&agent.total),
            used: resources(&agent.used),
            offered: resources(&agent.offered),
            attributes: attributes(&agent.attributes),
            tasks: agent.tasks,
            registered_ms: agent.registered_ms,
        }
    }
}

/// A framework.
#[derive(Debug, Serialize)]
pub(crate) struct FrameworkView {
    id: String,
    name: String,
    user: Option<String>,
    roles: Vec<String>,
    state: String,
    pid: Option<String>,
    used: BTreeMap<String, Json>,
    offered: BTreeMap<String, Json>,
    tasks: u64,
    registered_ms: u64,
}

impl From<&FrameworkSummary> for FrameworkView {
    fn from(framework: &FrameworkSummary) -> Self {
        let info = &framework.info;
        FrameworkView {
            id: info
                .id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            name: info.name.clone(),
            user: info.user.clone(),
            roles: info.roles.iter().map(ToString::to_string).collect(),
            state: format!("{:?}", framework.state).to_ascii_lowercase(),
            pid: framework.pid.as_ref().map(ToString::to_string),
            used: resources(&framework.used),
            offered: resources(&framework.offered),
            tasks: framework.tasks,
            registered_ms: framework.registered_ms,
        }
    }
}

/// A task.
#[derive(Debug, Serialize)]
pub(crate) struct TaskView {
    id: String,
    name: String,
    framework_id: String,
    framework: String,
    agent_id: String,
    hostname: String,
    agent: Option<String>,
    role: String,
    user: Option<String>,
    state: String,
    reason: Option<String>,
    message: Option<String>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    resources: BTreeMap<String, Json>,
    statuses: Vec<StatusView>,
}

/// A status of a task.
#[derive(Debug, Serialize)]
struct StatusView {
    state: String,
    timestamp_ms: u64,
}

impl From<&TaskSummary> for TaskView {
    fn from(summary: &TaskSummary) -> Self {
        let task = &summary.task;
        let last = task.statuses.last();
        let status = |status: &TaskStatus| StatusView {
            state: status.state.to_string(),
            timestamp_ms: status.timestamp_ms,
        };
        TaskView {
            id: task.task_id.to_string(),
            name: task.name.clone(),
            framework_id: task.framework_id.to_string(),
            framework: summary.framework.clone(),
            agent_id: task.agent_id.to_string(),
            hostname: summary.hostname.clone(),
            agent: summary
                .agent
                .as_ref()
                .map(|pid| pid.upid().address().to_string()),
            role: task.role.to_string(),
            user: task.user.clone(),
            state: task.state.to_string(),
            reason: last
                .and_then(|last| last.reason)
                .map(|reason| reason.to_string()),
            message: last.and_then(|last| last.message.clone()),
            exit_code: last.and_then(|last| last.exit_code),
            signal: last.and_then(|last| last.signal),
            resources: resources(&task.resources),
            statuses: task.statuses.iter().map(status).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_an_object_with_reservations_summed_up() {
        let all = "cpus:1.5;cpus(a):1;mem:100;ports:[1-2];ports(a):[5-6];zones:{x,y}";
        let view = serde_json::to_value(resources(&all.parse().unwrap())).unwrap();
        let expected = serde_json::json!({
            "cpus": 2.5, "mem": 100, "ports": "[1-2, 5-6]", "zones": view["zones"],
        });
        assert_eq!(view, expected);
    }
}
