//! The ends of tasks, executors and frameworks, and what of them is still to be told.

use api::agent::TaskOf;
use api::executor::Executing;
use libproc::Pid;
use types::{ContainerId, ExecutorId, ExecutorKind, FrameworkId, Reason, Task, TaskId, TaskState};

use std::path::PathBuf;

use super::{Books, Executor, Fate, Phase};
use crate::checkpoints::Key;
use crate::history::Completed;

/// What to do about a task that is to be killed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Killing {
    /// The agent has no such task.
    Unknown,
    /// It has ended, or is bound to: its news is on its way.
    Ending,
    /// These never reached their executor, and never will: it, and the others of its group.
    Dequeued(Vec<TaskId>),
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
    /// Decides how a task is killed, and notes it.
    pub(crate) fn kill(&mut self, of: &TaskOf) -> Killing {
        let Some(executor_id) = self.executor_of(of).map(|(id, _)| id.clone()) else {
            return Killing::Unknown;
        };
        let Some(executor) = self.executor_mut(&of.framework_id, &executor_id) else {
            return Killing::Unknown;
        };
        if executor
            .tasks
            .get(&of.task_id)
            .is_none_or(|task| task.state.is_terminal())
        {
            return Killing::Ending;
        }
        match (executor.phase, &executor.process) {
            (Phase::Running, Some(process)) => Killing::Tell(process.clone()),
            (Phase::Starting, _) if executor.info.kind != ExecutorKind::Command => {
                let mut waiting = executor.queued.iter().map(|(_, batch)| batch);
                let waiting = waiting.find(|batch| batch.has(&of.task_id));
                let names = waiting.map(|batch| batch.tasks().iter().map(|t| t.task_id.clone()));
                let names = names.map_or_else(|| vec![of.task_id.clone()], Iterator::collect);
                executor.queued.retain(|(_, batch)| !batch.has(&of.task_id));
                Killing::Dequeued(names)
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
        self.changed.insert(Key::Framework(framework_id.clone()));
        let (gone, living): (Vec<_>, Vec<_>) = framework
            .executors
            .iter()
            .partition(|(_, executor)| executor.phase == Phase::Gone);
        let gone: Vec<_> = gone
            .into_iter()
            .map(|(executor_id, _)| executor_id.clone())
            .collect();
        let living = living
            .into_iter()
            .map(|(_, executor)| executor.container_id.clone());
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
        let key = Key::Executor(framework_id.clone(), executor_id.clone());
        self.changed.insert(key);
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
        self.changed.insert(Key::Task(of.clone()));
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
        self.changed.insert(Key::Framework(framework_id.clone()));
        let key = Key::Executor(framework_id.clone(), executor_id.clone());
        self.changed.insert(key);
        if let Some(mut executor) = framework.executors.remove(executor_id) {
            for (task_id, mut task) in std::mem::take(&mut executor.tasks) {
                framework.tasks.remove(&task_id);
                let of = TaskOf {
                    framework_id: framework_id.clone(),
                    task_id,
                };
                self.changed.insert(Key::Task(of));
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
