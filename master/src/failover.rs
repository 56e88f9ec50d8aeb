//! Failover: frameworks whose scheduler is gone, for a while or for good.

use std::time::Duration;

use api::agent::ShutdownFramework;
use api::master::FrameworkState;
use api::scheduler;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{FrameworkId, Reason, TaskState, TaskStatus};

use crate::process::MasterProcess;
use crate::registry::Operation;
use crate::status::Word;

/// Whether a framework that is removed is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It asked for it, or is not there.
    Silent,
    /// Somebody else decided.
    Told,
}

impl MasterProcess {
    /// The connection to a scheduler broke: its tasks go on, until its failover timeout ends.
    pub(crate) fn framework_disconnected(&mut self, id: &FrameworkId, ctx: &mut Context<Self>) {
        self.recover_framework_offers(id);
        self.books.disconnect_framework(id);
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let timeout = framework.info.failover_timeout;
        tracing::info!(framework = %id, timeout_ms = timeout.as_millis() as u64,
            "framework disconnected");
        if timeout.is_zero() {
            return self.remove_framework(id, Farewell::Silent, ctx);
        }
        self.framework_updated(id);
        let deactivated = id.clone();
        self.orders
            .give(move |allocator, _| allocator.deactivate_framework(&deactivated));
        self.remember_framework(id);
        self.await_framework(id, timeout, ctx);
    }

    /// Removes a framework that is not there, unless it comes within some time.
    pub(crate) fn await_framework(
        &mut self,
        id: &FrameworkId,
        within: Duration,
        ctx: &mut Context<Self>,
    ) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let (id, session) = (id.clone(), framework.session);
        ctx.after(within, move |this, ctx| {
            let framework = this.books.framework(&id);
            if framework.is_some_and(|framework| framework.session == session) {
                tracing::info!(framework = %id, "framework did not come back in time");
                this.remove_framework(&id, Farewell::Silent, ctx);
            }
        });
    }

    /// Ends a framework: its tasks are killed, and it may not come back.
    pub(crate) fn remove_framework(
        &mut self,
        id: &FrameworkId,
        farewell: Farewell,
        ctx: &mut Context<Self>,
    ) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let word = Word {
            state: TaskState::Killed,
            reason: Reason::FrameworkRemoved,
            message: "the framework was removed",
            at_ms: unix_ms(),
        };
        let pid = framework.pid.clone().filter(|_| framework.is_active());
        let live = framework.live_tasks();
        let info = framework.info.clone();
        let ended: Vec<TaskStatus> = framework
            .tasks()
            .filter(|entry| !entry.task.state.is_terminal())
            .map(|entry| word.of_task(&entry.task))
            .collect();
        self.recover_framework_offers(id);
        let agents = self.books.remove_framework(id, word);
        for agent in &agents {
            self.look_after_drain(agent, ctx);
        }
        for agent in agents {
            if let Some(agent) = self.books.agent(&agent).filter(|agent| agent.connected) {
                let framework_id = id.clone();
                ctx.tell(&agent.pid, ShutdownFramework { framework_id });
            }
        }
        for status in ended {
            self.metrics.ended(word.state);
            self.task_updated(id, &status, word.state);
        }
        self.framework_removed(&info);
        if let Some(pid) = pid {
            ctx.unlink(pid.upid());
            if farewell == Farewell::Told {
                let reason = "Framework has been removed".to_owned();
                ctx.tell(&pid, scheduler::Rejected { reason });
            }
        }
        let removed = id.clone();
        self.orders
            .give(move |allocator, _| allocator.remove_framework(&removed));
        drop(
            self.registrar
                .apply(Operation::EndFramework(id.clone(), unix_ms())),
        );
        self.metrics.frameworks_removed += 1;
        tracing::info!(framework = %id, tasks = live, "framework removed");
        self.settle();
    }

    /// Frameworks that agents told of: they are waited for, as long as any agent, and then as long
    /// as they said themselves.
    pub(crate) fn await_recovered(&mut self, ids: &[FrameworkId], ctx: &mut Context<Self>) {
        for id in ids {
            let Some(framework) = self.books.framework(id) else {
                continue;
            };
            debug_assert_eq!(framework.state, FrameworkState::Recovered);
            let within = self.options.agent_reregister_timeout;
            let within = within.saturating_add(framework.info.failover_timeout);
            self.await_framework(id, within, ctx);
        }
    }
}
