//! Liveness: agents are asked whether they are there, and given up when they are silent too long.

use api::agent::Ping;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::AgentId;

use crate::process::MasterProcess;
use crate::registry::Operation;

impl MasterProcess {
    /// Begins a registration of an agent: watches its connection, and asks it from time to time.
    pub(crate) fn watch_agent(&mut self, id: &AgentId, ctx: &mut Context<Self>) {
        self.sessions += 1;
        let session = self.sessions;
        let Some(agent) = self.books.agent_mut(id) else {
            return;
        };
        agent.session = session;
        agent.missed_pings = 0;
        ctx.link(&agent.pid.upid().clone());
        self.ping(id.clone(), session, ctx);
    }

    /// Asks an agent whether it is there, as long as its registration is this one.
    fn ping(&mut self, id: AgentId, session: u64, ctx: &mut Context<Self>) {
        let timeout = self.options.agent_ping_timeout;
        let Some(agent) = self.books.agent_mut(&id) else {
            return;
        };
        if agent.session != session || agent.leaving {
            return;
        }
        agent.missed_pings += 1;
        let registered = agent.connected;
        let pid = agent.pid.clone();
        let asked = ctx.ask_within(&pid, Ping { registered }, timeout);
        let answered = id.clone();
        ctx.defer(asked, move |this, answer, _| {
            let agent = this.books.agent_mut(&answered);
            if let Some(agent) = agent.filter(|agent| agent.session == session)
                && answer.is_ok()
            {
                agent.missed_pings = 0;
            }
        });
        ctx.after(timeout, move |this, ctx| {
            this.ping_is_over(id, session, ctx)
        });
    }

    fn ping_is_over(&mut self, id: AgentId, session: u64, ctx: &mut Context<Self>) {
        let agent = self.books.agent_mut(&id);
        let Some(agent) = agent.filter(|agent| agent.session == session && !agent.leaving) else {
            return;
        };
        if agent.missed_pings < self.options.max_agent_ping_timeouts.max(1) {
            return self.ping(id, session, ctx);
        }
        tracing::warn!(agent = %id, missed = agent.missed_pings, "agent is silent");
        agent.leaving = true;
        let stored = self.registrar.apply(Operation::MarkUnreachable {
            agent_id: id.clone(),
            since_ms: unix_ms(),
        });
        ctx.defer(stored, move |this, outcome, ctx| {
            if let Err(error) = outcome {
                tracing::error!(agent = %id, %error, "agent could not be marked unreachable");
            }
            this.lose_agent(&id, ctx);
        });
    }
}
