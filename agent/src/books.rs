//! The books of an agent: frameworks, their executors, their tasks, and what these use.
//!
//! Plain data and the rules that change it, without clock or sockets: what an agent has to know
//! to go on after a restart is all in here.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;

use api::agent::TaskOf;
use api::executor::Executing;
use libproc::Pid;
use types::{ContainerId, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkId, FrameworkInfo};
use types::{Reason, ResourceQuantities, Resources, Role, Task, TaskId, TaskInfo, TaskState};
use types::TaskStatus;

use crate::history::{Completed, History};

/// Everything an agent knows of what runs on it.
#[derive(Debug)]
pub(crate) struct Books {
    total: Resources,
    used: Resources,
    frameworks: BTreeMap<FrameworkId, Framework>,
    /// Whose container it is, of those that have not ended.
    containers: HashMap<ContainerId, (FrameworkId, ExecutorId)>,
    pub(crate) history: History,
}

/// A framework that has executors here.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) info: FrameworkInfo,
    pub(crate) executors: BTreeMap<ExecutorId, Executor>,
    /// It is gone for good, and so will be its executors.
    pub(crate) ending: bool,
    /// Which executor has the task.
    tasks: HashMap<TaskId, ExecutorId>,
}

/// An executor, and its tasks that have not ended or whose end is not acknowledged.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) info: ExecutorInfo,
    pub(crate) container_id: ContainerId,
    pub(crate) sandbox: PathBuf,
    pub(crate) phase: Phase,
    /// Where it is reached, once it has registered.
    pub(crate) process: Option<Pid<Executing>>,
    /// The operating system process that leads its container.
    pub(crate) os_pid: Option<u32>,
    /// What to say of its tasks when it has ended, if that is known.
    pub(crate) fate: Option<Fate>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Tasks for when it registers, in the order they came.
    pub(crate) queued: VecDeque<TaskInfo>,
    /// The last of its tasks that are over and acknowledged.
    pub(crate) ended: VecDeque<Task>,
}

/// Where an executor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was launched and has not registered.
    Starting,
    /// It has registered.
    Running,
    /// It was told to end.
    Ending,
    /// It has ended; its tasks wait to be acknowledged.
    Gone,
}

/// How tasks end whose executor ends before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) state: TaskState,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

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

/// Why an executor cannot register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotExpected {
    #[error("the agent knows no such executor")]
    Unknown,
    #[error("another executor has that id")]
    Taken,
    #[error("the executor is to end")]
    Ending,
}

/// What to do about a task that is to be killed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Killing {
    /// The agent has no such task.
    Unknown,
    /// It has ended, or is bound to: its news is on its way.
    Ending,
    /// It never reached its executor, and never will.
    Dequeued,
    /// Its executor has not registered and exists for it alone: end that.
    Destroy(ContainerId),
    /// Its executor is to do it.
    Tell(Pid<Executing>),
}

/// An executor that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) framework_id: FrameworkId,
    pub(crate) executor_id: ExecutorId,
    pub(crate) kind: ExecutorKind,
    pub(crate) fate: Option<Fate>,
    /// Its tasks that have not ended. None of a framework that is gone: nobody wants to know.
    pub(crate) tasks: Vec<TaskId>,
    pub(crate) sandbox: PathBuf,
}

impl Books {
    pub(crate) fn new(total: Resources) -> Books {
        Books {
            total,
            used: Resources::new(),
            frameworks: BTreeMap::new(),
            containers: HashMap::new(),
            history: History::default(),
        }
    }

    /// The frameworks that have executors here.
    pub(crate) fn frameworks(&self) -> impl Iterator<Item = (&FrameworkId, &Framework)> + Clone {
        self.frameworks.iter()
    }

    pub(crate) fn framework(&self, framework_id: &FrameworkId) -> Option<&Framework> {
        self.frameworks.get(framework_id)
    }

    /// What tasks and executors use.
    pub(crate) fn used(&self) -> &Resources {
        &self.used
    }

    /// All containers that have not ended.
    pub(crate) fn containers(&self) -> Vec<ContainerId> {
        let mut containers: Vec<_> = self.containers.keys().cloned().collect();
        containers.sort();
        containers
    }

    pub(crate) fn executor(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&Executor> {
        self.frameworks.get(framework_id)?.executors.get(executor_id)
    }

    pub(crate) fn executor_mut(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&mut Executor> {
        self.frameworks.get_mut(framework_id)?.executors.get_mut(executor_id)
    }

    /// The executor in a container that has not ended.
    pub(crate) fn in_container(&mut self, container_id: &ContainerId) -> Option<&mut Executor> {
        let (framework_id, executor_id) = self.containers.get(container_id)?.clone();
        self.executor_mut(&framework_id, &executor_id)
    }

    /// The executor that has a task.
    pub(crate) fn executor_of(&self, of: &TaskOf) -> Option<(&ExecutorId, &Executor)> {
        let framework = self.frameworks.get(&of.framework_id)?;
        let executor_id = framework.tasks.get(&of.task_id)?;
        framework.executors.get_key_value(executor_id)
    }

    pub(crate) fn task(&self, of: &TaskOf) -> Option<&Task> {
        self.executor_of(of)?.1.tasks.get(&of.task_id)
    }

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
            match (running.phase, running.info.kind, executor.kind) {
                (_, ExecutorKind::Custom, ExecutorKind::Custom) => {}
                (_, _, _) => {
                    let text = format!("an executor {executor_id} of another kind is running");
                    return Err(Refusal::Invalid(text));
                }
            }
            if matches!(running.phase, Phase::Ending | Phase::Gone) {
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
        Ok(self.enter(framework, framework_id, task, executor, record, container_id))
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
        let entry = self.frameworks.entry(framework_id.clone()).or_insert_with(|| Framework {
            info: framework.clone(),
            executors: BTreeMap::new(),
            ending: false,
            tasks: HashMap::new(),
        });
        entry.info = framework.clone();
        let executor_id = info.executor_id.clone();
        entry.tasks.insert(task.task_id.clone(), executor_id.clone());
        let mut admission = Admission::Wait;
        let executor = entry.executors.entry(executor_id.clone()).or_insert_with(|| {
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

    /// An executor has registered; what comes back are the tasks that waited for it, or none when
    /// it had registered before.
    ///
    /// # Errors
    /// When it is not one that the agent waits for.
    pub(crate) fn register(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        container_id: &ContainerId,
        process: Pid<Executing>,
    ) -> Result<Option<Vec<TaskInfo>>, NotExpected> {
        let executor = self.executor_mut(framework_id, executor_id);
        let executor = executor.ok_or(NotExpected::Unknown)?;
        if executor.container_id != *container_id {
            return Err(NotExpected::Unknown);
        }
        match executor.phase {
            Phase::Starting => {
                executor.phase = Phase::Running;
                executor.process = Some(process);
                Ok(Some(std::mem::take(&mut executor.queued).into()))
            }
            Phase::Running if executor.process.as_ref() == Some(&process) => Ok(None),
            Phase::Running => Err(NotExpected::Taken),
            Phase::Ending | Phase::Gone => Err(NotExpected::Ending),
        }
    }

    /// Notes a status of a task; false when the task cannot be in that state.
    pub(crate) fn record(&mut self, of: &TaskOf, status: &TaskStatus) -> bool {
        let Some(executor_id) = self.executor_of(of).map(|(id, _)| id.clone()) else {
            return false;
        };
        let executor = self.executor_mut(&of.framework_id, &executor_id);
        let Some(task) = executor.and_then(|executor| executor.tasks.get_mut(&of.task_id)) else {
            return false;
        };
        if !task.state.may_become(status.state) {
            return false;
        }
        task.state = status.state;
        task.remember(status);
        if status.state.is_terminal() {
            let resources = task.resources.clone();
            self.used -= &resources;
        }
        true
    }

    /// Decides how a task is killed, and notes it.
    pub(crate) fn kill(&mut self, of: &TaskOf) -> Killing {
        let Some(executor_id) = self.executor_of(of).map(|(id, _)| id.clone()) else {
            return Killing::Unknown;
        };
        let Some(executor) = self.executor_mut(&of.framework_id, &executor_id) else {
            return Killing::Unknown;
        };
        if executor.tasks.get(&of.task_id).is_none_or(|task| task.state.is_terminal()) {
            return Killing::Ending;
        }
        match (executor.phase, &executor.process) {
            (Phase::Running, Some(process)) => Killing::Tell(process.clone()),
            (Phase::Starting, _) if executor.info.kind == ExecutorKind::Custom => {
                executor.queued.retain(|task| task.task_id != of.task_id);
                Killing::Dequeued
            }
            (Phase::Starting, _) => {
                executor.phase = Phase::Ending;
                executor.fate = Some(Fate {
                    state: TaskState::Killed,
                    reason: Reason::TaskKilledDuringLaunch,
                    message: "Killed before its executor registered".to_owned(),
                });
                Killing::Destroy(executor.container_id.clone())
            }
            (Phase::Running | Phase::Ending | Phase::Gone, _) => Killing::Ending,
        }
    }

    /// The framework is gone for good; what comes back are its containers.
    pub(crate) fn end_framework(&mut self, framework_id: &FrameworkId) -> Vec<ContainerId> {
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            return Vec::new();
        };
        framework.ending = true;
        let (gone, living): (Vec<_>, Vec<_>) = framework
            .executors
            .iter()
            .partition(|(_, executor)| executor.phase == Phase::Gone);
        let gone: Vec<_> = gone.into_iter().map(|(executor_id, _)| executor_id.clone()).collect();
        let living = living.into_iter().map(|(_, executor)| executor.container_id.clone());
        let living = living.collect();
        for executor_id in gone {
            self.settle(framework_id, &executor_id);
        }
        living
    }

    /// A container has ended, or was never started.
    pub(crate) fn ended(&mut self, container_id: &ContainerId) -> Option<Ended> {
        let (framework_id, executor_id) = self.containers.remove(container_id)?;
        let framework = self.frameworks.get_mut(&framework_id)?;
        let executor = framework.executors.get_mut(&executor_id)?;
        executor.phase = Phase::Gone;
        executor.queued.clear();
        self.used -= &executor.info.resources;
        let living = |task: &&Task| !task.state.is_terminal();
        let mut tasks: Vec<_> = executor.tasks.values().filter(living).collect();
        if framework.ending {
            for task in tasks.drain(..) {
                self.used -= &task.resources;
            }
        }
        let ended = Ended {
            tasks: tasks.into_iter().map(|task| task.task_id.clone()).collect(),
            kind: executor.info.kind,
            fate: executor.fate.clone(),
            sandbox: executor.sandbox.clone(),
            framework_id,
            executor_id,
        };
        Some(ended)
    }

    /// The end of a task was acknowledged.
    pub(crate) fn acknowledged(&mut self, of: &TaskOf) {
        let Some(framework) = self.frameworks.get_mut(&of.framework_id) else {
            return;
        };
        let Some(executor_id) = framework.tasks.remove(&of.task_id) else {
            return;
        };
        let Some(executor) = framework.executors.get_mut(&executor_id) else {
            return;
        };
        if let Some(task) = executor.tasks.remove(&of.task_id) {
            executor.remember(task);
        }
        self.settle(&of.framework_id, &executor_id);
    }

    /// Moves an executor to the history if there is nothing more to say of it or its tasks, and
    /// forgets the framework if it was the last one. True when the framework is forgotten.
    pub(crate) fn settle(&mut self, framework_id: &FrameworkId, executor_id: &ExecutorId) -> bool {
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            return false;
        };
        let settled = |executor: &Executor| {
            executor.phase == Phase::Gone && (executor.tasks.is_empty() || framework.ending)
        };
        if !framework.executors.get(executor_id).is_some_and(settled) {
            return false;
        }
        if let Some(mut executor) = framework.executors.remove(executor_id) {
            for (task_id, mut task) in std::mem::take(&mut executor.tasks) {
                framework.tasks.remove(&task_id);
                if !task.state.is_terminal() {
                    task.state = TaskState::Killed; // with its framework
                }
                executor.remember(task);
            }
            let completed = Completed::from(executor);
            self.history.add(framework_id, &framework.info, completed);
        }
        let last = framework.executors.is_empty();
        if last {
            self.frameworks.remove(framework_id);
        }
        last
    }
}

impl Executor {
    fn starting(info: ExecutorInfo, container_id: ContainerId) -> Executor {
        Executor {
            info,
            container_id,
            sandbox: PathBuf::new(),
            phase: Phase::Starting,
            process: None,
            os_pid: None,
            fate: None,
            tasks: BTreeMap::new(),
            queued: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    fn remember(&mut self, task: Task) {
        if self.ended.len() >= crate::history::TASKS_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(task);
    }
}

/// The user a task is to run as, if anybody says.
pub(crate) fn user_of<'a>(framework: &'a FrameworkInfo, task: &'a TaskInfo) -> Option<&'a str> {
    let executor = task.executor.as_ref().and_then(|executor| executor.command.as_ref());
    let command = task.command.as_ref().or(executor);
    let user = command.and_then(|command| command.user.as_deref());
    user.or(framework.user.as_deref()).filter(|user| !user.is_empty())
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
        ..ExecutorInfo::custom(executor_id, command)
    })
}

#[cfg(test)]
mod tests;
