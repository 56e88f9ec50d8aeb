//! What has ended: a bounded memory of executors and tasks, for people and for their files.

use std::collections::VecDeque;
use std::path::PathBuf;

use api::agent::TaskOf;
use types::{ContainerId, ExecutorInfo, FrameworkId, FrameworkInfo, Role, Task};

use crate::books::Executor;

/// Frameworks remembered that have had executors.
pub(crate) const FRAMEWORKS_MAX: usize = 50;
/// Executors remembered of a framework.
pub(crate) const EXECUTORS_MAX: usize = 150;
/// Tasks remembered of an executor.
pub(crate) const TASKS_MAX: usize = 200;

/// Executors that have ended, by framework.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The framework that had an executor end last is last.
    frameworks: VecDeque<Past>,
}

/// What is remembered of a framework.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) framework_id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    /// The last one is last.
    pub(crate) executors: VecDeque<Completed>,
}

/// An executor that has ended.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) info: ExecutorInfo,
    pub(crate) container_id: ContainerId,
    pub(crate) sandbox: PathBuf,
    pub(crate) tasks: VecDeque<Task>,
}

impl Completed {
    /// The role its resources were offered to: that of its tasks.
    pub(crate) fn role(&self) -> Role {
        let first = self.tasks.front();
        first.map(|task| task.role.clone()).unwrap_or_default()
    }
}

impl From<Executor> for Completed {
    fn from(executor: Executor) -> Completed {
        let Executor {
            info,
            container_id,
            sandbox,
            ended: tasks,
            ..
        } = executor;
        Completed {
            info,
            container_id,
            sandbox,
            tasks,
        }
    }
}

impl History {
    pub(crate) fn add(&mut self, id: &FrameworkId, info: &FrameworkInfo, executor: Completed) {
        let known = self
            .frameworks
            .iter()
            .position(|past| past.framework_id == *id);
        let mut past = known
            .and_then(|at| self.frameworks.remove(at))
            .unwrap_or_else(|| Past {
                framework_id: id.clone(),
                info: info.clone(),
                executors: VecDeque::new(),
            });
        if past.executors.len() >= EXECUTORS_MAX {
            past.executors.pop_front();
        }
        past.info = info.clone();
        past.executors.push_back(executor);
        if self.frameworks.len() >= FRAMEWORKS_MAX {
            self.frameworks.pop_front();
        }
        self.frameworks.push_back(past);
    }

    /// The executor that had a task, the last one if there were several.
    pub(crate) fn executor_of(&self, of: &TaskOf) -> Option<&Completed> {
        let past = self
            .frameworks
            .iter()
            .find(|past| past.framework_id == of.framework_id)?;
        let had =
            |executor: &&Completed| executor.tasks.iter().any(|task| task.task_id == of.task_id);
        past.executors.iter().rev().find(had)
    }

    pub(crate) fn frameworks(&self) -> impl Iterator<Item = &Past> {
        self.frameworks.iter()
    }
}

#[cfg(test)]
mod tests {
    use types::{AgentId, CommandInfo, ExecutorId, Resources, Role, TaskId, TaskInfo};

    use super::*;

    fn completed(number: usize) -> Completed {
        let id = format!("t{number}");
        let info = TaskInfo::command(
            TaskId::new(id.as_str()).unwrap(),
            AgentId::new("a").unwrap(),
            CommandInfo::shell("true"),
            Resources::new().cpus(1.0),
        );
        let framework_id = FrameworkId::new("f").unwrap();
        let task = Task::staging(&info, framework_id, Role::any(), None);
        let executor_id = ExecutorId::new(id.as_str()).unwrap();
        Completed {
            info: ExecutorInfo::custom(executor_id, CommandInfo::shell("true")),
            container_id: ContainerId::new(id.as_str()).unwrap(),
            sandbox: PathBuf::from(id),
            tasks: VecDeque::from([task]),
        }
    }

    fn of(framework: &str, number: usize) -> TaskOf {
        let framework_id = FrameworkId::new(framework).unwrap();
        TaskOf {
            framework_id,
            task_id: TaskId::new(format!("t{number}")).unwrap(),
        }
    }

    #[test]
    fn the_last_executors_and_frameworks_are_remembered() {
        let info = FrameworkInfo::new("f");
        let mut history = History::default();
        for number in 0..=EXECUTORS_MAX {
            history.add(&FrameworkId::new("f0").unwrap(), &info, completed(number));
        }
        assert!(history.executor_of(&of("f0", 0)).is_none());
        assert!(history.executor_of(&of("f0", 1)).is_some());
        for framework in 1..FRAMEWORKS_MAX {
            let id = FrameworkId::new(format!("f{framework}")).unwrap();
            history.add(&id, &info, completed(0));
        }
        assert!(history.executor_of(&of("f0", 1)).is_some());
        history.add(&FrameworkId::new("last").unwrap(), &info, completed(0));
        assert!(history.executor_of(&of("f0", 1)).is_none());
        assert_eq!(history.frameworks().count(), FRAMEWORKS_MAX);
    }
}
