//! The end of an agent: its executors first, but for those that outlive it, then itself.

use std::time::Duration;

use api::agent::Stop;
use api::executor::Shutdown;
use api::master::Unregister;
use libproc::prelude::*;
use types::ContainerId;

use crate::agent::Agent;
use crate::launcher::Destroy;

/// How long after their grace period executors may take to be gone.
const SLACK: Duration = Duration::from_secs(2);

/// Whether the agent comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// Another may go on where it was.
    ForNow,
    /// It does not, and tells the master so. Whoever is started in its place is another agent.
    ForGood,
    /// Neither does it, because its master wants nothing of it.
    Refused,
}

/// An agent that is about to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopping {
    leaving: Leaving,
}

impl Agent {
    /// Ends executors, and the agent when they are gone.
    pub(crate) fn begin_to_stop(&mut self, leaving: Leaving, ctx: &mut Context<Self>) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!(?leaving, "stopping");
        self.stopping = Some(Stopping { leaving });
        let mut longest = self.options.executor_shutdown_grace_period;
        for container_id in self.containers_to_end() {
            if let Some(executor) = self.books.in_container(&container_id) {
                longest = longest.max(executor.info.shutdown_grace.unwrap_or_default());
            }
            self.shut_down(&container_id, ctx);
        }
        ctx.after(longest + SLACK, |agent, ctx| agent.finish(ctx));
        self.stop_when_empty(ctx);
    }

    /// What ends with the agent.
    fn containers_to_end(&self) -> Vec<ContainerId> {
        let for_now = self.stopping.is_none_or(|it| it.leaving == Leaving::ForNow);
        match for_now && self.checkpoints.last() {
            true => self.books.bound_and_lasting().0,
            false => self.books.containers(),
        }
    }

    pub(crate) fn stop_when_empty(&mut self, ctx: &mut Context<Self>) {
        if self.stopping.is_some() && self.containers_to_end().is_empty() {
            self.finish(ctx);
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        let leaving = self.stopping.map(|stopping| stopping.leaving);
        if let (Some(Leaving::ForGood), Some(agent_id)) = (leaving, self.info.id.clone()) {
            ctx.tell(&self.options.master, Unregister { agent_id });
        }
        match leaving {
            Some(Leaving::ForGood | Leaving::Refused) => self.forget_everything(),
            Some(Leaving::ForNow) | None => {}
        }
        self.once_written(ctx, |_, ctx| ctx.terminate());
    }

    /// The last word, when the process ends: whatever does not outlive it is to end without it.
    pub(crate) fn abandon_executors(&mut self, ctx: &mut Context<Self>) {
        let grace = self.options.executor_shutdown_grace_period;
        for container_id in self.containers_to_end() {
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
        let leaving = match unregister {
            true => Leaving::ForGood,
            false => Leaving::ForNow,
        };
        self.begin_to_stop(leaving, ctx);
    }
}
