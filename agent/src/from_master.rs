//! What the master says.

use std::time::Duration;

use api::agent::{
    AcknowledgeUpdate, KillTask, Ping, Refused, Registered, Reregistered, RunGroup, RunTask,
    ShutdownExecutor, ShutdownFramework, TaskOf, ToExecutor,
};
use api::executor::{FromFramework, Kill};
use libproc::prelude::*;
use types::{AgentId, MasterInfo, Reason, TaskState};

use crate::agent::Agent;
use crate::books::{Killing, Phase};
use crate::launcher::Destroy;
use crate::stopping::Leaving;

/// The shortest silence after which a master may count as lost, whatever it asks for.
const SILENCE_MIN: Duration = Duration::from_secs(1);

impl Agent {
    /// Whether what is being handled comes from the master, and not from one that was.
    fn is_from_master(&self, ctx: &Context<Self>) -> bool {
        let Some(sender) = ctx.sender() else {
            return true; // said on this node, by whoever runs the agent
        };
        let known = Some(sender) == self.leader.as_ref() || sender == self.options.master.upid();
        if !known {
            tracing::warn!(from = %sender, "word of another than the master ignored");
        }
        known
    }

    /// Whether the master may give orders.
    pub(crate) fn obeys(&self, ctx: &Context<Self>) -> bool {
        self.is_from_master(ctx) && self.registration.is_registered()
    }

    /// The master has the agent in its books. False when it means another one.
    fn registered(
        &mut self,
        agent_id: AgentId,
        master: &MasterInfo,
        silence: Duration,
        ctx: &mut Context<Self>,
    ) -> bool {
        if self.info.id.as_ref().is_some_and(|id| *id != agent_id) {
            tracing::error!(agent = %agent_id, "master takes the agent for another one");
            return false;
        }
        if self.info.id.is_none() {
            self.collect_former(&agent_id);
            self.info.id = Some(agent_id.clone());
            self.agent_changed();
        }
        tracing::info!(agent = %agent_id, master = %master.address, "registered with master");
        self.leader = ctx.sender().cloned();
        let now_ms = self.now_ms();
        self.registration
            .registered(silence.max(SILENCE_MIN), now_ms);
        let forwards = self.updates.resume(now_ms);
        self.forward(forwards, ctx);
        self.set_alarm(ctx);
        true
    }

    pub(crate) fn kill_task(&mut self, message: KillTask, ctx: &mut Context<Self>) {
        let KillTask {
            framework_id,
            task_id,
            kill_policy,
        } = message;
        let of = TaskOf {
            framework_id,
            task_id,
        };
        let killing = self.books.kill(&of);
        tracing::info!(framework = %of.framework_id, task = %of.task_id, ?killing, "killing task");
        match killing {
            Killing::Tell(process) => {
                let kill = Kill {
                    task_id: of.task_id,
                    kill_policy,
                };
                // Not before the task, should that wait for the disk.
                self.once_written(ctx, move |_, ctx| ctx.tell(&process, kill));
            }
            Killing::Destroy(container_id) => {
                self.destroy(&container_id, Destroy::Now);
            }
            Killing::Dequeued(tasks) => {
                let reason = Reason::TaskKilledDuringLaunch;
                for task_id in tasks {
                    let message = match task_id == of.task_id {
                        true => "Killed before its executor registered",
                        false => "A task of its group was killed before their executor registered",
                    };
                    let framework_id = of.framework_id.clone();
                    let of = TaskOf {
                        framework_id,
                        task_id,
                    };
                    self.own_update(&of, TaskState::Killed, reason, message, ctx);
                }
            }
            Killing::Unknown => {
                let message = "Cannot kill a task that is not on the agent";
                self.answer_for_unknown(&of, Reason::TaskUnknown, message, ctx);
            }
            Killing::Ending => {}
        }
    }

    /// Tells that a task is not here, unless the agent has its end to tell.
    fn answer_for_unknown(
        &mut self,
        of: &TaskOf,
        reason: Reason,
        message: &str,
        ctx: &mut Context<Self>,
    ) {
        let known = self.books.task(of).is_some() || self.updates.has(of);
        if known || self.books.history.executor_of(of).is_some() {
            return tracing::debug!(task = %of.task_id, "task is known after all");
        }
        self.own_update(of, TaskState::Dropped, reason, message, ctx);
    }
}

impl Handler<Registered> for Agent {
    type Result = ();
    fn handle(&mut self, message: Registered, ctx: &mut Context<Self>) {
        let Registered {
            agent_id,
            master,
            silence,
        } = message;
        if !self.registration.is_registered() || self.is_from_master(ctx) {
            self.registered(agent_id, &master, silence, ctx);
        }
    }
}

impl Handler<Reregistered> for Agent {
    type Result = ();
    fn handle(&mut self, message: Reregistered, ctx: &mut Context<Self>) {
        let Reregistered {
            agent_id,
            master,
            silence,
            unknown,
        } = message;
        if self.registration.is_registered() && !self.is_from_master(ctx) {
            return;
        }
        if !self.registered(agent_id, &master, silence, ctx) {
            return;
        }
        for of in unknown {
            // What is in the history ended and was acknowledged, but to another master.
            if self.books.task(&of).is_none() && !self.updates.has(&of) {
                let message = "The agent does not know the task";
                self.own_update(
                    &of,
                    TaskState::Dropped,
                    Reason::Reconciliation,
                    message,
                    ctx,
                );
            }
        }
    }
}

impl Handler<Refused> for Agent {
    type Result = ();
    fn handle(&mut self, Refused { reason }: Refused, ctx: &mut Context<Self>) {
        if self.is_from_master(ctx) {
            tracing::error!(reason, "master refuses the agent");
            self.begin_to_stop(Leaving::Refused, ctx);
        }
    }
}

impl Handler<Ping> for Agent {
    type Result = ();
    fn handle(&mut self, Ping { registered }: Ping, ctx: &mut Context<Self>) {
        if !self.is_from_master(ctx) {
            return;
        }
        let now_ms = self.now_ms();
        self.registration.heard(now_ms);
        if !registered {
            self.master_lost(ctx);
        }
    }
}

impl Handler<RunTask> for Agent {
    type Result = ();
    fn handle(&mut self, message: RunTask, ctx: &mut Context<Self>) {
        // The master learns from the registration to come that the task never arrived.
        if self.obeys(ctx) && self.stopping.is_none() {
            self.run_task(message, ctx);
        }
    }
}

impl Handler<RunGroup> for Agent {
    type Result = ();
    fn handle(&mut self, message: RunGroup, ctx: &mut Context<Self>) {
        if self.obeys(ctx) && self.stopping.is_none() {
            self.run_group(message, ctx);
        }
    }
}

impl Handler<KillTask> for Agent {
    type Result = ();
    fn handle(&mut self, message: KillTask, ctx: &mut Context<Self>) {
        if self.obeys(ctx) {
            self.kill_task(message, ctx);
        }
    }
}

impl Handler<AcknowledgeUpdate> for Agent {
    type Result = ();
    fn handle(&mut self, message: AcknowledgeUpdate, ctx: &mut Context<Self>) {
        if !self.obeys(ctx) {
            return;
        }
        let AcknowledgeUpdate {
            framework_id,
            task_id,
            update_id,
        } = message;
        let of = TaskOf {
            framework_id,
            task_id,
        };
        let now_ms = self.now_ms();
        let Some(acknowledged) = self.updates.acknowledge(&of, update_id, now_ms) else {
            return tracing::debug!(task = %of.task_id, %update_id, "acknowledgement ignored");
        };
        self.forward(acknowledged.next, ctx);
        if acknowledged.ended {
            self.books.acknowledged(&of);
            self.end_drain_when_empty();
        }
        self.write_down();
        self.set_alarm(ctx);
    }
}

impl Handler<ShutdownFramework> for Agent {
    type Result = ();
    fn handle(&mut self, message: ShutdownFramework, ctx: &mut Context<Self>) {
        if !self.is_from_master(ctx) {
            return;
        }
        let ShutdownFramework { framework_id } = message;
        tracing::info!(framework = %framework_id, "shutting down framework");
        self.updates.forget_framework(&framework_id);
        for container_id in self.books.end_framework(&framework_id) {
            self.shut_down(&container_id, ctx);
        }
        self.write_down();
    }
}

impl Handler<ShutdownExecutor> for Agent {
    type Result = ();
    fn handle(&mut self, message: ShutdownExecutor, ctx: &mut Context<Self>) {
        if !self.is_from_master(ctx) {
            return;
        }
        let ShutdownExecutor {
            framework_id,
            executor_id,
        } = message;
        tracing::info!(framework = %framework_id, executor = %executor_id, "shutting down executor");
        let executor = self.books.executor(&framework_id, &executor_id);
        if let Some(container_id) = executor.map(|executor| executor.container_id.clone()) {
            self.shut_down(&container_id, ctx);
        }
    }
}

impl Handler<ToExecutor> for Agent {
    type Result = ();
    fn handle(&mut self, message: ToExecutor, ctx: &mut Context<Self>) {
        let ToExecutor {
            framework_id,
            executor_id,
            data,
        } = message;
        if !self.obeys(ctx) {
            return;
        }
        let executor = self.books.executor(&framework_id, &executor_id);
        match executor.map(|executor| (executor.phase, &executor.process)) {
            Some((Phase::Running, Some(process))) => {
                self.counters.framework_message(true);
                ctx.tell(process, FromFramework { data });
            }
            Some(_) | None => {
                self.counters.framework_message(false);
                tracing::debug!(
                    framework = %framework_id, executor = %executor_id,
                    "message for an executor that is not running dropped"
                );
            }
        }
    }
}
