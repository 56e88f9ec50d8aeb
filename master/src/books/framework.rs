//! A framework in the books: who it is, its tasks and executors, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use api::master::FrameworkState;
use api::scheduler::Scheduling;
use imbl::OrdSet;
use libproc::Pid;
use types::{AgentId, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkCapability, FrameworkId};
use types::{FrameworkInfo, KillPolicy, OfferId, Resources, Role, Task, TaskId, TaskState};

use super::{Derived, Form, History, Record, Rendered, Shelf};

/// A framework.
#[derive(Debug, Clone)]
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    pub(crate) pid: Option<Pid<Scheduling>>,
    /// What it asks of offers.
    pub(crate) terms: crate::http::Terms,
    /// The stream of its scheduler, if that speaks HTTP.
    pub(crate) stream: Option<crate::http::Stream>,
    pub(crate) state: FrameworkState,
    pub(crate) registered_ms: u64,
    /// When it subscribed again last.
    pub(crate) reregistered_ms: Option<u64>,
    /// When it ended.
    pub(crate) unregistered_ms: Option<u64>,
    /// Counts its subscriptions and disconnections: timers set before the last one are void.
    pub(crate) session: u64,
    pub(super) tasks: Shelf<TaskId, Entry>,
    pub(super) executors: Shelf<(AgentId, ExecutorId), Executor>,
    pub(super) offers: OrdSet<OfferId>,
    pub(super) unreachable: Shelf<TaskId, Entry>,
    pub(super) completed: History<Entry>,
    /// Kills that wait for an agent to come back.
    pub(super) kills: imbl::OrdMap<TaskId, Option<KillPolicy>>,
    sums: Derived<Sums>,
}

/// What the tasks and executors of a framework come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// What they use, by the role it was offered to.
    pub(crate) used: BTreeMap<Role, Resources>,
    /// How many tasks on registered agents are in which state.
    pub(crate) states: BTreeMap<TaskState, u64>,
}

impl Record for Framework {
    fn touched(&mut self) {
        self.sums = Derived::default();
    }
}

/// A task in the books.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) task: Task,
    /// Grows with every task the master hears of: the newest has the greatest.
    pub(crate) sequence: u64,
    /// Since when its agent does not answer.
    pub(crate) unreachable_since_ms: Option<u64>,
    rendered: Rendered,
}

impl Entry {
    pub(super) fn new(task: Task, sequence: u64) -> Self {
        Self {
            task,
            sequence,
            unreachable_since_ms: None,
            rendered: Rendered::default(),
        }
    }

    /// The task as it is written in a form, by `write` if that was not done since it changed.
    pub(crate) fn rendered(&self, form: Form, write: impl FnOnce(&Task) -> Vec<u8>) -> &[u8] {
        self.rendered.get(form, || write(&self.task))
    }
}

impl Record for Entry {
    fn touched(&mut self) {
        self.rendered = Rendered::default();
    }
}

impl Record for Executor {}

/// An executor in the books.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    pub(crate) info: ExecutorInfo,
    /// The role its resources were offered to.
    pub(crate) role: Role,
}

impl Executor {
    /// What it is charged with: nothing for the executor of a command, whose task pays for both.
    pub(crate) fn charge(info: &ExecutorInfo) -> Resources {
        match info.kind {
            ExecutorKind::Command => Resources::new(),
            ExecutorKind::Default | ExecutorKind::Custom => info.resources.clone(),
        }
    }
}

impl Sums {
    fn add(&mut self, role: &Role, resources: &Resources) {
        match self.used.get_mut(role) {
            Some(sum) => *sum += resources,
            None => drop(self.used.insert(role.clone(), resources.clone())),
        }
    }
}

impl Framework {
    /// Returns a framework without tasks.
    pub(crate) fn new(id: FrameworkId, info: FrameworkInfo, state: FrameworkState) -> Self {
        Self {
            info: FrameworkInfo {
                id: Some(id.clone()),
                ..info
            },
            id,
            pid: None,
            terms: crate::http::Terms::default(),
            stream: None,
            state,
            registered_ms: 0,
            reregistered_ms: None,
            unregistered_ms: None,
            session: 0,
            tasks: Shelf::new(),
            executors: Shelf::new(),
            offers: OrdSet::new(),
            unreachable: Shelf::new(),
            completed: History::new(),
            kills: imbl::OrdMap::new(),
            sums: Derived::default(),
        }
    }

    /// Whether its scheduler is connected.
    pub(crate) fn is_active(&self) -> bool {
        self.state == FrameworkState::Active
    }

    /// Whether it understands more than that a task is lost.
    pub(crate) fn is_partition_aware(&self) -> bool {
        self.info.has(FrameworkCapability::PartitionAware)
    }

    /// A task on a registered agent.
    pub(crate) fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id).map(|entry| &entry.task)
    }

    /// The tasks on registered agents, those that have ended and are not acknowledged too.
    pub(crate) fn tasks(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.tasks.values()
    }

    /// A task on an unreachable agent.
    pub(crate) fn unreachable_task(&self, id: &TaskId) -> Option<&Entry> {
        self.unreachable.get(id)
    }

    /// The tasks on unreachable agents.
    pub(crate) fn unreachable_tasks(&self) -> impl Iterator<Item = &Entry> {
        self.unreachable.values()
    }

    /// The tasks that have ended, the oldest first.
    pub(crate) fn completed_tasks(&self) -> impl Iterator<Item = &Entry> {
        self.completed.iter()
    }

    /// Whether a task by this name could be confused with one that may run.
    pub(crate) fn may_run(&self, id: &TaskId) -> bool {
        self.tasks.contains_key(id) || self.unreachable.contains_key(id)
    }

    /// An executor of the framework on an agent.
    pub(crate) fn executor(&self, agent: &AgentId, executor: &ExecutorId) -> Option<&Executor> {
        self.executors.get(&(agent.clone(), executor.clone()))
    }

    /// The executors of the framework, and where they are.
    pub(crate) fn executors(&self) -> impl Iterator<Item = (&AgentId, &Executor)> {
        self.executors
            .iter()
            .map(|((agent, _), executor)| (agent, executor))
    }

    /// The executors of the framework on an agent.
    pub(crate) fn executors_on(&self, agent: &AgentId) -> Vec<ExecutorId> {
        let on = self.executors.keys().filter(|(on, _)| on == agent);
        on.map(|(_, executor)| executor.clone()).collect()
    }

    /// The agents on which it has tasks or executors.
    pub(crate) fn agents(&self) -> BTreeSet<AgentId> {
        let tasks = self.tasks.values().map(|entry| &entry.task.agent_id);
        let executors = self.executors.keys().map(|(agent, _)| agent);
        tasks.chain(executors).cloned().collect()
    }

    /// The offers that wait for its answer.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &OfferId> {
        self.offers.iter()
    }

    /// How many of its tasks have not ended.
    pub(crate) fn live_tasks(&self) -> u64 {
        let states = self.sums().states.iter();
        let live = states.filter(|(state, _)| !state.is_terminal());
        live.map(|(_, count)| count).sum()
    }

    /// What its tasks and executors use.
    pub(crate) fn used(&self) -> Resources {
        self.sums().used.values().sum()
    }

    /// What its tasks and executors come to, summed up if that was not done since any of it changed.
    pub(crate) fn sums(&self) -> &Sums {
        self.sums.get(|| self.sum_up())
    }

    pub(super) fn sum_up(&self) -> Sums {
        let mut sums = Sums::default();
        for Task {
            state,
            role,
            resources,
            ..
        } in self.tasks.values().map(|entry| &entry.task)
        {
            *sums.states.entry(*state).or_default() += 1;
            if !state.is_terminal() {
                sums.add(role, resources);
            }
        }
        for executor in self.executors.values() {
            sums.add(&executor.role, &Executor::charge(&executor.info));
        }
        sums
    }

    pub(super) fn remember_completed(&mut self, entry: Entry, max: usize) {
        self.kills.remove(&entry.task.task_id);
        self.completed.push_back(entry);
        while self.completed.len() > max {
            self.completed.pop_front();
        }
    }

    pub(super) fn remember_unreachable(&mut self, entry: Entry, max: usize) {
        self.unreachable.insert(entry.task.task_id.clone(), entry);
        while self.unreachable.len() > max {
            let oldest = self.unreachable.values().min_by_key(|entry| entry.sequence);
            let Some(oldest) = oldest.map(|entry| entry.task.task_id.clone()) else {
                return;
            };
            self.kills.remove(&oldest);
            self.unreachable.remove(&oldest);
        }
    }
}
