//! The master's process: who it is, what it knows, whom it hears.

use std::collections::BTreeSet;

use api::master::Mastering;
use api::scheduler;
use libproc::env::{Instant, unix_ms};
use libproc::prelude::*;
use types::{AgentId, FrameworkId, MasterInfo, TaskStatus};

use crate::Options;
use crate::allocator_process::AllocatorProcess;
use crate::books::{Books, Framework, Shelf};
use crate::http;
use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::orders::Orders;
use crate::registrar::{Recovered, Registrar};
use crate::registry::{AgentRecord, Limits};

/// The name of the allocator's process, if it is free.
const ALLOCATOR: &str = "allocator";

/// One change is followed by a check of so many entries of the books, on average.
const CHECK_EVERY: usize = 128;

/// A master.
pub(crate) struct MasterProcess {
    pub(crate) options: Options,
    pub(crate) info: MasterInfo,
    pub(crate) started_ms: u64,
    pub(crate) started: Instant,
    pub(crate) ids: Ids,
    pub(crate) books: Books,
    pub(crate) registrar: Registrar,
    pub(crate) orders: Orders,
    pub(crate) metrics: Metrics,
    allocator: Option<Upid>,
    /// Where agents are that are being admitted.
    pub(crate) admitting: BTreeSet<Upid>,
    /// Whose call over HTTP is being handled.
    pub(crate) speaker: Option<Upid>,
    /// Operators that watch.
    pub(crate) watchers: http::Watchers,
    /// Writes long pages.
    pub(crate) clerk: http::Clerk,
    /// Agents that are about to be declared gone: the registry has been told.
    pub(crate) marking_gone: BTreeSet<AgentId>,
    /// Agents that an earlier master admitted, and that have not come back to this one.
    pub(crate) recovered: Shelf<AgentId, AgentRecord>,
    /// Agents that are being taken back.
    pub(crate) returning: BTreeSet<AgentId>,
    /// Counts registrations of agents.
    pub(crate) sessions: u64,
    /// Changes of the books since the last check, in debug builds.
    unchecked: usize,
}

impl MasterProcess {
    /// A master whose registry ends with it.
    pub(crate) fn new(node: &Node, options: Options) -> Self {
        let ids = Ids::new(options.seed);
        let registrar = Registrar::in_memory(Limits::from(&options));
        Self::with(node, options, ids, registrar)
    }

    /// A master that goes on with a registry.
    pub(crate) fn following(node: &Node, options: Options, ids: Ids, recovered: Recovered) -> Self {
        let mut master = Self::with(node, options, ids, recovered.into_registrar());
        master.take_over_registry();
        master
    }

    fn with(node: &Node, options: Options, ids: Ids, registrar: Registrar) -> Self {
        Self {
            info: info_of(node, &options, &ids),
            started_ms: unix_ms(),
            started: Instant::now(),
            ids,
            books: Books::new((&options).into()),
            registrar,
            orders: Orders::default(),
            metrics: Metrics::default(),
            allocator: None,
            speaker: None,
            watchers: http::Watchers::default(),
            clerk: http::Clerk::default(),
            admitting: BTreeSet::new(),
            marking_gone: BTreeSet::new(),
            recovered: Shelf::new(),
            returning: BTreeSet::new(),
            sessions: 0,
            unchecked: 0,
            options,
        }
    }

    /// Whether agents and frameworks of an earlier master may still be on their way back.
    pub(crate) fn is_learning(&self) -> bool {
        self.started.elapsed() < self.options.agent_reregister_timeout
    }

    /// Counts a message that changes nothing.
    pub(crate) fn drop_message(
        &mut self,
        message: &'static str,
        why: &'static str,
        ctx: &Context<Self>,
    ) {
        self.metrics.dropped(message);
        tracing::debug!(message, why, from = ?ctx.sender(), "message dropped");
    }

    /// The framework of this id, if its scheduler is who speaks.
    pub(crate) fn speaking(
        &mut self,
        id: &FrameworkId,
        message: &'static str,
        ctx: &Context<Self>,
    ) -> Option<&Framework> {
        let framework = self.books.framework(id);
        let speaks = framework.is_some_and(|framework| {
            let pid = framework.pid.as_ref().map(Pid::upid);
            let speaker = self.speaker.as_ref().or(ctx.sender());
            framework.is_active() && pid.is_some() && pid == speaker
        });
        if !speaks {
            self.drop_message(message, "not from the framework's scheduler", ctx);
            return None;
        }
        self.books.framework(id)
    }

    /// Whether it is this registered agent who speaks.
    ///
    /// One that believes it is registered and is not hears so, and registers again.
    pub(crate) fn agent_speaks(
        &mut self,
        id: &AgentId,
        message: &'static str,
        ctx: &Context<Self>,
    ) -> bool {
        let agent = self.books.agent(id);
        let known_here = agent.is_some_and(|agent| Some(agent.pid.upid()) == ctx.sender());
        if known_here && agent.is_some_and(|agent| agent.connected && !agent.leaving) {
            return true;
        }
        if known_here || agent.is_none() {
            ctx.reply::<api::agent::Agenting, _>(api::agent::Ping { registered: false });
        }
        self.drop_message(message, "not from a registered agent", ctx);
        false
    }

    /// Tells a framework of a task, in words it understands; one that is not there hears nothing.
    pub(crate) fn update(
        &self,
        framework_id: &FrameworkId,
        mut status: TaskStatus,
        ctx: &Context<Self>,
    ) {
        let Some(framework) = self.books.framework(framework_id) else {
            return;
        };
        status.state = status.state.for_framework(framework.is_partition_aware());
        self.say(framework, scheduler::Update { status }, ctx);
    }

    /// Tells a framework something, if it is there.
    pub(crate) fn say<M: Wire>(&self, framework: &Framework, message: M, ctx: &Context<Self>)
    where
        scheduler::Scheduling: Accepts<M>,
    {
        if let Some(pid) = framework.pid.as_ref().filter(|_| framework.is_active()) {
            ctx.tell(pid, message);
        }
    }

    /// In debug builds, checks the books after a change: after every one of a small cluster, and
    /// the more seldom the longer a check takes.
    pub(crate) fn settle(&mut self) {
        if cfg!(debug_assertions) {
            self.unchecked += 1;
            if self.unchecked * CHECK_EVERY > self.books.size() {
                self.unchecked = 0;
                self.books.check();
            }
        }
    }
}

/// Who a master on this node is.
pub(crate) fn info_of(node: &Node, options: &Options, ids: &Ids) -> MasterInfo {
    let address = node.address();
    let hostname = options.hostname.clone();
    MasterInfo {
        id: ids.master().to_owned(),
        hostname: hostname.unwrap_or_else(|| address.ip().to_string()),
        address: address.to_string(),
        version: api::VERSION.to_owned(),
    }
}

impl Actor for MasterProcess {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let make = || AllocatorProcess::new(ctx.local(), ctx.upid().clone(), &self.options);
        // The name may still be that of an allocator whose master has just ended.
        let allocator = ctx.node().try_spawn(ALLOCATOR, make());
        let allocator = allocator.unwrap_or_else(|_| ctx.node().spawn_anonymous(make()));
        ctx.link(allocator.upid());
        self.allocator = Some(allocator.upid().clone());
        self.await_returns(ctx);
        tracing::info!(master = %self.info.id, address = %self.info.address, "master started");
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        if let Some(allocator) = &self.allocator {
            ctx.node().terminate(allocator);
        }
    }
}

impl Process for MasterProcess {
    type Protocol = Mastering;

    fn routes(routes: &mut Routes<Self>) {
        http::routes(routes);
    }
}

impl Handler<Exited> for MasterProcess {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if Some(&upid) == self.allocator.as_ref() {
            // What it had promised is not known: somebody has to begin anew.
            tracing::error!(%reason, "allocator ended, and the master with it");
            return ctx.terminate();
        }
        if let Some(id) = self.books.agent_at(&upid).map(|agent| agent.id.clone()) {
            self.agent_disconnected(&id, &reason, ctx);
        }
        if let Some(id) = self.books.framework_at(&upid).map(|f| f.id.clone()) {
            self.framework_disconnected(&id, ctx);
        }
        self.settle();
    }
}
