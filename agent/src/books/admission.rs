//! Taking a task: whether it can run here, and what has to be started for it.

use std::collections::{BTreeMap, HashMap};

use api::agent::TaskOf;
use api::executor::Executing;
use libproc::Pid;
use types::{CommandInfo, ContainerId, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkId};
use types::{FrameworkInfo, ResourceQuantities, Resources, Role, Task, TaskInfo};

use super::{Batch, Books, Executor, Framework, Phase};
use crate::checkpoints::Key;

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
    #[error("Task was received while agent was already draining")]
    Draining,
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
        let needed = self.needed(framework_id, &executor, std::slice::from_ref(task))?;
        self.used += &needed;
        let own = task.executor.as_ref().and_then(|own| own.command.as_ref());
        let user = user_of(framework, task.command.as_ref().or(own)).map(str::to_owned);
        let record = Task::staging(task, framework_id.clone(), role, user);
        let batch = Batch::Task(task.clone());
        Ok(self.enter(framework, executor, batch, vec![record], container_id))
    }

    /// Takes a group of tasks into the books, all of it.
    ///
    /// # Errors
    /// When it cannot run here. The books are as before.
    pub(crate) fn admit_group(
        &mut self,
        framework: &FrameworkInfo,
        framework_id: &FrameworkId,
        (executor, tasks): (ExecutorInfo, Vec<TaskInfo>),
        role: &Role,
        container_id: &ContainerId,
    ) -> Result<Admission, Refusal> {
        let invalid = |error: types::InvalidInfo| Refusal::Invalid(error.to_string());
        executor.validate(framework_id).map_err(invalid)?;
        for task in &tasks {
            let checked = task.validate_in_group(&executor, &task.agent_id);
            checked.map_err(invalid)?;
        }
        let user = group_user(framework, &executor, &tasks)?.map(str::to_owned);
        let executor = ExecutorInfo {
            framework_id: Some(framework_id.clone()),
            ..executor
        };
        let needed = self.needed(framework_id, &executor, &tasks)?;
        self.used += &needed;
        let record = |task: &TaskInfo| {
            let (framework_id, role) = (framework_id.clone(), role.clone());
            Task::staging_under(
                &executor.executor_id,
                task,
                framework_id,
                role,
                user.clone(),
            )
        };
        let records = tasks.iter().map(record).collect();
        let batch = Batch::Group(tasks);
        Ok(self.enter(framework, executor, batch, records, container_id))
    }

    /// What tasks need of what is free, with their executor if that is not there yet.
    fn needed(
        &self,
        framework_id: &FrameworkId,
        executor: &ExecutorInfo,
        tasks: &[TaskInfo],
    ) -> Result<Resources, Refusal> {
        let executor_id = &executor.executor_id;
        let known = self.frameworks.get(framework_id);
        if known.is_some_and(|known| known.ending) {
            return Err(Refusal::FrameworkEnding);
        }
        let here = |task: &TaskInfo| known.is_some_and(|f| f.tasks.contains_key(&task.task_id));
        if tasks.iter().any(here) {
            return Err(Refusal::Duplicate);
        }
        let running = known.and_then(|known| known.executors.get(executor_id));
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
        let mut needed: Resources = tasks.iter().map(|task| &task.resources).sum();
        if running.is_none() {
            needed += &executor.resources;
        }
        self.check_free(&needed)?;
        Ok(needed)
    }

    /// Writes tasks down, with their executor, whose framework is known.
    fn enter(
        &mut self,
        framework: &FrameworkInfo,
        info: ExecutorInfo,
        batch: Batch,
        records: Vec<Task>,
        container_id: &ContainerId,
    ) -> Admission {
        let framework_id = info.framework_id.clone();
        let framework_id = framework_id.expect("it was set when the tasks were checked");
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
        self.changed.insert(Key::Framework(framework_id.clone()));
        let executor_id = info.executor_id.clone();
        for record in &records {
            let task_id = record.task_id.clone();
            entry.tasks.insert(task_id.clone(), executor_id.clone());
            let framework_id = framework_id.clone();
            let of = TaskOf {
                framework_id,
                task_id,
            };
            self.changed.insert(Key::Task(of));
        }
        let mut admission = Admission::Wait;
        let executor = entry
            .executors
            .entry(executor_id.clone())
            .or_insert_with(|| {
                admission = Admission::Start(executor_id.clone());
                Executor::starting(info, container_id.clone())
            });
        let named = records.into_iter();
        let named = named.map(|record| (record.task_id.clone(), record));
        executor.tasks.extend(named);
        match &executor.process {
            Some(process) => admission = Admission::Send(process.clone()),
            // A command executor is started with its task and never waits for it.
            None if executor.info.kind != ExecutorKind::Command => {
                self.batches += 1;
                executor.queued.push_back((self.batches, batch));
            }
            None => {}
        }
        if matches!(admission, Admission::Start(_)) {
            let whose = (framework_id, executor_id);
            self.changed
                .insert(Key::Executor(whose.0.clone(), whose.1.clone()));
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

/// The user a command is to run as, if anybody says.
pub(crate) fn user_of<'a>(
    framework: &'a FrameworkInfo,
    command: Option<&'a CommandInfo>,
) -> Option<&'a str> {
    let user = command.and_then(|command| command.user.as_deref());
    user.or(framework.user.as_deref())
        .filter(|user| !user.is_empty())
}

/// The user a group is to run as, if anybody says: all its tasks the same, for they share a sandbox
/// and an executor.
fn group_user<'a>(
    framework: &'a FrameworkInfo,
    executor: &'a ExecutorInfo,
    tasks: &'a [TaskInfo],
) -> Result<Option<&'a str>, Refusal> {
    if executor.kind == ExecutorKind::Custom {
        // What it does with its tasks is its own affair.
        return Ok(user_of(framework, executor.command.as_ref()));
    }
    let mut users = tasks
        .iter()
        .map(|task| user_of(framework, task.command.as_ref()));
    let first = users.next().flatten();
    match users.all(|user| user == first) {
        true => Ok(first),
        false => Err(Refusal::Invalid(
            "the tasks of a group run as one user".to_owned(),
        )),
    }
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
