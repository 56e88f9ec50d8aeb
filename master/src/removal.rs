//! Removal: offers that are taken back, agents that are lost or gone, and who is told.

use std::collections::BTreeSet;

use api::agent::Ping;
use api::scheduler;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{AgentId, Filters, FrameworkId, Offer, OfferId, Reason, Role, TaskState};

use crate::books::Freed;
use crate::process::MasterProcess;
use crate::status::Word;

impl From<Offer> for Freed {
    fn from(offer: Offer) -> Self {
        Self {
            framework_id: offer.framework_id,
            agent_id: offer.agent_id,
            role: offer.role,
            resources: offer.resources,
        }
    }
}

/// Offers.
impl MasterProcess {
    /// Takes an offer back and frees what it promised.
    pub(crate) fn recover_offer(&mut self, id: &OfferId, filters: Option<Filters>) {
        if let Some(offer) = self.books.take_offer(id) {
            self.orders.recover(offer.into(), filters);
        }
    }

    /// Takes all offers of a framework back that cannot answer them.
    pub(crate) fn recover_framework_offers(&mut self, id: &FrameworkId) {
        let ids = self
            .books
            .framework(id)
            .map_or_else(BTreeSet::new, |framework| {
                framework.offers().cloned().collect()
            });
        for offer in self.books.take_offers(&ids) {
            self.orders.recover(offer.into(), None);
        }
    }

    /// Takes offers back that a framework holds for roles it left.
    pub(crate) fn rescind_offers_for(
        &mut self,
        id: &FrameworkId,
        roles: &[Role],
        ctx: &Context<Self>,
    ) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let of_role = |offer: &&OfferId| {
            let offer = self.books.offer(offer);
            offer.is_some_and(|offer| roles.contains(&offer.role))
        };
        let ids: BTreeSet<OfferId> = framework.offers().filter(of_role).cloned().collect();
        self.rescind(&ids, ctx);
    }

    /// Takes all offers of an agent back.
    pub(crate) fn rescind_agent_offers(&mut self, id: &AgentId, ctx: &Context<Self>) {
        let ids = self
            .books
            .agent(id)
            .map_or_else(BTreeSet::new, |agent| agent.offers().cloned().collect());
        self.rescind(&ids, ctx);
    }

    /// Takes offers back, and tells those to whom they were made.
    pub(crate) fn rescind(&mut self, ids: &BTreeSet<OfferId>, ctx: &Context<Self>) {
        for offer in self.books.take_offers(ids) {
            self.metrics.offers_rescinded += 1;
            if let Some(framework) = self.books.framework(&offer.framework_id) {
                let offer_id = offer.id.clone();
                self.say(framework, scheduler::Rescind { offer_id }, ctx);
            }
            self.orders.recover(offer.into(), None);
        }
    }
}

/// Agents.
impl MasterProcess {
    /// The connection to an agent broke: it gets no offers, and has some time to come back.
    pub(crate) fn agent_disconnected(
        &mut self,
        id: &AgentId,
        reason: &ExitReason,
        ctx: &mut Context<Self>,
    ) {
        tracing::info!(agent = %id, %reason, "agent disconnected");
        self.rescind_agent_offers(id, ctx);
        if let Some(agent) = self.books.agent_mut(id) {
            agent.connected = false;
        }
        let deactivated = id.clone();
        self.orders
            .give(move |allocator, _| allocator.deactivate_agent(&deactivated));
        self.ask_after(id, reason, ctx);
    }

    /// Finds out whether the agent itself has gone, or only the connection to it: tasks without
    /// checkpoints end with their agent, but a broken connection ends nothing.
    ///
    /// An agent that neither answers nor is known to be gone is left to the pings.
    fn ask_after(&mut self, id: &AgentId, reason: &ExitReason, ctx: &mut Context<Self>) {
        let unknown = matches!(
            reason,
            ExitReason::Disconnected | ExitReason::Unreachable | ExitReason::Denied(_)
        );
        if !unknown {
            return self.end_tasks_without_checkpoint(id, ctx); // it said so itself, or its node
        }
        let Some(agent) = self.books.agent(id) else {
            return;
        };
        let session = agent.session;
        let asked = ctx.ask(&agent.pid, Ping { registered: false });
        let id = id.clone();
        ctx.defer(asked, move |this, answer, ctx| {
            let gone = matches!(answer, Err(AskError::Refused | AskError::NoProcess));
            let agent = this.books.agent(&id);
            if gone && agent.is_some_and(|agent| agent.session == session && !agent.connected) {
                this.end_tasks_without_checkpoint(&id, ctx);
                this.settle();
            }
        });
    }

    /// Tasks survive that their agent is gone only if their framework wants checkpoints and the
    /// agent makes them.
    fn end_tasks_without_checkpoint(&mut self, id: &AgentId, ctx: &Context<Self>) {
        let Some(agent) = self.books.agent(id) else {
            return;
        };
        let lost = agent.tasks().filter(|of| {
            let framework = self.books.framework(&of.framework_id);
            framework.is_some_and(|framework| {
                let task = framework.task(&of.task_id);
                let survives = framework.info.checkpoint && agent.info.checkpoint;
                !survives && task.is_some_and(|t| !t.state.is_terminal())
            })
        });
        let lost: Vec<_> = lost.cloned().collect();
        let word = Word {
            state: TaskState::Lost,
            reason: Reason::AgentDisconnected,
            message: "the agent disconnected",
            at_ms: unix_ms(),
        };
        for of in lost {
            let ended = self.books.end_task(&of.framework_id, &of.task_id, word);
            let Some((status, freed)) = ended else {
                continue;
            };
            self.metrics.ended(status.state);
            if let Some(freed) = freed {
                self.orders.recover(freed, None);
            }
            self.task_updated(&of.framework_id, &status, status.state);
            self.update(&of.framework_id, status, ctx);
        }
    }

    /// An agent did not answer for too long; the registry knows.
    pub(crate) fn lose_agent(&mut self, id: &AgentId, ctx: &mut Context<Self>) {
        let word = Word {
            state: TaskState::Unreachable,
            reason: Reason::AgentRemoved,
            message: "the agent does not answer",
            at_ms: unix_ms(),
        };
        self.metrics.agents_unreachable += 1;
        self.leave_behind(id, word, ctx);
    }

    /// An agent left, or another one took its place; the registry knows.
    pub(crate) fn remove_agent(
        &mut self,
        id: &AgentId,
        why: &'static str,
        ctx: &mut Context<Self>,
    ) {
        let word = Word {
            state: TaskState::Gone,
            reason: Reason::AgentRemoved,
            message: why,
            at_ms: unix_ms(),
        };
        self.metrics.agents_removed += 1;
        self.leave_behind(id, word, ctx);
    }

    /// Removes an agent with what ran there, and tells everybody.
    pub(crate) fn leave_behind(&mut self, id: &AgentId, word: Word, ctx: &mut Context<Self>) {
        let Some(agent) = self.books.agent(id) else {
            return;
        };
        ctx.unlink(&agent.pid.upid().clone());
        tracing::info!(agent = %id, state = %word.state, "agent removed");
        self.rescind_agent_offers(id, ctx);
        let told = if word.state == TaskState::Unreachable {
            self.books.lose_agent(id, word)
        } else {
            self.books.remove_agent(id, word)
        };
        let removed = id.clone();
        self.orders
            .give(move |allocator, _| allocator.remove_agent(&removed));
        for (framework_id, status) in told {
            // Other ends were counted when the agent told them.
            if status.state.is_terminal() && [word.state, TaskState::Lost].contains(&status.state) {
                self.metrics.ended(status.state);
            }
            self.task_updated(&framework_id, &status, status.state);
            self.update(&framework_id, status, ctx);
        }
        self.agent_removed(id);
        for framework in self.books.frameworks() {
            let failure = scheduler::Failure {
                agent_id: id.clone(),
                executor_id: None,
                exit: None,
            };
            self.say(framework, failure, ctx);
        }
        self.settle();
    }
}
