//! Taking a task: whether it can run here, and what has to be started for it.

use std::collections::{BTreeMap, HashMap};

use api::executor::Executing;
use libproc::Pid;
use types::{ContainerId, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkId, FrameworkInfo};
use types::{ResourceQuantities, Resources, Role, Task, TaskInfo};

use super::{Books, Executor, Framework, Phase};

/// What to do with a task that was taken into the books.
#[derive(Debug, PartialEq)]
pub(crate) enum Admission {
    /// Start its executor, in the container that was given.
    Start(ExecutorId),
    /// It waits for its executor to register.
    Wait,
    /// Hand it to its executor.
    Send(Pid<Executing>),
}

/// Why a task is not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The task is here already; whatever was said of it would be said of that one.
    #[error("the task is on the agent already")]
    Duplicate,
    /// Nobody wants to know any more.
    #[error("the framework is being shut down")]
    FrameworkEnding,
    #[error("{0}")]
    Invalid(String),
    #[error("the executor is ending")]
    ExecutorEnding,
    #[error("the task asks for {asked}, of which the agent has only {free} free")]
    NotEnough { asked: Resources, free: Resources },
}

impl Books {
    /// Takes a task into the books.
    ///
    /// # Errors
    /// When it cannot run here. The books are as before.
    pub(crate) fn admit(
        &mut self,
        framework: &FrameworkInfo,
        framework_id: &FrameworkId,
        task: &TaskInfo,
        role: Role,
        container_id: &ContainerId,
    ) -> Result<Admission, Refusal> {
        let executor = executor_for(framework_id, task)?;
        let executor_id = executor.executor_id.clone();
        let known = self.frameworks.get(framework_id);
        if known.is_some_and(|known| known.ending) {
            return Err(Refusal::FrameworkEnding);
        }
        if known.is_some_and(|known| known.tasks.contains_key(&task.task_id)) {
            return Err(Refusal::Duplicate);
        }
        let running = known.and_then(|known| known.executors.get(&executor_id));
        if let Some(running) = running {
            if running.info.kind != executor.kind {
                let text = format!("an executor {executor_id} of another kind is running");
                return Err(Refusal::Invalid(text));
            }
            // That of a command lives for one task, whose id is free again before it has gone.
            let done = running.info.kind == ExecutorKind::Command;
            if done || matches!(running.phase, Phase::Ending | Phase::Gone) {
                return Err(Refusal::ExecutorEnding);
            }
        }
        let mut needed = task.resources.clone();
        if running.is_none() {
            needed += &executor.resources;
        }
        self.check_free(&needed)?;
        self.used += &needed;
        let user = user_of(framework, task).map(str::to_owned);
        let record = Task::staging(task, framework_id.clone(), role, user);
        Ok(self.enter(
            framework,
            framework_id,
            task,
            executor,
            record,
            container_id,
        ))
    }

    fn enter(
        &mut self,
        framework: &FrameworkInfo,
        framework_id: &FrameworkId,
        task: &TaskInfo,
        info: ExecutorInfo,
        record: Task,
        container_id: &ContainerId,
    ) -> Admission {
        let entry = self
            .frameworks
            .entry(framework_id.clone())
            .or_insert_with(|| Framework {
                info: framework.clone(),
                executors: BTreeMap::new(),
                ending: false,
                tasks: HashMap::new(),
            });
        entry.info = framework.clone();
        let executor_id = info.executor_id.clone();
        entry
            .tasks
            .insert(task.task_id.clone(), executor_id.clone());
        let mut admission = Admission::Wait;
        let executor = entry
            .executors
            .entry(executor_id.clone())
            .or_insert_with(|| {
                admission = Admission::Start(executor_id.clone());
                Executor::starting(info, container_id.clone())
            });
        executor.tasks.insert(task.task_id.clone(), record);
        match &executor.process {
            Some(process) => admission = Admission::Send(process.clone()),
            // A command executor is started with its task and never waits for it.
            None if executor.info.kind == ExecutorKind::Custom => {
                executor.queued.push_back(task.clone());
            }
            None => {}
        }
        if matches!(admission, Admission::Start(_)) {
            let whose = (framework_id.clone(), executor_id);
            self.containers.insert(container_id.clone(), whose);
        }
        admission
    }

    /// Compares amounts and ports, not reservations: those the master may have made meanwhile.
    fn check_free(&self, needed: &Resources) -> Result<(), Refusal> {
        let mut wanted = ResourceQuantities::from(&self.used);
        wanted += needed;
        let (ports, used_ports) = (needed.total_ports(), self.used.total_ports());
        let enough = ResourceQuantities::from(&self.total).contains(&wanted)
            && self.total.total_ports().contains(&ports)
            && used_ports.intersect(&ports).is_empty();
        if enough {
            return Ok(());
        }
        let (asked, free) = (needed.clone(), &self.total - &self.used);
        Err(Refusal::NotEnough { asked, free })
    }
}

/// The user a task is to run as, if anybody says.
pub(crate) fn user_of<'a>(framework: &'a FrameworkInfo, task: &'a TaskInfo) -> Option<&'a str> {
    let executor = task
        .executor
        .as_ref()
        .and_then(|executor| executor.command.as_ref());
    let command = task.command.as_ref().or(executor);
    let user = command.and_then(|command| command.user.as_deref());
    user.or(framework.user.as_deref())
        .filter(|user| !user.is_empty())
}

/// The executor of a task: its framework's own, or ours for its command.
fn executor_for(framework_id: &FrameworkId, task: &TaskInfo) -> Result<ExecutorInfo, Refusal> {
    task.validate(framework_id, &task.agent_id)
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    let mut executor = match &task.executor {
        Some(executor) if executor.kind == ExecutorKind::Custom => executor.clone(),
        Some(executor) => {
            let text = format!("executors of kind {:?} are not for tasks", executor.kind);
            return Err(Refusal::Invalid(text));
        }
        None => command_executor(task)?,
    };
    executor.framework_id = Some(framework_id.clone());
    Ok(executor)
}

/// Describes our executor of a command. It has the id of its task, and is not charged for.
fn command_executor(task: &TaskInfo) -> Result<ExecutorInfo, Refusal> {
    let executor_id = ExecutorId::new(task.task_id.as_str())
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    let command = task.command.clone().unwrap_or_default();
    Ok(ExecutorInfo {
        kind: ExecutorKind::Command,
        command: None,
        name: format!("Command Executor (Task: {})", task.task_id),
        source: task.task_id.to_string(),
        labels: task.labels.clone(),
        ..ExecutorInfo::custom(executor_id, command)
    })
}
