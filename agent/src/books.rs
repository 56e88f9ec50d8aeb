//! The books of an agent: frameworks, their executors, their tasks, and what these use.
//!
//! Plain data and the rules that change it, without clock or sockets: what an agent has to know
//! to go on after a restart is all in here.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;

use api::agent::TaskOf;
use api::executor::Executing;
use libproc::Pid;
use serde::{Deserialize, Serialize};
use types::TaskStatus;
use types::{ContainerId, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, Reason, Resources};
use types::{Role, Task, TaskId, TaskInfo, TaskState};

use crate::checkpoints::Key;
use crate::history::History;

mod admission;
mod ending;
mod records;

pub(crate) use admission::{Admission, Refusal, user_of};
pub(crate) use ending::{Ended, Killing};

/// Everything an agent knows of what runs on it.
#[derive(Debug)]
pub(crate) struct Books {
    total: Resources,
    used: Resources,
    frameworks: BTreeMap<FrameworkId, Framework>,
    /// Whose container it is, of those that have not ended.
    containers: HashMap<ContainerId, (FrameworkId, ExecutorId)>,
    /// Numbers what waits for executors.
    batches: u64,
    /// What is not any more as it was when this was last taken.
    changed: BTreeSet<Key>,
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
    /// Whether it has subscribed over HTTP; the process is then a stand-in on this node.
    pub(crate) over_http: bool,
    /// The operating system process that leads its container.
    pub(crate) os_pid: Option<u32>,
    /// What to say of its tasks when it has ended, if that is known.
    pub(crate) fate: Option<Fate>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Tasks for when it registers, in the order they came, which their numbers tell too.
    pub(crate) queued: VecDeque<(u64, Batch)>,
    /// The last of its tasks that are over and acknowledged.
    pub(crate) ended: VecDeque<Task>,
}

impl Executor {
    /// The role its resources were offered to: that of its tasks.
    pub(crate) fn role(&self) -> Role {
        let first = self.tasks.values().chain(&self.ended).next();
        first.map(|task| task.role.clone()).unwrap_or_default()
    }
}

/// Tasks that are launched together.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "most are single tasks, and wait for a moment"
)]
pub(crate) enum Batch {
    /// One.
    Task(TaskInfo),
    /// All of these, or none.
    Group(Vec<TaskInfo>),
}

impl Batch {
    pub(crate) fn tasks(&self) -> &[TaskInfo] {
        match self {
            Batch::Task(task) => std::slice::from_ref(task),
            Batch::Group(tasks) => tasks,
        }
    }

    /// Whether it has this task.
    pub(crate) fn has(&self, task_id: &TaskId) -> bool {
        self.tasks().iter().any(|task| task.task_id == *task_id)
    }
}

/// Where an executor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fate {
    pub(crate) state: TaskState,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// What a subscription over HTTP is for the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subscribed {
    /// The executor's first word: these tasks have waited for it.
    First(Vec<Batch>),
    /// It had subscribed before, and was reached there, unless that was with an agent before this.
    Again(Option<Pid<Executing>>),
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

impl Books {
    pub(crate) fn new(total: Resources) -> Books {
        Books {
            total,
            used: Resources::new(),
            frameworks: BTreeMap::new(),
            containers: HashMap::new(),
            batches: 0,
            changed: BTreeSet::new(),
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
        self.frameworks
            .get(framework_id)?
            .executors
            .get(executor_id)
    }

    /// The same, to change it; its tasks are changed by others.
    pub(crate) fn executor_mut(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&mut Executor> {
        let key = Key::Executor(framework_id.clone(), executor_id.clone());
        self.changed.insert(key);
        self.find(framework_id, executor_id)
    }

    fn find(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&mut Executor> {
        self.frameworks
            .get_mut(framework_id)?
            .executors
            .get_mut(executor_id)
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
    ) -> Result<Option<Vec<Batch>>, NotExpected> {
        let executor = self.executor_mut(framework_id, executor_id);
        let executor = executor.ok_or(NotExpected::Unknown)?;
        if executor.container_id != *container_id {
            return Err(NotExpected::Unknown);
        }
        match executor.phase {
            Phase::Starting => {
                executor.phase = Phase::Running;
                executor.process = Some(process);
                Ok(Some(self.dequeue(framework_id, executor_id)))
            }
            Phase::Running if executor.process.as_ref() == Some(&process) => Ok(None),
            Phase::Running => Err(NotExpected::Taken),
            Phase::Ending | Phase::Gone => Err(NotExpected::Ending),
        }
    }

    /// An executor has subscribed over HTTP: it is reached at `process` from now on.
    ///
    /// # Errors
    /// When the agent does not wait for it.
    pub(crate) fn subscribe(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        process: Pid<Executing>,
    ) -> Result<Subscribed, NotExpected> {
        let executor = self.executor_mut(framework_id, executor_id);
        let executor = executor.ok_or(NotExpected::Unknown)?;
        match executor.phase {
            Phase::Starting => {
                executor.phase = Phase::Running;
                executor.process = Some(process);
                executor.over_http = true;
                Ok(Subscribed::First(self.dequeue(framework_id, executor_id)))
            }
            Phase::Running if executor.over_http => {
                Ok(Subscribed::Again(executor.process.replace(process)))
            }
            Phase::Running => Err(NotExpected::Taken),
            Phase::Ending | Phase::Gone => Err(NotExpected::Ending),
        }
    }

    /// Takes what waits for an executor.
    fn dequeue(&mut self, framework_id: &FrameworkId, executor_id: &ExecutorId) -> Vec<Batch> {
        let executor = self.find(framework_id, executor_id);
        let queued = executor.map(|executor| std::mem::take(&mut executor.queued));
        let batches: Vec<Batch> = queued
            .into_iter()
            .flatten()
            .map(|(_, batch)| batch)
            .collect();
        for task in batches.iter().flat_map(Batch::tasks) {
            let (framework_id, task_id) = (framework_id.clone(), task.task_id.clone());
            let of = TaskOf {
                framework_id,
                task_id,
            };
            self.changed.insert(Key::Task(of));
        }
        batches
    }

    /// Notes a status of a task; false when the task cannot be in that state.
    pub(crate) fn record(&mut self, of: &TaskOf, status: &TaskStatus) -> bool {
        let Some(executor_id) = self.executor_of(of).map(|(id, _)| id.clone()) else {
            return false;
        };
        self.changed.insert(Key::Task(of.clone()));
        let Some(executor) = self.find(&of.framework_id, &executor_id) else {
            return false;
        };
        let Some(task) = executor.tasks.get_mut(&of.task_id) else {
            return false;
        };
        if !task.state.may_become(status.state) {
            return false;
        }
        task.state = status.state;
        task.remember(status);
        if status.state.is_terminal() {
            let resources = task.resources.clone();
            executor.queued.retain(|(_, batch)| !batch.has(&of.task_id));
            self.used -= &resources;
        }
        true
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
            over_http: false,
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

#[cfg(test)]
pub(crate) mod tests;
