//! What operators ask: what there is, and to end it.

use api::master::TeardownFramework;
use api::master::{AgentState, AgentSummary, FrameworkSummary, GetAgents, GetFrameworks};
use api::master::{GetMaster, GetTasks, KillTask, MasterSummary, TASKS_MAX, TaskSummary};
use libproc::prelude::*;
use types::{FrameworkId, TaskId};

use crate::books::{Agent, Entry, Framework};
use crate::failover::Farewell;
use crate::process::MasterProcess;

impl Handler<GetMaster> for MasterProcess {
    type Result = Reply<MasterSummary>;
    fn handle(&mut self, _: GetMaster, _: &mut Context<Self>) -> Self::Result {
        Reply(self.summary())
    }
}

impl Handler<GetAgents> for MasterProcess {
    type Result = Reply<Vec<AgentSummary>>;
    fn handle(&mut self, _: GetAgents, _: &mut Context<Self>) -> Self::Result {
        Reply(self.agent_summaries())
    }
}

impl Handler<GetFrameworks> for MasterProcess {
    type Result = Reply<Vec<FrameworkSummary>>;
    fn handle(&mut self, _: GetFrameworks, _: &mut Context<Self>) -> Self::Result {
        Reply(self.framework_summaries())
    }
}

impl Handler<GetTasks> for MasterProcess {
    type Result = Reply<Vec<TaskSummary>>;
    fn handle(&mut self, message: GetTasks, _: &mut Context<Self>) -> Self::Result {
        let history = if message.ended {
            History::Included
        } else {
            History::Omitted
        };
        Reply(self.task_summaries(message.framework_id.as_ref(), history))
    }
}

impl Handler<KillTask> for MasterProcess {
    type Result = Reply<Result<(), String>>;
    fn handle(&mut self, message: KillTask, ctx: &mut Context<Self>) -> Self::Result {
        let KillTask {
            task_id,
            framework_id,
        } = message;
        let found = self.find_task(&task_id, framework_id.as_ref());
        let killed = found.map(|framework_id| self.kill(&framework_id, task_id, None, None, ctx));
        self.settle();
        Reply(killed)
    }
}

impl Handler<TeardownFramework> for MasterProcess {
    type Result = Reply<Result<(), String>>;
    fn handle(&mut self, message: TeardownFramework, ctx: &mut Context<Self>) -> Self::Result {
        let id = message.framework_id;
        if self.books.framework(&id).is_some() {
            self.remove_framework(&id, Farewell::Told, ctx);
            return Reply(Ok(()));
        }
        Reply(Err(if self.books.is_completed(&id) {
            format!("the framework {id} has ended already")
        } else {
            format!("there is no framework {id}")
        }))
    }
}

/// Whether tasks that have ended are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    Included,
    Omitted,
}

impl MasterProcess {
    /// The framework whose task it is; a name several frameworks use has to come with one.
    fn find_task(
        &self,
        task_id: &TaskId,
        framework_id: Option<&FrameworkId>,
    ) -> Result<FrameworkId, String> {
        let asked = |framework: &&Framework| framework_id.is_none_or(|id| framework.id == *id);
        let alive = |framework: &&Framework| {
            let task = framework.task(task_id);
            task.is_some_and(|task| !task.state.is_terminal())
                || framework.unreachable_task(task_id).is_some()
        };
        let mut found = self.books.frameworks().filter(asked).filter(alive);
        match (found.next(), found.next()) {
            (Some(framework), None) => Ok(framework.id.clone()),
            (Some(_), Some(_)) => Err(format!(
                "several frameworks have a task {task_id}: say which framework"
            )),
            (None, _) => Err(format!("there is no task {task_id} that could be killed")),
        }
    }

    pub(crate) fn summary(&self) -> MasterSummary {
        let connected = || self.books.agents().filter(|agent| agent.connected);
        let active = self.books.frameworks().filter(|f| f.is_active());
        MasterSummary {
            info: self.info.clone(),
            started_ms: self.started_ms,
            agents: connected().count() as u64,
            frameworks: active.count() as u64,
            tasks: self.books.live_tasks(),
            total: connected().map(|agent| &agent.info.resources).sum(),
            used: connected()
                .map(|agent| agent.used() + agent.offered())
                .sum(),
        }
    }

    pub(crate) fn agent_summaries(&self) -> Vec<AgentSummary> {
        let here = self.books.agents().map(|agent| {
            let tasks = agent.tasks().filter(|of| {
                let framework = self.books.framework(&of.framework_id);
                let task = framework.and_then(|framework| framework.task(&of.task_id));
                task.is_some_and(|task| !task.state.is_terminal())
            });
            let state = agent.state(self.books.aside(&agent.id));
            summary_of(agent, state, tasks.count() as u64)
        });
        let lost = self.books.unreachable_agents();
        let lost = lost.map(|lost| summary_of(&lost.agent, AgentState::Unreachable, 0));
        let mut all: Vec<_> = here.chain(lost).collect();
        all.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
        all
    }

    pub(crate) fn framework_summaries(&self) -> Vec<FrameworkSummary> {
        let mut ended: Vec<_> = self.books.completed_frameworks().collect();
        ended.sort_by(|a, b| a.id.cmp(&b.id));
        let all = self.books.frameworks().chain(ended);
        all.map(|framework| FrameworkSummary {
            info: framework.info.clone(),
            pid: framework.pid.clone(),
            state: framework.state,
            used: framework.used(),
            offered: self.books.offered_to(framework),
            tasks: framework.live_tasks(),
            registered_ms: framework.registered_ms,
        })
        .collect()
    }

    pub(crate) fn task_summaries(
        &self,
        framework_id: Option<&FrameworkId>,
        history: History,
    ) -> Vec<TaskSummary> {
        let past = history == History::Included;
        let completed = self.books.completed_frameworks().filter(|_| past);
        let frameworks = self.books.frameworks().chain(completed);
        let asked = frameworks.filter(|f| framework_id.is_none_or(|id| f.id == *id));
        let mut tasks: Vec<(&Framework, &Entry)> = asked
            .flat_map(|framework| {
                let ended = framework.completed_tasks().filter(|_| past);
                let all = framework.tasks().chain(framework.unreachable_tasks());
                let wanted = all.filter(|entry| past || !is_over(entry));
                wanted.chain(ended).map(move |entry| (framework, entry))
            })
            .collect();
        tasks.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.sequence));
        tasks.truncate(TASKS_MAX);
        tasks
            .into_iter()
            .map(|(framework, entry)| self.task_summary(framework, entry))
            .collect()
    }

    fn task_summary(&self, framework: &Framework, entry: &Entry) -> TaskSummary {
        let agent_id = &entry.task.agent_id;
        let lost = self.books.unreachable_agent(agent_id);
        let agent = self.books.agent(agent_id).or(lost.map(|lost| &lost.agent));
        TaskSummary {
            task: entry.task.clone(),
            framework: framework.info.name.clone(),
            hostname: agent.map_or_else(String::new, |agent| agent.info.hostname.clone()),
            agent: agent.map(|agent| agent.pid.clone()),
        }
    }
}

/// Whether a task is at its end, as far as anybody knows.
fn is_over(entry: &Entry) -> bool {
    entry.task.state.is_terminal() && entry.unreachable_since_ms.is_none()
}

fn summary_of(agent: &Agent, state: AgentState, tasks: u64) -> AgentSummary {
    AgentSummary {
        agent_id: agent.id.clone(),
        hostname: agent.info.hostname.clone(),
        pid: agent.pid.clone(),
        state,
        total: agent.info.resources.clone(),
        used: agent.used().clone(),
        offered: agent.offered().clone(),
        attributes: agent.info.attributes.clone(),
        tasks,
        registered_ms: agent.registered_ms,
    }
}
