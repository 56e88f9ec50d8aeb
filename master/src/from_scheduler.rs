//! What schedulers say, but for subscribing (`subscription`) and accepting (`launch`).

use api::agent;
use api::master::{Acknowledge, Decline, Kill, Reconcile, ReconcileTask, Revive, ShutdownExecutor};
use api::master::{Suppress, Teardown, ToExecutor};
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, FrameworkId, KillPolicy, MAX_DATA_BYTES, TaskId};

use crate::failover::Farewell;
use crate::process::MasterProcess;
use crate::reconcile::{self, Doubts};

impl Handler<Teardown> for MasterProcess {
    type Result = ();
    fn handle(&mut self, Teardown { framework_id }: Teardown, ctx: &mut Context<Self>) {
        if self.speaking(&framework_id, "Teardown", ctx).is_some() {
            self.remove_framework(&framework_id, Farewell::Silent, ctx);
        }
    }
}

impl Handler<Decline> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Decline, ctx: &mut Context<Self>) {
        let id = &message.framework_id;
        if self.speaking(id, "Decline", ctx).is_none() {
            return;
        }
        for offer in &message.offer_ids {
            let ours = self.books.offer(offer);
            if ours.is_some_and(|offer| offer.framework_id == *id) {
                self.metrics.offers_declined += 1;
                self.recover_offer(offer, Some(message.filters));
            } else {
                self.metrics.offers_invalid += 1;
            }
        }
        self.settle();
    }
}

impl Handler<Revive> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Revive, ctx: &mut Context<Self>) {
        let Revive {
            framework_id,
            roles,
        } = message;
        let Some(framework) = self.speaking(&framework_id, "Revive", ctx) else {
            return;
        };
        if roles
            .iter()
            .any(|role| !framework.info.roles.contains(role))
        {
            return self.drop_message("Revive", "of a role the framework does not have", ctx);
        }
        let roles = roles.into_iter().collect();
        self.orders
            .give(move |allocator, _| allocator.revive(&framework_id, &roles));
    }
}

impl Handler<Suppress> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Suppress, ctx: &mut Context<Self>) {
        let Suppress {
            framework_id,
            roles,
        } = message;
        let Some(framework) = self.speaking(&framework_id, "Suppress", ctx) else {
            return;
        };
        if roles
            .iter()
            .any(|role| !framework.info.roles.contains(role))
        {
            return self.drop_message("Suppress", "of a role the framework does not have", ctx);
        }
        let roles = roles.into_iter().collect();
        self.orders
            .give(move |allocator, _| allocator.suppress(&framework_id, &roles));
    }
}

impl Handler<Kill> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Kill, ctx: &mut Context<Self>) {
        let Kill {
            framework_id,
            task_id,
            agent_id,
            kill_policy,
        } = message;
        if self.speaking(&framework_id, "Kill", ctx).is_some() {
            self.kill(&framework_id, task_id, agent_id, kill_policy, ctx);
        }
    }
}

impl MasterProcess {
    /// Sends a kill to the task's agent, at once or when that is back. When there is nothing to
    /// kill, or nobody to do it, the framework is told what is known of the task.
    pub(crate) fn kill(
        &mut self,
        framework_id: &FrameworkId,
        task_id: TaskId,
        agent_id: Option<AgentId>,
        kill_policy: Option<KillPolicy>,
        ctx: &Context<Self>,
    ) {
        let Some(framework) = self.books.framework(framework_id) else {
            return;
        };
        let live = framework.task(&task_id);
        let live = live.filter(|task| !task.state.is_terminal());
        let Some(task) = live else {
            // Should it come into sight again, it is killed all the same.
            self.books.kill_later(framework_id, &task_id, kill_policy);
            let asked = ReconcileTask { task_id, agent_id };
            return self.reconcile_one(framework_id, &asked, ctx);
        };
        let agent = self.books.agent(&task.agent_id);
        match agent.filter(|agent| agent.connected) {
            Some(agent) => {
                let kill = agent::KillTask {
                    framework_id: framework_id.clone(),
                    task_id,
                    kill_policy,
                };
                ctx.tell(&agent.pid, kill);
            }
            None => self.books.kill_later(framework_id, &task_id, kill_policy),
        }
    }

    fn reconcile_one(&self, id: &FrameworkId, asked: &ReconcileTask, ctx: &Context<Self>) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let doubts = Doubts {
            returning: &self.returning,
            ids: &self.ids,
            learning: self.is_learning() || !self.recovered.is_empty(),
        };
        if let Some(status) = reconcile::one(&self.books, framework, asked, &doubts, unix_ms()) {
            self.update(id, status, ctx);
        }
    }
}

impl Handler<Reconcile> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Reconcile, ctx: &mut Context<Self>) {
        let id = &message.framework_id;
        let Some(framework) = self.speaking(id, "Reconcile", ctx) else {
            return;
        };
        if message.tasks.is_empty() {
            for status in reconcile::all(framework, unix_ms()) {
                self.update(id, status, ctx);
            }
        }
        for asked in &message.tasks {
            self.reconcile_one(id, asked, ctx);
        }
    }
}

impl Handler<Acknowledge> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Acknowledge, ctx: &mut Context<Self>) {
        let Acknowledge {
            framework_id,
            agent_id,
            task_id,
            update_id,
        } = message;
        if self.speaking(&framework_id, "Acknowledge", ctx).is_none() {
            return;
        }
        let agent = self.books.agent(&agent_id).filter(|agent| agent.connected);
        let Some(agent) = agent else {
            // The agent says it again when it is back, and so will the framework.
            return self.drop_message("Acknowledge", "for an agent that is not there", ctx);
        };
        let acknowledge = agent::AcknowledgeUpdate {
            framework_id: framework_id.clone(),
            task_id: task_id.clone(),
            update_id,
        };
        ctx.tell(&agent.pid, acknowledge);
        self.books
            .acknowledge(&agent_id, &framework_id, &task_id, update_id);
        self.look_after_drain(&agent_id, ctx);
        self.settle();
    }
}

impl Handler<ShutdownExecutor> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: ShutdownExecutor, ctx: &mut Context<Self>) {
        let ShutdownExecutor {
            framework_id,
            agent_id,
            executor_id,
        } = message;
        if self
            .speaking(&framework_id, "ShutdownExecutor", ctx)
            .is_none()
        {
            return;
        }
        let agent = self.books.agent(&agent_id).filter(|agent| agent.connected);
        let Some(agent) = agent else {
            return self.drop_message("ShutdownExecutor", "for an agent that is not there", ctx);
        };
        let shutdown = agent::ShutdownExecutor {
            framework_id,
            executor_id,
        };
        ctx.tell(&agent.pid, shutdown);
    }
}

impl Handler<ToExecutor> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: ToExecutor, ctx: &mut Context<Self>) {
        let ToExecutor {
            framework_id,
            agent_id,
            executor_id,
            data,
        } = message;
        if self.speaking(&framework_id, "ToExecutor", ctx).is_none() {
            return;
        }
        let agent = self.books.agent(&agent_id).filter(|agent| agent.connected);
        let Some(agent) = agent.filter(|_| data.len() <= MAX_DATA_BYTES) else {
            return self.drop_message("ToExecutor", "too long, or the agent is not there", ctx);
        };
        let words = agent::ToExecutor {
            framework_id,
            executor_id,
            data,
        };
        ctx.tell(&agent.pid, words);
    }
}
