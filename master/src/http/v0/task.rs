//! Tasks as the pages have them.

use api::v1;
use serde::Serialize;
use types::{Label, Task, TaskState, TaskStatus};

use super::flat::{Flat, seconds};
use crate::books::{Entry, Form};

/// A task.
#[derive(Debug, Serialize)]
pub(super) struct TaskView<'a> {
    id: &'a str,
    name: &'a str,
    framework_id: &'a str,
    /// Empty if it is a command.
    executor_id: &'a str,
    slave_id: &'a str,
    state: &'static str,
    resources: Flat<'a>,
    role: &'a str,
    statuses: Vec<StatusView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<v1::DiscoveryInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Box<v1::ContainerInfo>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<Box<v1::HealthCheck>>,
}

/// News of a task.
#[derive(Debug, Serialize)]
struct StatusView<'a> {
    state: &'static str,
    timestamp: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_status: Option<v1::ContainerStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
}

/// A task in JSON, which is written once for each of its changes at most.
pub(super) fn rendered(entry: &Entry) -> &[u8] {
    entry.rendered(Form::Page, |task| {
        serde_json::to_vec(&TaskView::from(task)).expect("a task has text keys only")
    })
}

/// The name of a state, as the public API has it.
pub(super) fn name(state: TaskState) -> &'static str {
    v1::TaskState::from(state).as_str()
}

impl<'a> From<&'a Task> for TaskView<'a> {
    fn from(task: &'a Task) -> Self {
        let mut view = Self {
            id: task.task_id.as_str(),
            name: &task.name,
            framework_id: task.framework_id.as_str(),
            executor_id: task.executor_id.as_ref().map_or("", |id| id.as_str()),
            slave_id: task.agent_id.as_str(),
            state: name(task.state),
            resources: Flat(&task.resources),
            role: task.role.as_str(),
            statuses: task.statuses.iter().map(StatusView::from).collect(),
            user: task.user.as_deref(),
            labels: task.labels.iter().collect(),
            discovery: task.discovery.as_ref().map(Into::into),
            container: None,
            health_check: None,
        };
        if !task.opaque.is_empty() {
            let message = v1::Task::from(task);
            view.container = message.container;
            view.health_check = message.health_check;
        }
        view
    }
}

impl<'a> From<&'a TaskStatus> for StatusView<'a> {
    fn from(status: &'a TaskStatus) -> Self {
        let known = status.container.is_some() || !status.opaque.is_empty();
        let container_status = known.then(|| v1::TaskStatus::from(status).container_status);
        let container_status = container_status
            .flatten()
            .map(|status| v1::ContainerStatus {
                executor_pid: None,
                ..status
            });
        Self {
            state: name(status.state),
            timestamp: seconds(status.timestamp_ms),
            labels: status.labels.iter().collect(),
            container_status,
            healthy: status.healthy,
        }
    }
}

/// How many tasks are in each of the states that are counted.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct Counts {
    task_staging: u64,
    task_starting: u64,
    task_running: u64,
    task_killing: u64,
    task_finished: u64,
    task_killed: u64,
    task_failed: u64,
    task_lost: u64,
    task_error: u64,
    task_unreachable: u64,
}

impl Counts {
    pub(super) fn add(&mut self, state: TaskState) {
        let count = match state {
            TaskState::Staging => &mut self.task_staging,
            TaskState::Starting => &mut self.task_starting,
            TaskState::Running => &mut self.task_running,
            TaskState::Killing => &mut self.task_killing,
            TaskState::Finished => &mut self.task_finished,
            TaskState::Killed => &mut self.task_killed,
            TaskState::Failed => &mut self.task_failed,
            TaskState::Error => &mut self.task_error,
            TaskState::Unreachable => &mut self.task_unreachable,
            // The original has no counts of these, and takes them for lost.
            TaskState::Lost
            | TaskState::Dropped
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => &mut self.task_lost,
        };
        *count += 1;
    }
}
