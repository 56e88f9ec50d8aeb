//! The books of a cluster: agents, frameworks, offers, tasks, and that they agree. Pure.
//!
//! Nothing is promised twice: of every agent, what tasks use and what is offered are parts of what
//! there is, and an offer is of a connected agent to a subscribed framework. All changes go
//! through [`Books`], which keeps both sides of every relation.

mod agent;
mod aside;
mod check;
mod departures;
mod framework;
mod offers;
mod readmission;
mod rendered;
mod shelf;
mod tasks;
#[cfg(test)]
mod tests;

use api::master::FrameworkState;
use imbl::{OrdMap, OrdSet, Vector};
use libproc::Upid;
use types::{AgentId, FrameworkId, Offer, OfferId, Resources, Role};

pub(crate) use agent::{Agent, UsedBy};
pub(crate) use aside::{Aside, Drain};
pub(crate) use framework::{Entry, Executor, Framework};
pub(crate) use offers::NoRoom;
pub(crate) use readmission::{Readmission, Report};
pub(crate) use rendered::{Derived, Form, Rendered};
pub(crate) use shelf::{History, Record, Shelf};
pub(crate) use tasks::Change;

use crate::Options;

/// Resources a framework does not have any longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) framework_id: FrameworkId,
    pub(crate) agent_id: AgentId,
    pub(crate) role: Role,
    pub(crate) resources: Resources,
}

/// How much of the past is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) completed_frameworks: usize,
    pub(crate) completed_tasks: usize,
    pub(crate) unreachable_tasks: usize,
    pub(crate) removed_agents: usize,
}

impl From<&Options> for Limits {
    fn from(options: &Options) -> Self {
        Self {
            completed_frameworks: options.max_completed_frameworks,
            completed_tasks: options.max_completed_tasks_per_framework,
            unreachable_tasks: options.max_unreachable_tasks_per_framework,
            removed_agents: options.max_removed_agents,
        }
    }
}

/// An agent that could not be reached any more.
#[derive(Debug, Clone)]
pub(crate) struct Unreachable {
    pub(crate) agent: Agent,
    pub(crate) since_ms: u64,
}

impl Record for Offer {}
impl Record for Unreachable {}

/// The books. A copy costs hardly anything and stays as it is: see [`shelf`].
#[derive(Debug, Clone)]
pub(crate) struct Books {
    agents: Shelf<AgentId, Agent>,
    frameworks: Shelf<FrameworkId, Framework>,
    offers: Shelf<OfferId, Offer>,
    completed: History<Framework>,
    unreachable: Shelf<AgentId, Unreachable>,
    /// The unreachable in the order they became so; may list some that came back.
    unreachable_order: Vector<AgentId>,
    /// Agents that operators set aside, in sight or not.
    aside: OrdMap<AgentId, Aside>,
    /// Agents that may not come back.
    gone: OrdSet<AgentId>,
    /// The same in the order they went.
    gone_order: Vector<AgentId>,
    agent_at: OrdMap<Upid, AgentId>,
    framework_at: OrdMap<Upid, FrameworkId>,
    sequence: u64,
    limits: Limits,
}

/// Agents.
impl Books {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            agents: Shelf::new(),
            frameworks: Shelf::new(),
            offers: Shelf::new(),
            completed: History::new(),
            unreachable: Shelf::new(),
            unreachable_order: Vector::new(),
            aside: OrdMap::new(),
            gone: OrdSet::new(),
            gone_order: Vector::new(),
            agent_at: OrdMap::new(),
            framework_at: OrdMap::new(),
            sequence: 0,
            limits,
        }
    }

    pub(crate) fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id)
    }

    pub(crate) fn agent_mut(&mut self, id: &AgentId) -> Option<&mut Agent> {
        self.agents.get_mut(id)
    }

    pub(crate) fn agent_at(&self, upid: &Upid) -> Option<&Agent> {
        self.agents.get(self.agent_at.get(upid)?)
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// The agents that did not answer for too long.
    pub(crate) fn unreachable_agents(&self) -> impl Iterator<Item = &Unreachable> {
        self.unreachable.values()
    }

    pub(crate) fn unreachable_agent(&self, id: &AgentId) -> Option<&Unreachable> {
        self.unreachable.get(id)
    }

    /// Adds an agent on which nothing runs yet. Nobody has its id or its address.
    pub(crate) fn add_agent(&mut self, agent: Agent) {
        assert!(agent.tasks.is_empty() && agent.offers.is_empty() && agent.used.is_empty());
        let id = agent.id.clone();
        self.unreachable.remove(&id);
        let before = self.agent_at.insert(agent.pid.upid().clone(), id.clone());
        assert!(before.is_none(), "two agents at one address");
        let before = self.agents.insert(id, agent);
        assert!(before.is_none(), "an agent is added once");
    }

    /// Gives a registered agent another address. No other agent is there.
    pub(crate) fn move_agent(&mut self, id: &AgentId, to: libproc::Pid<api::agent::Agenting>) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        self.agent_at.remove(agent.pid.upid());
        let before = self.agent_at.insert(to.upid().clone(), id.clone());
        assert!(before.is_none(), "two agents at one address");
        agent.pid = to;
    }

    /// Adds an agent that an earlier master knew and that does not come back.
    pub(crate) fn miss_agent(&mut self, agent: Agent, since_ms: u64) {
        assert!(!agent.connected && !self.agents.contains_key(&agent.id));
        self.remember_unreachable(agent, since_ms);
    }

    fn remember_unreachable(&mut self, agent: Agent, since_ms: u64) {
        let id = agent.id.clone();
        self.unreachable_order.push_back(id.clone());
        self.unreachable.insert(id, Unreachable { agent, since_ms });
        while self.unreachable_order.len() > self.limits.removed_agents {
            if let Some(oldest) = self.unreachable_order.pop_front() {
                let forgotten = self.unreachable.remove(&oldest).is_some();
                if forgotten && !self.agents.contains_key(&oldest) {
                    self.aside.remove(&oldest);
                }
            }
        }
    }

    /// What is used of an agent, by framework and role.
    pub(crate) fn used_by(&self, id: &AgentId) -> UsedBy {
        let mut used = UsedBy::new();
        let Some(agent) = self.agents.get(id) else {
            return used;
        };
        let mut add = |framework: &FrameworkId, role: &Role, resources: &Resources| {
            let roles = used.entry(framework.clone()).or_default();
            *roles.entry(role.clone()).or_default() += resources;
        };
        for (framework, executor) in &agent.executors {
            let executor = self.frameworks[framework].executor(id, executor);
            let executor = executor.expect("an agent's executors are its frameworks'");
            add(framework, &executor.role, &Executor::charge(&executor.info));
        }
        for of in &agent.tasks {
            let task = &self.frameworks[&of.framework_id].tasks[&of.task_id].task;
            if !task.state.is_terminal() {
                add(&of.framework_id, &task.role, &task.resources);
            }
        }
        used
    }
}

/// Frameworks.
impl Books {
    pub(crate) fn framework(&self, id: &FrameworkId) -> Option<&Framework> {
        self.frameworks.get(id)
    }

    pub(crate) fn framework_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.frameworks.get_mut(id)
    }

    pub(crate) fn framework_at(&self, upid: &Upid) -> Option<&Framework> {
        self.frameworks.get(self.framework_at.get(upid)?)
    }

    pub(crate) fn frameworks(&self) -> impl Iterator<Item = &Framework> {
        self.frameworks.values()
    }

    /// The frameworks that have ended, the oldest first.
    pub(crate) fn completed_frameworks(&self) -> impl Iterator<Item = &Framework> {
        self.completed.iter()
    }

    /// How many frameworks there are that have not ended.
    pub(crate) fn framework_count(&self) -> usize {
        self.frameworks.len()
    }

    /// Whether a framework has ended and may not come back.
    pub(crate) fn is_completed(&self, id: &FrameworkId) -> bool {
        self.completed.iter().any(|framework| framework.id == *id)
    }

    /// Adds a framework that is not known, without tasks.
    pub(crate) fn add_framework(&mut self, framework: Framework) {
        assert!(framework.tasks.is_empty() && framework.pid.is_none());
        let before = self.frameworks.insert(framework.id.clone(), framework);
        assert!(before.is_none(), "a framework is added once");
    }

    /// Adds a framework that has ended under an earlier master.
    pub(crate) fn remember_ended(&mut self, framework: Framework) {
        self.completed.push_back(framework);
        while self.completed.len() > self.limits.completed_frameworks {
            self.completed.pop_front();
        }
    }

    /// Gives a framework a scheduler, in place of the one it had; nobody else's.
    pub(crate) fn connect_framework(
        &mut self,
        id: &FrameworkId,
        pid: libproc::Pid<api::scheduler::Scheduling>,
    ) {
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        if let Some(old) = &framework.pid
            && self.framework_at.get(old.upid()) == Some(id)
        {
            self.framework_at.remove(old.upid());
        }
        self.framework_at.insert(pid.upid().clone(), id.clone());
        framework.pid = Some(pid);
        framework.stream = None;
        framework.state = FrameworkState::Active;
        framework.session += 1;
    }

    /// Remembers that a framework's scheduler is gone. Its offers were taken away before.
    pub(crate) fn disconnect_framework(&mut self, id: &FrameworkId) {
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        assert!(framework.offers.is_empty(), "nobody can answer these");
        if let Some(pid) = &framework.pid
            && self.framework_at.get(pid.upid()) == Some(id)
        {
            self.framework_at.remove(pid.upid());
        }
        framework.stream = None;
        framework.state = FrameworkState::Disconnected;
        framework.session += 1;
    }
}
