//! Draining: an agent that its operator wants empty ends its tasks, and takes no others until then.

use std::time::Duration;

use api::agent::{Drain, KillTask, TaskOf};
use libproc::env;
use libproc::prelude::*;
use serde::{Deserialize, Serialize};
use types::{DrainConfig, FrameworkCapability, KillPolicy, Reason, TaskState, TaskStatus};

use crate::agent::Agent;

/// How an agent is being drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draining {
    pub(crate) config: DrainConfig,
    pub(crate) since_ms: u64,
}

impl Agent {
    fn drain(&mut self, config: DrainConfig, ctx: &mut Context<Self>) {
        let frameworks = self.books.frameworks();
        let executors = frameworks.flat_map(|(_, framework)| framework.executors.values());
        let tasks: Vec<(TaskOf, Option<KillPolicy>)> = executors
            .flat_map(|executor| executor.tasks.values())
            .map(|task| {
                let (framework_id, task_id) = (task.framework_id.clone(), task.task_id.clone());
                let of = TaskOf {
                    framework_id,
                    task_id,
                };
                (of, shortened(task.kill_policy, config.max_grace_period))
            })
            .collect();
        tracing::info!(tasks = tasks.len(), ?config, "draining");
        if tasks.is_empty() {
            return; // the master finds that out too
        }
        self.draining = Some(Draining {
            config,
            since_ms: env::unix_ms(),
        });
        self.agent_changed();
        for (of, kill_policy) in tasks {
            let TaskOf {
                framework_id,
                task_id,
            } = of;
            let kill = KillTask {
                framework_id,
                task_id,
                kill_policy,
            };
            self.kill_task(kill, ctx);
        }
    }

    /// With its last task, acknowledged, an agent is drained, and takes others if it is sent any.
    pub(crate) fn end_drain_when_empty(&mut self) {
        let busy = {
            let mut frameworks = self.books.frameworks();
            frameworks.any(|(_, framework)| {
                let mut executors = framework.executors.values();
                executors.any(|executor| !executor.tasks.is_empty())
            })
        };
        if !busy && self.draining.take().is_some() {
            self.agent_changed();
            tracing::info!("drained");
        }
    }

    /// Says of a task that is killed while the agent is drained that this is why.
    pub(crate) fn blame_drain(&self, of: &TaskOf, status: &mut TaskStatus) {
        let Some(draining) = &self.draining else {
            return;
        };
        if !matches!(status.state, TaskState::Killing | TaskState::Killed) {
            return;
        }
        status.reason = Some(Reason::AgentDraining);
        let framework = self.books.framework(&of.framework_id);
        let aware = framework
            .is_some_and(|framework| framework.info.has(FrameworkCapability::PartitionAware));
        if draining.config.mark_gone && aware && status.state == TaskState::Killed {
            status.state = TaskState::GoneByOperator;
        }
    }
}

/// The policy to kill a task by instead of its own; none if its own is as quick.
fn shortened(own: Option<KillPolicy>, longest: Option<Duration>) -> Option<KillPolicy> {
    let grace_period = longest?;
    let shorter = own.is_none_or(|own| grace_period < own.grace_period);
    shorter.then_some(KillPolicy { grace_period })
}

impl Handler<Drain> for Agent {
    type Result = ();
    fn handle(&mut self, Drain { config }: Drain, ctx: &mut Context<Self>) {
        if self.obeys(ctx) {
            self.drain(config, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_no_longer_to_stop_than_the_drain_allows() {
        let policy = |seconds| KillPolicy {
            grace_period: Duration::from_secs(seconds),
        };
        let ten = Some(Duration::from_secs(10));
        assert_eq!(shortened(Some(policy(60)), ten), Some(policy(10)));
        assert_eq!(shortened(None, ten), Some(policy(10)));
        assert_eq!(shortened(Some(policy(5)), ten), None);
        assert_eq!(shortened(Some(policy(60)), None), None);
    }
}
