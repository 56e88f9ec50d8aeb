//! Reregistration: an agent comes back, after a break, a partition, or to another master.

use api::agent::{Agenting, KillTask, Reregistered, ShutdownFramework, TaskOf};
use api::master::Reregister;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, AgentInfo};

use crate::books::{Agent, Readmission, Report};
use crate::process::MasterProcess;
use crate::registry::Operation;

/// An agent reports at most this many tasks, executors and frameworks together; one frame holds
/// no more that are any good.
const MAX_REPORTED: usize = 100_000;

impl Handler<Reregister> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Reregister, ctx: &mut Context<Self>) {
        if ctx.sender() != Some(message.agent.upid()) {
            return self.drop_message("Reregister", "not from the agent it names", ctx);
        }
        let Some(id) = message.info.id.clone() else {
            return self.drop_message("Reregister", "the agent has no id", ctx);
        };
        if self.returning.contains(&id) || self.admitting.contains(message.agent.upid()) {
            return self.drop_message("Reregister", "the agent is being taken back", ctx);
        }
        if self.books.is_gone(&id) {
            let reason = "Agent has been marked gone".to_owned();
            return ctx.tell(&message.agent, api::agent::Refused { reason });
        }
        if self.marking_gone.contains(&id) {
            return self.drop_message("Reregister", "the agent is being marked gone", ctx);
        }
        let reported = message.tasks.len() + message.executors.len() + message.frameworks.len();
        if message.info.validate().is_err() || reported > MAX_REPORTED {
            let reason = "the agent or its report is invalid".to_owned();
            return ctx.tell(&message.agent, api::agent::Refused { reason });
        }
        if self.books.agent(&id).is_some_and(|agent| agent.leaving) {
            return self.drop_message("Reregister", "the agent is being removed", ctx);
        }
        let other = self.books.agent_at(message.agent.upid());
        if let Some(other) = other
            .map(|agent| agent.id.clone())
            .filter(|other| *other != id)
        {
            self.replace_agent(&other, "another agent came back at its address", ctx);
        }
        if self.books.agent(&id).is_some() {
            self.take_back(id, message, ctx);
        } else {
            self.readmit(id, message, ctx);
        }
    }
}

impl MasterProcess {
    /// Takes an agent back that was removed, or that another master knew, once the registry knows.
    fn readmit(&mut self, id: AgentId, message: Reregister, ctx: &mut Context<Self>) {
        self.returning.insert(id.clone());
        let info = message.info.clone();
        let operation = Operation::MarkReachable {
            info: info.clone(),
            upid: message.agent.upid().clone(),
        };
        let stored = self.registrar.apply(operation);
        ctx.defer(stored, move |this, outcome, ctx| {
            this.returning.remove(&id);
            if let Err(error) = outcome {
                return tracing::warn!(agent = %id, %error, "agent not taken back");
            }
            let here = this.books.agent_at(message.agent.upid());
            if here.is_some() || this.books.agent(&id).is_some() {
                return; // somebody else registered meanwhile; it will ask again
            }
            let version = message.version.clone();
            let pid = message.agent.clone();
            let mut agent = Agent::new(id.clone(), info, pid, version);
            agent.registered_ms = unix_ms();
            let recovered = this.recovered.remove(&id);
            this.books.add_agent(agent);
            if let Some(aside) = recovered.and_then(|record| record.aside) {
                this.books.set_aside(&id, aside);
            }
            this.agent_added(&id);
            this.take_back(id, message, ctx);
        });
    }

    /// Takes in what runs on an agent, answers it, and lets it be offered.
    fn take_back(&mut self, id: AgentId, message: Reregister, ctx: &mut Context<Self>) {
        let Reregister {
            info,
            agent: pid,
            version,
            frameworks,
            executors,
            tasks,
        } = message;
        self.rescind_agent_offers(&id, ctx);
        let Some(old) = self.books.agent(&id).map(|agent| agent.pid.clone()) else {
            return;
        };
        if old != pid {
            ctx.unlink(old.upid());
            self.books.move_agent(&id, pid.clone());
        }
        if let Some(agent) = self.books.agent_mut(&id) {
            agent.info = AgentInfo {
                id: Some(id.clone()),
                ..info
            };
            agent.version = version;
            agent.connected = true;
            agent.reregistered_ms = Some(unix_ms());
        }
        let report = Report {
            frameworks,
            executors,
            tasks,
        };
        tracing::info!(agent = %id, %pid, tasks = report.tasks.len(), "agent reregistered");
        self.metrics.agent_reregistrations += 1;
        let added = report.tasks.iter().filter(|task| {
            let framework = self.books.framework(&task.framework_id);
            framework.is_none_or(|framework| framework.task(&task.task_id).is_none())
        });
        let named = |task: &types::Task| (task.framework_id.clone(), task.task_id.clone());
        let added: Vec<_> = added.map(named).collect();
        let readmission = self.books.readmit(&id, report, unix_ms());
        for framework_id in &readmission.recovered {
            self.framework_added(framework_id);
        }
        for (framework_id, task_id) in &added {
            self.task_added(framework_id, task_id);
        }
        self.announce_agent(&id);
        self.watch_agent(&id, ctx);
        self.follow_up(id.clone(), pid, readmission, ctx);
        self.tell_to_drain(&id, ctx);
        self.look_after_drain(&id, ctx);
        self.settle();
    }

    /// Tells everybody what the return of an agent means for them.
    fn follow_up(
        &mut self,
        agent_id: AgentId,
        pid: Pid<Agenting>,
        readmission: Readmission,
        ctx: &mut Context<Self>,
    ) {
        let Readmission {
            shut_down,
            kill,
            unknown,
            told,
            recovered,
        } = readmission;
        let reregistered = Reregistered {
            agent_id,
            master: self.info.clone(),
            silence: self.options.agent_silence(),
            unknown,
        };
        ctx.tell(&pid, reregistered);
        for framework_id in shut_down {
            ctx.tell(&pid, ShutdownFramework { framework_id });
        }
        for (of, kill_policy) in kill {
            let TaskOf {
                framework_id,
                task_id,
            } = of;
            let kill = KillTask {
                framework_id,
                task_id,
                kill_policy,
            };
            ctx.tell(&pid, kill);
        }
        for (framework_id, status) in told {
            if status.state.is_terminal() {
                self.metrics.ended(status.state);
            }
            self.task_updated(&framework_id, &status, status.state);
            self.update(&framework_id, status, ctx);
        }
        self.await_recovered(&recovered, ctx);
    }
}
