//! `/state`: all the agent knows, as Apache Mesos writes it, and a little more.
//!
//! `registered` and `used_resources_full` are ours: they say whether a master has the agent in its
//! books, and what those books should say of it.

use libproc::http::{Answer, Request};
use libproc::prelude::*;
use serde_json::{Map, Value, json};
use types::{AgentCapability, ExecutorInfo, ExecutorKind, FrameworkCapability, FrameworkId};
use types::{FrameworkInfo, Labels, Resources, Role, Task, TaskStatus};

use super::about::attributes;
use super::amounts::{amounts, in_full, reserved_amounts, reserved_in_full, unreserved};
use super::{PROCESS, page};
use crate::agent::Agent;
use crate::books::Executor;
use crate::history::{Completed, Past};

pub(super) fn serve(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    page(&request, &agent.state(ctx))
}

impl Agent {
    fn state(&self, ctx: &Context<Self>) -> Value {
        let total = &self.info.resources;
        let used = self.books.used();
        let past = |id: &FrameworkId| {
            let mut past = self.books.history.frameworks();
            past.find(|past| past.framework_id == *id)
        };
        let frameworks = self.books.frameworks().map(|(id, living)| {
            let executors: Vec<_> = living.executors.values().map(executor).collect();
            framework(id, &living.info, executors, past(id))
        });
        let completed = self.books.history.frameworks();
        let completed = completed.filter(|past| self.books.framework(&past.framework_id).is_none());
        let completed =
            completed.map(|past| framework(&past.framework_id, &past.info, Vec::new(), Some(past)));
        json!({
            "version": api::v1::VERSION,
            "tepui_version": api::VERSION,
            "start_time": self.started_ms as f64 / 1_000.0,
            "id": self.info.id.as_ref().map_or("", |id| id.as_str()),
            "pid": format!("{PROCESS}@{}", ctx.upid().address()),
            "hostname": self.info.hostname,
            "capabilities": capabilities(),
            "resources": amounts(total.iter()),
            "reserved_resources": reserved_amounts(total),
            "unreserved_resources": amounts(unreserved(total)),
            "reserved_resources_full": reserved_in_full(total),
            "unreserved_resources_full": in_full(unreserved(total)),
            "reserved_resources_allocated": reserved_amounts(used),
            "unreserved_resources_allocated": amounts(unreserved(used)),
            "resource_providers": [],
            "attributes": attributes(&self.info.attributes),
            "master_hostname": self.leader.as_ref().map(|leader| leader.address().ip()),
            "flags": self.flags(),
            "frameworks": frameworks.collect::<Vec<_>>(),
            "completed_frameworks": completed.collect::<Vec<_>>(),
            "registered": self.registration.is_registered(),
            "used_resources_full": used.to_json(),
        })
    }
}

/// What agents of this version can do.
fn capabilities() -> Vec<String> {
    let names = [
        AgentCapability::MultiRole,
        AgentCapability::HierarchicalRole,
        AgentCapability::ReservationRefinement,
    ];
    let name = |capability| {
        let kind = api::v1::AgentCapability::from(capability).kind;
        kind.map_or("UNKNOWN", |kind| kind.as_str()).to_owned()
    };
    names.into_iter().map(name).collect()
}

fn framework(
    id: &FrameworkId,
    info: &FrameworkInfo,
    executors: Vec<Value>,
    past: Option<&Past>,
) -> Value {
    let ended = past.into_iter().flat_map(|past| past.executors.iter());
    let mut page = json!({
        "id": id,
        "name": info.name,
        "user": info.user.as_deref().unwrap_or_default(),
        "failover_timeout": info.failover_timeout.as_secs_f64(),
        "checkpoint": info.checkpoint,
        "hostname": info.hostname.as_deref().unwrap_or_default(),
        "executors": executors,
        "completed_executors": ended.map(completed).collect::<Vec<_>>(),
    });
    if let Some(principal) = &info.principal {
        page["principal"] = json!(principal);
    }
    match info.has(FrameworkCapability::MultiRole) {
        true => page["roles"] = json!(info.roles),
        false => page["role"] = json!(info.roles.first().map_or("*", Role::as_str)),
    }
    page
}

fn executor(executor: &Executor) -> Value {
    let waits = |task: &&Task| {
        let mut queued = executor.queued.iter();
        queued.any(|(_, batch)| batch.has(&task.task_id))
    };
    let (queued, launched): (Vec<_>, Vec<_>) = executor.tasks.values().partition(waits);
    let mut used = executor.info.resources.clone();
    let living = executor.tasks.values();
    for task in living.filter(|task| !task.state.is_terminal()) {
        used += &task.resources;
    }
    let mut page = describe(&executor.info, &used, &executor.role());
    page["container"] = json!(executor.container_id);
    page["directory"] = json!(executor.sandbox);
    page["tasks"] = launched.into_iter().map(task).collect();
    page["queued_tasks"] = queued.into_iter().map(task).collect();
    page["completed_tasks"] = executor.ended.iter().map(task).collect();
    page
}

fn completed(executor: &Completed) -> Value {
    let info = &executor.info;
    let mut page = describe(info, &info.resources, &executor.role());
    page["container"] = json!(executor.container_id);
    page["directory"] = json!(executor.sandbox);
    page["tasks"] = json!([]);
    page["queued_tasks"] = json!([]);
    page["completed_tasks"] = executor.tasks.iter().map(task).collect();
    page
}

fn describe(info: &ExecutorInfo, used: &Resources, role: &Role) -> Value {
    let mut page = json!({
        "id": info.executor_id,
        "name": info.name,
        "source": info.source,
        "resources": amounts(used.iter()),
        "role": role,
    });
    match info.kind {
        ExecutorKind::Command => {}
        ExecutorKind::Default => page["type"] = json!("DEFAULT"),
        ExecutorKind::Custom => page["type"] = json!("CUSTOM"),
    }
    add_labels(&mut page, &info.labels);
    page
}

fn task(task: &Task) -> Value {
    let public = api::v1::Task::from(task);
    let executor_id = task.executor_id.as_ref();
    let mut page = json!({
        "id": task.task_id,
        "name": task.name,
        "framework_id": task.framework_id,
        "executor_id": executor_id.map_or("", |id| id.as_str()),
        "slave_id": task.agent_id,
        "state": task.state.to_string(),
        "resources": amounts(task.resources.iter()),
        "role": task.role,
        "statuses": task.statuses.iter().map(status).collect::<Vec<_>>(),
    });
    add_labels(&mut page, &task.labels);
    if let Some(discovery) = &public.discovery {
        page["discovery"] = json!(discovery);
    }
    if let Some(container) = &public.container {
        page["container"] = json!(container);
    }
    page
}

fn status(status: &TaskStatus) -> Value {
    let public = api::v1::TaskStatus::from(status);
    let mut page = Map::from_iter([
        ("state".to_owned(), json!(status.state.to_string())),
        ("timestamp".to_owned(), json!(public.timestamp)),
    ]);
    if let Some(healthy) = status.healthy {
        page.insert("healthy".to_owned(), json!(healthy));
    }
    if let Some(mut container) = public.container_status {
        container.executor_pid = None;
        page.insert("container_status".to_owned(), json!(container));
    }
    let mut page = Value::Object(page);
    add_labels(&mut page, &status.labels);
    page
}

fn add_labels(page: &mut Value, labels: &Labels) {
    if !labels.is_empty() {
        let label = |label: &types::Label| match &label.value {
            Some(value) => json!({"key": label.key, "value": value}),
            None => json!({"key": label.key}),
        };
        page["labels"] = labels.iter().map(label).collect();
    }
}
