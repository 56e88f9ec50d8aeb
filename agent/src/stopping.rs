//! The end of an agent: its executors first, then itself.

use std::time::Duration;

use api::agent::Stop;
use api::executor::Shutdown;
use api::master::Unregister;
use libproc::prelude::*;

use crate::agent::Agent;
use crate::launcher::Destroy;

/// How long after their grace period executors may take to be gone.
const SLACK: Duration = Duration::from_secs(2);

/// An agent that is about to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopping {
    /// Whether the master is told that it will not come back.
    unregister: bool,
}

impl Agent {
    /// Ends all executors, and the agent when they are gone.
    pub(crate) fn begin_to_stop(&mut self, unregister: bool, ctx: &mut Context<Self>) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!(unregister, "stopping");
        self.stopping = Some(Stopping { unregister });
        let mut longest = self.options.executor_shutdown_grace_period;
        for container_id in self.books.containers() {
            if let Some(executor) = self.books.in_container(&container_id) {
                longest = longest.max(executor.info.shutdown_grace.unwrap_or_default());
            }
            self.shut_down(&container_id, ctx);
        }
        ctx.after(longest + SLACK, |agent, ctx| agent.finish(ctx));
        self.stop_when_empty(ctx);
    }

    pub(crate) fn stop_when_empty(&mut self, ctx: &mut Context<Self>) {
        if self.stopping.is_some() && self.books.containers().is_empty() {
            self.finish(ctx);
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        let unregister = self.stopping.is_some_and(|stopping| stopping.unregister);
        if let (true, Some(agent_id)) = (unregister, self.info.id.clone()) {
            ctx.tell(&self.options.master, Unregister { agent_id });
        }
        ctx.terminate();
    }

    /// The last word, when the process ends: whatever runs is to end without it.
    pub(crate) fn abandon_executors(&mut self, ctx: &mut Context<Self>) {
        let grace = self.options.executor_shutdown_grace_period;
        for container_id in self.books.containers() {
            if let Some(executor) = self.books.in_container(&container_id)
                && let Some(process) = &executor.process
            {
                ctx.tell(process, Shutdown {});
            }
            self.launch
                .destroy(container_id.as_str(), Destroy::After { grace });
        }
    }
}

impl Handler<Stop> for Agent {
    type Result = ();
    fn handle(&mut self, Stop { unregister }: Stop, ctx: &mut Context<Self>) {
        // Whoever runs the agent says so, on its own node.
        if let Some(from) = ctx.sender() {
            return tracing::warn!(%from, "stop by a stranger ignored");
        }
        self.begin_to_stop(unregister, ctx);
    }
}
