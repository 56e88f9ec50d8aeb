//! What a master takes over from the one before: agents and frameworks that the registry knows and
//! that may come back, each within its time.

use std::time::Duration;

use api::master::FrameworkState;
use api::scheduler;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, FrameworkId};

use crate::books::{Agent, Framework};
use crate::process::MasterProcess;
use crate::registry::{AgentRecord, Operation, Presence};

/// How often the registry forgets what is too old.
const FORGET_EVERY: Duration = Duration::from_secs(15 * 60);

impl MasterProcess {
    /// Puts what the registry knows into the books.
    pub(crate) fn take_over_registry(&mut self) {
        let agents = self.registrar.registry().agents();
        for (id, record) in agents {
            match record.presence {
                Presence::Admitted => drop(self.recovered.insert(id.clone(), record.clone())),
                Presence::Unreachable { since_ms } => {
                    self.books.miss_agent(agent_of(id, record), since_ms);
                    if let Some(aside) = record.aside {
                        self.books.set_aside(id, aside);
                    }
                }
                Presence::Gone { .. } => self.books.remember_gone(id),
            }
        }
        for (id, record) in self.registrar.registry().frameworks() {
            let state = match record.ended_ms {
                None => FrameworkState::Recovered,
                Some(_) => FrameworkState::Completed,
            };
            let mut framework = Framework::new(id.clone(), record.info.clone(), state);
            framework.unregistered_ms = record.ended_ms;
            match state {
                FrameworkState::Completed => self.books.remember_ended(framework),
                _ => self.books.add_framework(framework),
            }
        }
        let weights = self.registrar.registry().weights().iter();
        let weights = weights.filter_map(|(role, thousandths)| {
            let weight = allocator::Weight::from_f64(*thousandths as f64 / 1_000.0);
            Some((role.clone(), weight.ok()?))
        });
        // What an operator said of a role counts more than the flags.
        self.options.weights.extend(weights);
    }

    /// Begins to wait for them.
    pub(crate) fn await_returns(&mut self, ctx: &mut Context<Self>) {
        if !self.registrar.is_stored() {
            return;
        }
        let local = ctx.local();
        // Fail-stop: what is not stored must not be believed.
        self.registrar
            .begin(move || local.run(|_, ctx| ctx.terminate()));
        let now_ms = unix_ms();
        let grace = self.options.agent_reregister_timeout;
        let away = |(id, record): (&FrameworkId, &crate::registry::FrameworkRecord)| {
            let for_ms = record
                .away_since_ms
                .map_or(0, |since| now_ms.saturating_sub(since));
            let timeout = record.info.failover_timeout;
            let left = timeout.saturating_sub(Duration::from_millis(for_ms));
            // It may have tried to come back while there was no master.
            (record.ended_ms.is_none()).then(|| (id.clone(), left.max(grace)))
        };
        let frameworks = self.registrar.registry().frameworks().filter_map(away);
        let frameworks: Vec<(FrameworkId, Duration)> = frameworks.collect();
        for (id, within) in frameworks {
            self.await_framework(&id, within, ctx);
        }
        tracing::info!(agents = self.recovered.len(), "agents are waited for");
        ctx.after(grace, Self::give_up_missing);
        self.forget_later(ctx);
    }

    /// Agents that did not come back in time cannot be reached.
    fn give_up_missing(&mut self, ctx: &mut Context<Self>) {
        let missing = self.recovered.keys();
        let missing = missing.filter(|id| !self.returning.contains(id));
        let missing: Vec<AgentId> = missing.cloned().collect();
        let admitted = self.registrar.registry().agents();
        let admitted = admitted.filter(|(_, record)| record.presence == Presence::Admitted);
        let limit =
            admitted.count() * usize::from(self.options.recovery_agent_removal_limit_percent);
        if missing.len() * 100 > limit {
            tracing::error!(
                missing = missing.len(),
                "more agents are missing than may be given up: the master ends"
            );
            return ctx.terminate();
        }
        for id in missing {
            tracing::warn!(agent = %id, "agent did not come back in time");
            let since_ms = unix_ms();
            let operation = Operation::MarkUnreachable {
                agent_id: id.clone(),
                since_ms,
            };
            let stored = self.registrar.apply(operation);
            ctx.defer(stored, move |this, outcome, ctx| match outcome {
                Ok(()) => this.agent_missed(&id, since_ms, ctx),
                Err(error) => tracing::error!(agent = %id, %error, "agent not given up"),
            });
        }
    }

    /// An agent did not come back; the registry knows. What ran on it nobody here knows, so each
    /// framework hears of the agent, and asks after its tasks.
    fn agent_missed(&mut self, id: &AgentId, since_ms: u64, ctx: &Context<Self>) {
        let Some(record) = self.recovered.remove(id) else {
            return; // it came meanwhile
        };
        self.metrics.agents_unreachable += 1;
        self.books.miss_agent(agent_of(id, &record), since_ms);
        if let Some(aside) = record.aside {
            self.books.set_aside(id, aside);
        }
        for framework in self.books.frameworks() {
            let failure = scheduler::Failure {
                agent_id: id.clone(),
                executor_id: None,
                exit: None,
            };
            self.say(framework, failure, ctx);
        }
    }

    fn forget_later(&mut self, ctx: &mut Context<Self>) {
        ctx.after(FORGET_EVERY, |this, ctx| {
            let age_ms = this.options.registry_max_agent_age.as_millis() as u64;
            let before_ms = unix_ms().saturating_sub(age_ms);
            drop(this.registrar.apply(Operation::Forget { before_ms }));
            this.forget_later(ctx);
        });
    }

    /// Has the registry know a framework as the books do. Nobody waits for that: a framework that
    /// the registry misses comes back by itself, or is told of by agents.
    pub(crate) fn remember_framework(&mut self, id: &FrameworkId) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let record = crate::registry::FrameworkRecord {
            info: framework.info.clone(),
            away_since_ms: (!framework.is_active()).then(unix_ms),
            ended_ms: None,
        };
        drop(self.registrar.apply(Operation::KeepFramework(record)));
    }
}

/// An agent as it was when it was admitted; its connection does not hold.
fn agent_of(id: &AgentId, record: &AgentRecord) -> Agent {
    let pid = Pid::assume(record.upid.clone());
    let mut agent = Agent::new(id.clone(), record.info.clone(), pid, String::new());
    agent.connected = false;
    agent
}
