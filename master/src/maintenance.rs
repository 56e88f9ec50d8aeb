//! Agents that operators take out of the cluster: deactivated, drained, reactivated, declared gone.

use api::agent::{Drain as DrainTasks, Refused};
use libproc::env::unix_ms;
use libproc::http::StatusCode;
use libproc::prelude::*;
use types::{AgentId, DrainConfig, Reason, TaskState};

use crate::books::{Aside, Drain};
use crate::http::refusal::Refusal;
use crate::process::MasterProcess;
use crate::registry::Operation;
use crate::status::Word;

/// What became of a call, once the registry knows.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

fn unknown() -> Refusal {
    Refusal::bad("Unknown agent")
}

impl MasterProcess {
    /// Sets an agent aside: it is offered no more, and what runs there goes on.
    pub(crate) fn deactivate_agent(&mut self, id: AgentId, done: Done, ctx: &mut Context<Self>) {
        if !self.books.has_agent(&id) {
            return done(Err(unknown()));
        }
        let stored = self.registrar.apply(Operation::Deactivate(id.clone()));
        ctx.defer(stored, move |this, outcome, ctx| {
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            tracing::info!(agent = %id, "agent deactivated");
            this.withdraw(&id, ctx);
            this.books.deactivate(&id);
            this.settle();
            done(Ok(()));
        });
    }

    /// Sets an agent aside and has its tasks end.
    pub(crate) fn drain_agent(
        &mut self,
        id: AgentId,
        config: DrainConfig,
        done: Done,
        ctx: &mut Context<Self>,
    ) {
        if !self.books.has_agent(&id) {
            return done(Err(unknown()));
        }
        if self.marking_gone.contains(&id) {
            let text = "Agent is currently being marked gone";
            return done(Err(Refusal::new(StatusCode::CONFLICT, text)));
        }
        let since_ms = unix_ms();
        let stored = self.registrar.apply(Operation::Drain {
            agent_id: id.clone(),
            config,
            since_ms,
        });
        ctx.defer(stored, move |this, outcome, ctx| {
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            tracing::info!(agent = %id, ?config, "agent draining");
            this.withdraw(&id, ctx);
            let drain = Some(Drain {
                config,
                since_ms,
                drained: false,
            });
            this.books.set_aside(&id, Aside { drain });
            this.tell_to_drain(&id, ctx);
            this.look_after_drain(&id, ctx);
            this.settle();
            done(Ok(()));
        });
    }

    /// Takes an agent back that was deactivated, or has been drained.
    pub(crate) fn reactivate_agent(&mut self, id: AgentId, done: Done, ctx: &mut Context<Self>) {
        match self.books.aside(&id) {
            None => return done(Err(Refusal::bad("Agent is not deactivated"))),
            Some(aside) if aside.is_draining() => {
                let text = "Agent is still in the DRAINING state";
                return done(Err(Refusal::bad(text)));
            }
            Some(_) => {}
        }
        let stored = self.registrar.apply(Operation::Reactivate(id.clone()));
        ctx.defer(stored, move |this, outcome, _| {
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            this.books.reactivate(&id);
            let Some(agent) = this.books.agent(&id) else {
                let text = "Agent removed while processing the call";
                return done(Err(Refusal::new(StatusCode::CONFLICT, text)));
            };
            tracing::info!(agent = %id, "agent reactivated");
            if agent.connected {
                this.orders
                    .give(move |allocator, _| allocator.activate_agent(&id));
            }
            this.settle();
            done(Ok(()));
        });
    }

    /// Declares that an agent will not come back: its tasks are gone.
    pub(crate) fn mark_agent_gone(&mut self, id: AgentId, done: Done, ctx: &mut Context<Self>) {
        if self.books.is_gone(&id) {
            return done(Ok(()));
        }
        let busy = |text| {
            let text = format!("Agent '{id}' {text}");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
        };
        if self.marking_gone.contains(&id) {
            return done(Err(busy("is already being transitioned to gone")));
        }
        let leaving = self.books.agent(&id).is_some_and(|agent| agent.leaving);
        if leaving || self.returning.contains(&id) {
            return done(Err(busy("is in transition")));
        }
        if !self.books.has_agent(&id) {
            let text = format!("Agent '{id}' not found");
            return done(Err(Refusal::new(StatusCode::NOT_FOUND, text)));
        }
        self.begin_to_mark_gone(id, done, ctx);
    }

    fn begin_to_mark_gone(&mut self, id: AgentId, done: Done, ctx: &mut Context<Self>) {
        self.marking_gone.insert(id.clone());
        let operation = Operation::MarkGone {
            agent_id: id.clone(),
            since_ms: unix_ms(),
        };
        let stored = self.registrar.apply(operation);
        ctx.defer(stored, move |this, outcome, ctx| {
            this.marking_gone.remove(&id);
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            this.agent_is_gone(&id, ctx);
            done(Ok(()));
        });
    }

    fn agent_is_gone(&mut self, id: &AgentId, ctx: &mut Context<Self>) {
        let message = "Agent has been marked gone";
        tracing::info!(agent = %id, "agent marked gone");
        self.books.remember_gone(id);
        let word = Word {
            state: TaskState::GoneByOperator,
            reason: Reason::AgentRemovedByOperator,
            message,
            at_ms: unix_ms(),
        };
        if let Some(agent) = self.books.agent(id) {
            let reason = message.to_owned();
            ctx.tell(&agent.pid, Refused { reason });
            self.metrics.agents_removed += 1;
            return self.leave_behind(id, word, ctx);
        }
        for (framework_id, status) in self.books.give_up_unreachable(id, word) {
            self.metrics.ended(status.state);
            self.task_updated(&framework_id, &status, status.state);
            self.update(&framework_id, status, ctx);
        }
        self.settle();
    }

    /// Takes back what is offered of an agent, and has it offered no more.
    fn withdraw(&mut self, id: &AgentId, ctx: &Context<Self>) {
        self.rescind_agent_offers(id, ctx);
        let set_aside = id.clone();
        self.orders
            .give(move |allocator, _| allocator.deactivate_agent(&set_aside));
    }

    /// Tells an agent to end its tasks, if it is to and is there.
    pub(crate) fn tell_to_drain(&self, id: &AgentId, ctx: &Context<Self>) {
        let aside = self.books.aside(id).filter(|aside| aside.is_draining());
        let agent = self.books.agent(id).filter(|agent| agent.connected);
        if let (Some(Drain { config, .. }), Some(agent)) = (aside.and_then(|a| a.drain), agent) {
            ctx.tell(&agent.pid, DrainTasks { config });
        }
    }

    /// Notes that an agent is empty, if it is to be and is.
    pub(crate) fn look_after_drain(&mut self, id: &AgentId, ctx: &mut Context<Self>) {
        let Some(config) = self.books.is_emptied(id) else {
            return;
        };
        if self.marking_gone.contains(id) {
            return;
        }
        if config.mark_gone {
            return self.begin_to_mark_gone(id.clone(), Box::new(|_| {}), ctx);
        }
        let id = id.clone();
        let stored = self.registrar.apply(Operation::MarkDrained(id.clone()));
        ctx.defer(stored, move |this, outcome, _| match outcome {
            Ok(()) => {
                tracing::info!(agent = %id, "agent drained");
                this.books.drained(&id);
            }
            Err(error) => tracing::error!(agent = %id, %error, "agent could not be marked drained"),
        });
    }
}

pub(crate) fn not_stored(error: &crate::registrar::RegistrarError) -> Refusal {
    let text = format!("the registry did not take it: {error}");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
}
