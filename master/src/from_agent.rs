//! What agents say, but for coming back (`reregistration`).

use api::agent::{AcknowledgeUpdate, Registered, ShutdownFramework};
use api::master::{ExecutorExited, Register, ToFramework, Unregister, UpdateStatus};
use api::scheduler;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, AgentInfo, MAX_DATA_BYTES, TaskStatus};

use crate::books::{Agent, Change};
use crate::process::MasterProcess;
use crate::registry::Operation;

impl Handler<Register> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Register, ctx: &mut Context<Self>) {
        let upid = message.agent.upid();
        if ctx.sender() != Some(upid) {
            return self.drop_message("Register", "not from the agent it names", ctx);
        }
        if self.admitting.contains(upid) {
            return self.drop_message("Register", "the agent is being admitted", ctx);
        }
        if let Err(error) = message.info.validate() {
            let reason = format!("the agent is invalid: {error}");
            return ctx.tell(&message.agent, api::agent::Refused { reason });
        }
        let here = self.books.agent_at(upid).cloned();
        match here {
            Some(agent) if agent.leaving => {
                self.drop_message("Register", "the agent is being removed", ctx);
            }
            Some(agent) if agent.connected => {
                // It has not heard our answer.
                let registered = self.registered(agent.id);
                ctx.tell(&message.agent, registered);
            }
            Some(agent) => {
                let why = "another agent registered at its address";
                self.replace_agent(&agent.id, why, ctx);
                self.admit(message, ctx);
            }
            None => self.admit(message, ctx),
        }
        self.settle();
    }
}

/// Registration.
impl MasterProcess {
    /// Makes an agent one of the cluster's once the registry knows.
    fn admit(&mut self, message: Register, ctx: &mut Context<Self>) {
        let Register {
            info,
            agent: pid,
            version,
        } = message;
        let id = self.ids.agent();
        let info = AgentInfo {
            id: Some(id.clone()),
            ..info
        };
        self.admitting.insert(pid.upid().clone());
        let operation = Operation::Admit {
            info: info.clone(),
            upid: pid.upid().clone(),
        };
        let stored = self.registrar.apply(operation);
        ctx.defer(stored, move |this, outcome, ctx| {
            this.admitting.remove(pid.upid());
            if let Err(error) = outcome {
                return tracing::warn!(agent = %id, %error, "agent not admitted");
            }
            if this.books.agent_at(pid.upid()).is_some() {
                return; // it came back as somebody else meanwhile
            }
            tracing::info!(agent = %id, %pid, resources = %info.resources, "agent registered");
            let mut agent = Agent::new(id.clone(), info, pid.clone(), version);
            agent.registered_ms = unix_ms();
            this.books.add_agent(agent);
            this.announce_agent(&id);
            this.metrics.agent_registrations += 1;
            this.agent_added(&id);
            let registered = this.registered(id.clone());
            ctx.tell(&pid, registered);
            this.watch_agent(&id, ctx);
            this.settle();
        });
    }

    fn registered(&self, agent_id: AgentId) -> Registered {
        Registered {
            agent_id,
            master: self.info.clone(),
            silence: self.options.agent_silence(),
        }
    }

    /// Removes an agent, in the books at once: whoever takes its place cannot wait.
    pub(crate) fn replace_agent(
        &mut self,
        id: &AgentId,
        why: &'static str,
        ctx: &mut Context<Self>,
    ) {
        let stored = self.registrar.apply(Operation::Remove(id.clone()));
        let agent = id.clone();
        ctx.defer(stored, move |_, outcome, _| {
            if let Err(error) = outcome {
                tracing::error!(%agent, %error, "agent could not be removed");
            }
        });
        self.remove_agent(id, why, ctx);
    }
}

impl Handler<Unregister> for MasterProcess {
    type Result = ();
    fn handle(&mut self, Unregister { agent_id }: Unregister, ctx: &mut Context<Self>) {
        if !self.agent_speaks(&agent_id, "Unregister", ctx) {
            return;
        }
        if let Some(agent) = self.books.agent_mut(&agent_id) {
            agent.leaving = true;
        }
        self.rescind_agent_offers(&agent_id, ctx);
        let stored = self.registrar.apply(Operation::Remove(agent_id.clone()));
        ctx.defer(stored, move |this, outcome, ctx| {
            if let Err(error) = outcome {
                tracing::error!(agent = %agent_id, %error, "agent could not be removed");
            }
            this.remove_agent(&agent_id, "the agent unregistered", ctx);
        });
    }
}

impl Handler<UpdateStatus> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: UpdateStatus, ctx: &mut Context<Self>) {
        if !self.agent_speaks(&message.agent_id, "UpdateStatus", ctx) {
            return;
        }
        if message.status.validate().is_err() {
            return self.drop_message("UpdateStatus", "the status is invalid", ctx);
        }
        let framework_id = message.framework_id.clone();
        if self.books.framework(&framework_id).is_none() {
            if self.books.is_completed(&framework_id) {
                // It has not heard that the framework is gone.
                ctx.reply::<api::agent::Agenting, _>(ShutdownFramework { framework_id });
            }
            return self.drop_message("UpdateStatus", "nobody knows the framework", ctx);
        }
        let agent_id = message.agent_id.clone();
        self.take_in_update(message, ctx);
        self.look_after_drain(&agent_id, ctx);
        self.settle();
    }
}

/// Status updates.
impl MasterProcess {
    fn take_in_update(&mut self, message: UpdateStatus, ctx: &Context<Self>) {
        let UpdateStatus {
            agent_id,
            framework_id,
            status,
            latest,
        } = message;
        self.metrics.status_updates += 1;
        let status = TaskStatus {
            agent_id: Some(agent_id.clone()),
            ..status
        };
        let change = self
            .books
            .update_task(&agent_id, &framework_id, &status, latest);
        tracing::debug!(framework = %framework_id, task = %status.task_id, state = %status.state,
            ?change, "task updated");
        let known = change != Change::Unknown;
        match change {
            Change::Ended(freed) => {
                self.metrics.ended(latest);
                self.orders.recover(freed, None);
            }
            Change::Unknown if self.runs_elsewhere(&framework_id, &status) => {
                // The framework would take it for news of the other one.
                return self.acknowledge_for(&framework_id, &status, ctx);
            }
            Change::Alive | Change::Over | Change::Unknown => {}
        }
        if known && status.update_id.is_none() && status.state.is_terminal() {
            // Nothing to acknowledge: the task is over.
            self.books.complete(&framework_id, &status.task_id);
        }
        if known {
            self.task_updated(&framework_id, &status, latest);
        }
        self.update(&framework_id, status, ctx);
    }

    /// Whether a task by this name is on another agent.
    fn runs_elsewhere(&self, framework_id: &types::FrameworkId, status: &TaskStatus) -> bool {
        let framework = self.books.framework(framework_id);
        framework.is_some_and(|framework| framework.may_run(&status.task_id))
    }

    fn acknowledge_for(
        &self,
        framework_id: &types::FrameworkId,
        status: &TaskStatus,
        ctx: &Context<Self>,
    ) {
        if let Some(update_id) = status.update_id {
            let acknowledge = AcknowledgeUpdate {
                framework_id: framework_id.clone(),
                task_id: status.task_id.clone(),
                update_id,
            };
            ctx.reply::<api::agent::Agenting, _>(acknowledge);
        }
    }
}

impl Handler<ExecutorExited> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: ExecutorExited, ctx: &mut Context<Self>) {
        let ExecutorExited {
            agent_id,
            framework_id,
            executor_id,
            exit,
        } = message;
        if !self.agent_speaks(&agent_id, "ExecutorExited", ctx) {
            return;
        }
        let freed = self
            .books
            .remove_executor(&framework_id, &agent_id, &executor_id);
        let Some(freed) = freed else {
            // The executor of a command, most likely: its task says all there is to say.
            return self.drop_message("ExecutorExited", "nobody knows the executor", ctx);
        };
        self.orders.recover(freed, None);
        if let Some(framework) = self.books.framework(&framework_id) {
            let failure = scheduler::Failure {
                agent_id,
                executor_id: Some(executor_id),
                exit: Some(exit),
            };
            self.say(framework, failure, ctx);
        }
        self.settle();
    }
}

impl Handler<ToFramework> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: ToFramework, ctx: &mut Context<Self>) {
        let ToFramework {
            agent_id,
            framework_id,
            executor_id,
            data,
        } = message;
        if !self.agent_speaks(&agent_id, "ToFramework", ctx) {
            return;
        }
        let framework = self.books.framework(&framework_id);
        let framework = framework.filter(|f| f.is_active() && data.len() <= MAX_DATA_BYTES);
        let Some(framework) = framework else {
            return self.drop_message("ToFramework", "too long, or the framework is away", ctx);
        };
        let words = scheduler::FromExecutor {
            agent_id,
            executor_id,
            data,
        };
        self.say(framework, words, ctx);
    }
}
