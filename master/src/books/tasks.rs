//! Tasks and executors in the books: they start, change, end, go out of sight and are forgotten.

use api::agent::TaskOf;
use types::{AgentId, ExecutorId, ExecutorInfo, FrameworkId, KillPolicy, Resources, Role, Task};
use types::{TaskId, TaskState, TaskStatus, UpdateId};

use super::{Agent, Books, Entry, Executor, Framework, Freed};
use crate::status::Word;

/// What an update changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The task goes on.
    Alive,
    /// The task has just ended, and what it used is free.
    Ended(Freed),
    /// The task had ended before.
    Over,
    /// The agent has no such task.
    Unknown,
}

impl Books {
    /// The number of tasks on registered agents.
    pub(crate) fn task_count(&self) -> usize {
        self.frameworks.values().map(|f| f.tasks.len()).sum()
    }

    /// The number of tasks that have not ended.
    pub(crate) fn live_tasks(&self) -> u64 {
        self.frameworks.values().map(Framework::live_tasks).sum()
    }

    /// Adds a task on a registered agent, of a known framework that has no task by this name.
    pub(crate) fn add_task(&mut self, task: Task) {
        self.sequence += 1;
        let of = TaskOf {
            framework_id: task.framework_id.clone(),
            task_id: task.task_id.clone(),
        };
        let agent = self.agents.get_mut(&task.agent_id);
        let agent = agent.expect("tasks are added on registered agents");
        let framework = self.frameworks.get_mut(&task.framework_id);
        let framework = framework.expect("tasks are added to known frameworks");
        if !task.state.is_terminal() {
            charge(agent, &task.resources);
        }
        agent.tasks.insert(of);
        let entry = Entry::new(task, self.sequence);
        framework.unreachable.remove(&entry.task.task_id);
        let before = framework.tasks.insert(entry.task.task_id.clone(), entry);
        assert!(before.is_none(), "a task is added once");
    }

    /// Adds an executor on a registered agent, of a known framework; one that is there stays.
    pub(crate) fn add_executor(
        &mut self,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        info: ExecutorInfo,
        role: Role,
    ) {
        let key = (agent_id.clone(), info.executor_id.clone());
        let agent = self.agents.get_mut(agent_id);
        let framework = self.frameworks.get_mut(framework_id);
        let (Some(agent), Some(framework)) = (agent, framework) else {
            return;
        };
        if framework.executors.contains_key(&key) {
            return;
        }
        charge(agent, &Executor::charge(&info));
        agent
            .executors
            .insert((framework_id.clone(), info.executor_id.clone()));
        framework.executors.insert(key, Executor { info, role });
    }

    /// Removes an executor that has ended, and frees what it used.
    pub(crate) fn remove_executor(
        &mut self,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        executor_id: &ExecutorId,
    ) -> Option<Freed> {
        let framework = self.frameworks.get_mut(framework_id)?;
        let key = (agent_id.clone(), executor_id.clone());
        let executor = framework.executors.remove(&key)?;
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent
                .executors
                .remove(&(framework_id.clone(), executor_id.clone()));
        }
        let resources = Executor::charge(&executor.info);
        self.discharge(agent_id, &resources);
        Some(Freed {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            role: executor.role,
            resources,
        })
    }

    /// Takes in what an agent says of one of its tasks: the `status` for its framework, and the
    /// `latest` state, which may be ahead of it.
    pub(crate) fn update_task(
        &mut self,
        agent_id: &AgentId,
        framework_id: &FrameworkId,
        status: &TaskStatus,
        latest: TaskState,
    ) -> Change {
        let Some(task) = self.task_on(agent_id, framework_id, &status.task_id) else {
            return Change::Unknown;
        };
        task.remember(status);
        task.status_update_state = Some(status.state);
        task.status_update_id = status.update_id;
        let over = task.state.is_terminal();
        if task.state.may_become(latest) {
            task.state = latest;
        }
        if over || !task.state.is_terminal() {
            return if over { Change::Over } else { Change::Alive };
        }
        let freed = Freed {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            role: task.role.clone(),
            resources: task.resources.clone(),
        };
        self.discharge(agent_id, &freed.resources);
        Change::Ended(freed)
    }

    fn task_on(
        &mut self,
        agent_id: &AgentId,
        framework_id: &FrameworkId,
        task_id: &TaskId,
    ) -> Option<&mut Task> {
        let entry = self
            .frameworks
            .get_mut(framework_id)?
            .tasks
            .get_mut(task_id)?;
        (entry.task.agent_id == *agent_id).then_some(&mut entry.task)
    }

    /// Takes in that a framework has seen an update; a task whose last update that was becomes
    /// history. Returns whether it did.
    pub(crate) fn acknowledge(
        &mut self,
        agent_id: &AgentId,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        update_id: UpdateId,
    ) -> bool {
        let Some(task) = self.task_on(agent_id, framework_id, task_id) else {
            return false;
        };
        if task.status_update_id == Some(update_id) {
            task.status_update_id = None;
        }
        let acknowledged = task.status_update_id.is_none()
            && task
                .status_update_state
                .is_some_and(|state| state.is_terminal());
        if acknowledged && task.state.is_terminal() {
            return self.complete(framework_id, task_id).is_some();
        }
        false
    }

    /// Ends a task on the master's word and makes it history.
    pub(crate) fn end_task(
        &mut self,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        word: Word,
    ) -> Option<(TaskStatus, Option<Freed>)> {
        assert!(word.state.is_terminal());
        let entry = self
            .frameworks
            .get_mut(framework_id)?
            .tasks
            .get_mut(task_id)?;
        let task = &mut entry.task;
        let status = word.of_task(task);
        let live = !task.state.is_terminal();
        let freed = live.then(|| Freed {
            framework_id: framework_id.clone(),
            agent_id: task.agent_id.clone(),
            role: task.role.clone(),
            resources: task.resources.clone(),
        });
        if live {
            task.state = word.state;
            task.remember(&status);
        }
        if let Some(freed) = &freed {
            self.discharge(&freed.agent_id, &freed.resources);
        }
        self.complete(framework_id, task_id);
        Some((status, freed))
    }

    /// Makes a task that has ended history.
    pub(crate) fn complete(
        &mut self,
        framework_id: &FrameworkId,
        task_id: &TaskId,
    ) -> Option<TaskState> {
        let framework = self.frameworks.get_mut(framework_id)?;
        let entry = framework.tasks.remove(task_id)?;
        assert!(
            entry.task.state.is_terminal(),
            "only what has ended is history"
        );
        if let Some(agent) = self.agents.get_mut(&entry.task.agent_id) {
            agent.tasks.remove(&TaskOf {
                framework_id: framework_id.clone(),
                task_id: task_id.clone(),
            });
        }
        let state = entry.task.state;
        framework.remember_completed(entry, self.limits.completed_tasks);
        Some(state)
    }

    /// Remembers to kill a task when its agent is back.
    pub(crate) fn kill_later(
        &mut self,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        policy: Option<KillPolicy>,
    ) {
        if let Some(framework) = self.frameworks.get_mut(framework_id)
            && framework.may_run(task_id)
        {
            framework.kills.insert(task_id.clone(), policy);
        }
    }

    /// The kill that waited for a task's agent to be back, if one did.
    pub(crate) fn take_kill(
        &mut self,
        framework_id: &FrameworkId,
        task_id: &TaskId,
    ) -> Option<Option<KillPolicy>> {
        self.frameworks.get_mut(framework_id)?.kills.remove(task_id)
    }

    /// Sums up anew what is used of an agent, and notes whether its tasks overlap.
    pub(crate) fn sum_up(&mut self, id: &AgentId) {
        let charges = self.charges(id);
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        agent.used = Resources::new();
        agent.overlaps = false;
        for charge in charges {
            let sum = &agent.used + &charge;
            agent.overlaps |= &sum - &charge != agent.used;
            agent.used = sum;
        }
    }

    /// What the tasks and executors on an agent use, each.
    pub(super) fn charges(&self, id: &AgentId) -> Vec<Resources> {
        let Some(agent) = self.agents.get(id) else {
            return Vec::new();
        };
        let tasks = agent.tasks.iter().filter_map(|of| {
            let task = &self.frameworks[&of.framework_id].tasks[&of.task_id].task;
            (!task.state.is_terminal()).then(|| task.resources.clone())
        });
        let executors = agent.executors.iter().map(|(framework, executor)| {
            let key = (id.clone(), executor.clone());
            Executor::charge(&self.frameworks[framework].executors[&key].info)
        });
        tasks.chain(executors).collect()
    }

    /// Frees resources of an agent whose user is gone from the books already.
    fn discharge(&mut self, id: &AgentId, resources: &Resources) {
        match self.agents.get_mut(id) {
            Some(agent) if agent.overlaps => self.sum_up(id),
            Some(agent) => agent.used -= resources,
            None => {}
        }
    }
}

fn charge(agent: &mut Agent, resources: &Resources) {
    let sum = &agent.used + resources;
    agent.overlaps |= &sum - resources != agent.used;
    agent.used = sum;
}
