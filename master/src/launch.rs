//! Launch: a framework answers offers, and its tasks go to their agent.

use std::collections::BTreeSet;

use api::agent::{RunGroup, RunTask};
use api::master::Accept;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, ExecutorInfo, FrameworkId, Offer, OfferId, Operation, Reason, Resources};
use types::{Role, Source, Task, TaskId, TaskInfo, TaskState, TaskStatus};

use crate::accept::{Step, plan};
use crate::books::Freed;
use crate::process::MasterProcess;
use crate::status::Word;
use crate::validation::Fault;

impl Handler<Accept> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Accept, ctx: &mut Context<Self>) {
        let id = &message.framework_id;
        if self.speaking(id, "Accept", ctx).is_none() {
            return;
        }
        match self.check_offers(id, &message.offer_ids) {
            Ok(()) => self.accept(message, ctx),
            Err(why) => self.refuse_accept(message, why, ctx),
        }
        self.settle();
    }
}

impl MasterProcess {
    /// Checks that the offers are the framework's and can be used together.
    fn check_offers(&self, id: &FrameworkId, offers: &[OfferId]) -> Result<(), &'static str> {
        let mut seen = BTreeSet::new();
        let mut first: Option<&Offer> = None;
        for offer in offers {
            if !seen.insert(offer) {
                return Err("an offer is named twice");
            }
            let offer = self.books.offer(offer);
            let Some(offer) = offer.filter(|offer| offer.framework_id == *id) else {
                return Err("an offer is no longer valid");
            };
            let first = first.get_or_insert(offer);
            if (&first.agent_id, &first.role) != (&offer.agent_id, &offer.role) {
                return Err("the offers are of different agents or roles");
            }
        }
        first.map(|_| ()).ok_or("no offer is named")
    }

    /// Offers that cannot be used: their tasks are dropped, and those that stand are taken back.
    fn refuse_accept(&mut self, message: Accept, why: &'static str, ctx: &Context<Self>) {
        let id = &message.framework_id;
        self.metrics.offers_invalid += 1;
        tracing::info!(framework = %id, why, "offers not accepted");
        for offer in &message.offer_ids {
            let offer = self.books.offer(offer);
            let ours = offer.filter(|offer| offer.framework_id == *id);
            if let Some(id) = ours.map(|offer| offer.id.clone()) {
                self.recover_offer(&id, None);
            }
        }
        let word = Word {
            state: TaskState::Dropped,
            reason: Reason::InvalidOffers,
            message: why,
            at_ms: unix_ms(),
        };
        for operation in message.operations {
            let (Operation::Launch { tasks } | Operation::LaunchGroup { tasks, .. }) = operation
            else {
                tracing::info!(framework = %id, operation = operation.name(), "operation dropped");
                continue;
            };
            for task in tasks {
                self.metrics.ended(word.state);
                self.update(id, word.of(task.task_id, Some(task.agent_id)), ctx);
            }
        }
    }

    fn accept(&mut self, message: Accept, ctx: &Context<Self>) {
        let Accept {
            framework_id,
            offer_ids,
            operations,
            filters,
        } = message;
        let offers = self.books.take_offers(&offer_ids.into_iter().collect());
        let Some(Offer { agent_id, role, .. }) = offers.first().cloned() else {
            return;
        };
        self.metrics.offers_accepted += offers.len() as u64;
        let offered: Resources = offers.iter().map(|offer| &offer.resources).sum();
        let framework = self.books.framework(&framework_id);
        let (Some(framework), Some(agent)) = (framework, self.books.agent(&agent_id)) else {
            return; // offers are of known frameworks and agents
        };
        let (steps, left) = plan(framework, agent, offered, operations);
        for step in steps {
            self.carry_out(step, &framework_id, &agent_id, &role, ctx);
        }
        let freed = Freed {
            framework_id,
            agent_id,
            role,
            resources: left,
        };
        self.orders.recover(freed, Some(filters));
    }

    fn carry_out(
        &mut self,
        step: Step,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        role: &Role,
        ctx: &Context<Self>,
    ) {
        match step {
            Step::Launch { task, executor } => {
                if let Some(executor) = executor {
                    let role = role.clone();
                    self.books
                        .add_executor(framework_id, agent_id, *executor, role);
                }
                self.run(*task, framework_id, agent_id, role, ctx);
            }
            Step::Refuse { task_id, fault } => {
                let (tasks, reason) = (vec![task_id], Reason::TaskInvalid);
                self.refuse(tasks, reason, &fault, framework_id, agent_id, ctx);
            }
            Step::LaunchGroup {
                executor,
                starts,
                tasks,
            } => {
                if starts {
                    let (executor, role) = (executor.as_ref().clone(), role.clone());
                    self.books
                        .add_executor(framework_id, agent_id, executor, role);
                }
                self.run_group(*executor, tasks, framework_id, agent_id, role, ctx);
            }
            Step::RefuseGroup { tasks, fault } => {
                let reason = Reason::TaskGroupInvalid;
                self.refuse(tasks, reason, &fault, framework_id, agent_id, ctx);
            }
            Step::Ignore(operation) => {
                tracing::warn!(framework = %framework_id, operation, "operation not supported");
            }
        }
    }

    fn refuse(
        &mut self,
        tasks: Vec<TaskId>,
        reason: Reason,
        fault: &Fault,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        ctx: &Context<Self>,
    ) {
        for task_id in tasks {
            self.metrics.tasks_refused += 1;
            self.metrics.ended(TaskState::Error);
            tracing::info!(framework = %framework_id, task = %task_id, %fault, "task refused");
            let (state, source) = (TaskState::Error, Source::Master);
            let status = TaskStatus::new(task_id, state, source, unix_ms())
                .because(reason, fault.to_string())
                .on(agent_id.clone());
            self.update(framework_id, status, ctx);
        }
    }

    /// Writes the tasks of a group down and sends them to their agent.
    fn run_group(
        &mut self,
        executor: ExecutorInfo,
        tasks: Vec<TaskInfo>,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        role: &Role,
        ctx: &Context<Self>,
    ) {
        let Some(framework) = self.books.framework(framework_id) else {
            return;
        };
        let info = framework.info.clone();
        for task in &tasks {
            let user = task.command.as_ref().and_then(|c| c.user.clone());
            let user = user.or_else(|| info.user.clone());
            let (id, framework_id) = (&executor.executor_id, framework_id.clone());
            let entry = Task::staging_under(id, task, framework_id, role.clone(), user);
            self.write_down(entry);
        }
        if let Some(agent) = self.books.agent(agent_id) {
            let run = RunGroup {
                framework: info,
                executor,
                tasks,
                role: role.clone(),
            };
            ctx.tell(&agent.pid, run);
        }
    }

    /// Writes a task down that is about to be sent to its agent.
    fn write_down(&mut self, task: Task) {
        let (framework_id, task_id) = (task.framework_id.clone(), task.task_id.clone());
        tracing::debug!(framework = %framework_id, task = %task_id, agent = %task.agent_id,
            "task launched");
        self.books.add_task(task);
        self.task_added(&framework_id, &task_id);
        self.metrics.tasks_launched += 1;
    }

    /// Writes a task down and sends it to its agent.
    fn run(
        &mut self,
        task: TaskInfo,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        role: &Role,
        ctx: &Context<Self>,
    ) {
        let Some(framework) = self.books.framework(framework_id) else {
            return;
        };
        let info = framework.info.clone();
        let user = task.command.as_ref().and_then(|c| c.user.clone());
        let user = user.or_else(|| info.user.clone());
        let entry = Task::staging(&task, framework_id.clone(), role.clone(), user);
        self.write_down(entry);
        if let Some(agent) = self.books.agent(agent_id) {
            let run = RunTask {
                framework: info,
                task,
                role: role.clone(),
            };
            ctx.tell(&agent.pid, run);
        }
    }
}
