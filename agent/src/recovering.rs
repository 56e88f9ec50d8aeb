//! The first minutes of an agent that goes on where another was: its executors come back, and what
//! does not is ended.

use std::time::Duration;

use api::executor::Reconnect;
use libproc::Context;
use types::{ContainerId, Reason, TaskState};

use crate::agent::Agent;
use crate::books::{Fate, Phase};
use crate::launcher::{Destroy, end_orphans};

/// What was left by the agent before, until it is dealt with.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Executors that have to come back.
    pub(crate) awaited: Vec<ContainerId>,
    pub(crate) ending: Vec<ContainerId>,
    pub(crate) gone: Vec<ContainerId>,
    pub(crate) strangers: Vec<String>,
    pub(crate) orphans: Vec<(u32, std::path::PathBuf)>,
}

impl Agent {
    /// Deals with everything that the agent before has left.
    pub(crate) fn take_over(&mut self, ctx: &mut Context<Self>) {
        let Left {
            awaited,
            ending,
            gone,
            strangers,
            orphans,
        } = std::mem::take(&mut self.left);
        self.agent_changed();
        self.write_down();
        for container_id in strangers {
            // The task it was for was never heard of, or has a new life elsewhere.
            tracing::warn!(container = container_id, "ending a container nobody knows");
            self.launch.destroy(&container_id, Destroy::Now);
        }
        let grace = self.options.executor_shutdown_grace_period;
        for container_id in ending {
            let how = Destroy::After { grace };
            self.launch.destroy(container_id.as_str(), how);
        }
        if let Some(agent_id) = self.info.id.clone() {
            self.collect_former(&agent_id);
            self.collect_left(&agent_id);
        }
        self.await_executors(awaited, ctx);
        if orphans.is_empty() {
            return self.tell_of_gone(gone, ctx);
        }
        tracing::warn!(
            orphans = orphans.len(),
            "ending processes whose launcher has gone"
        );
        let ended = async move {
            let orphans = orphans
                .iter()
                .map(|(pid, sandbox)| (*pid, sandbox.as_path()));
            end_orphans(orphans.collect()).await;
        };
        ctx.defer(ended, |agent, (), ctx| agent.tell_of_gone(gone, ctx));
    }

    fn tell_of_gone(&mut self, gone: Vec<ContainerId>, ctx: &mut Context<Self>) {
        for container_id in gone {
            self.container_ended(&container_id, None, ctx);
        }
    }

    fn await_executors(&mut self, awaited: Vec<ContainerId>, ctx: &mut Context<Self>) {
        let timeout = self.options.executor_reregistration_timeout;
        for container_id in awaited {
            let Some(executor) = self.books.in_container(&container_id) else {
                continue;
            };
            if executor.phase == Phase::Starting {
                let timeout = self.options.executor_registration_timeout;
                self.expect_registration(container_id, timeout, ctx);
                continue;
            }
            if let Some(process) = &executor.process {
                ctx.tell(process, Reconnect {});
            }
            let late = container_id.clone();
            let timer = ctx.after(timeout, move |agent, _| agent.not_back(&late, timeout));
            self.timeouts.insert(container_id, timer);
        }
    }

    /// Whether an executor that speaks was awaited; it is not any more.
    pub(crate) fn came_back(
        &mut self,
        container_id: &ContainerId,
        ctx: &mut Context<Self>,
    ) -> bool {
        match self.timeouts.remove(container_id) {
            Some(timer) => {
                ctx.cancel(timer);
                true
            }
            None => false,
        }
    }

    fn not_back(&mut self, container_id: &ContainerId, timeout: Duration) {
        self.timeouts.remove(container_id);
        let Some(executor) = self.books.in_container(container_id) else {
            return;
        };
        tracing::warn!(container = %container_id, "executor did not come back in time");
        executor.phase = Phase::Ending;
        executor.fate.get_or_insert(Fate {
            state: TaskState::Failed,
            reason: Reason::ExecutorReregistrationTimeout,
            message: format!("The executor did not come back within {timeout:?}"),
        });
        self.destroy(container_id, Destroy::Now);
        self.write_down();
    }
}
