//! Why a task failed, with the end of what it wrote on its standard error.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use api::agent::Agenting;
use libproc::prelude::*;
use types::{AgentId, FrameworkId, Offer, Reason, TaskState, TaskStatus};

use crate::framework::Framework;
use crate::process::SchedulerProcess;
use crate::sandbox::{STDERR, Sandbox};

/// How much of the standard error is read, in bytes.
const TAIL: u32 = 4 * 1024;
/// So many agents' addresses are remembered; those of the least ids are forgotten first.
const AGENTS_MAX: usize = 100_000;

/// A task that ended without success.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedTask {
    /// What was heard of its end.
    pub update: TaskStatus,
    /// The last 4 KiB of its standard error, with a sign in the place of what is no text; none
    /// when its agent does not tell.
    pub stderr: Option<String>,
}

impl FailedTask {
    /// Why it failed, in one line.
    pub fn reason(&self) -> String {
        reason(&self.update)
    }
}

/// Why a task is in the state it is in, in one line, for people: what ended its command, or else
/// what the cluster says.
pub fn reason(update: &TaskStatus) -> String {
    let message = update.message.as_deref().filter(|text| !text.is_empty());
    let limited = matches!(
        update.reason,
        Some(
            Reason::MaxCompletionTimeReached
                | Reason::ContainerLimitation
                | Reason::ContainerLimitationDisk
                | Reason::ContainerLimitationMemory
                | Reason::ContainerPreempted
        )
    );
    let ended = match (update.exit_code, update.signal) {
        (_, Some(signal)) => Some(format!("ended by signal {signal}")),
        (Some(code), None) if code != 0 => Some(format!("exited with {code}")),
        (Some(_) | None, None) => None,
    };
    match (ended, message) {
        (Some(ended), Some(message)) if limited => format!("{ended}: {message}"),
        (Some(ended), _) => ended,
        (None, Some(message)) => message.to_owned(),
        (None, None) => match update.reason {
            Some(reason) => reason.to_string(),
            None => format!("{}, and nobody says why", update.state),
        },
    }
}

/// Whether a state is an end that wants explaining.
fn wants_explaining(state: TaskState) -> bool {
    state.is_terminal() && state != TaskState::Finished
}

/// Where agents listen, as their offers said.
#[derive(Debug, Default)]
pub(crate) struct Agents(BTreeMap<AgentId, SocketAddr>);

impl Agents {
    pub(crate) fn offered(&mut self, offers: &[Offer]) {
        for offer in offers {
            if let Ok(address) = offer.agent_address.parse() {
                self.0.insert(offer.agent_id.clone(), address);
            }
        }
        while self.0.len() > AGENTS_MAX {
            self.0.pop_first();
        }
    }

    fn get(&self, agent_id: &AgentId) -> Option<Pid<Agenting>> {
        let upid = Upid::new(api::AGENT, *self.0.get(agent_id)?).ok()?;
        Some(Pid::assume(upid))
    }
}

impl<F: Framework> SchedulerProcess<F> {
    /// Finds out why a task failed, and tells the author.
    pub(crate) fn explain(
        &self,
        framework_id: Option<FrameworkId>,
        update: TaskStatus,
        ctx: &mut Context<Self>,
    ) {
        if !wants_explaining(update.state) {
            return;
        }
        let agent = update.agent_id.as_ref();
        let agent = agent.and_then(|agent_id| self.agents.get(agent_id));
        let sandbox = agent
            .zip(framework_id)
            .map(|(agent, framework_id)| Sandbox {
                node: ctx.node().clone(),
                agent,
                framework_id,
                task_id: update.task_id.clone(),
            });
        let read = async move {
            let tail = sandbox?.tail(STDERR, TAIL).await.ok()?;
            Some(String::from_utf8_lossy(&tail).into_owned())
        };
        ctx.defer(read, |this, stderr, ctx| {
            let failed = FailedTask { update, stderr };
            this.visit(|framework, calls| framework.on_failed(failed, calls), ctx);
        });
    }
}

#[cfg(test)]
mod tests {
    use types::{Source, TaskId};

    use super::*;

    #[test]
    fn a_reason_is_what_ended_the_command_or_what_the_cluster_says() {
        let id = TaskId::new("t").unwrap();
        let status = TaskStatus::new(id, TaskState::Failed, Source::Executor, 0);
        let with = |code, signal| TaskStatus {
            exit_code: code,
            signal,
            ..status.clone()
        };
        assert_eq!(reason(&with(Some(3), None)), "exited with 3");
        assert_eq!(reason(&with(None, Some(9))), "ended by signal 9");
        let said = with(Some(3), None).because(Reason::CommandExecutorFailed, "it failed");
        assert_eq!(reason(&said), "exited with 3");
        let late = with(None, Some(9)).because(Reason::MaxCompletionTimeReached, "time was up");
        assert_eq!(reason(&late), "ended by signal 9: time was up");
        let lost = status.clone().because(Reason::AgentRemoved, "agent gone");
        assert_eq!(reason(&lost), "agent gone");
        assert!(reason(&status).ends_with("nobody says why"));
    }
}
