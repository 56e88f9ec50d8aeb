//! Ties: who watches a process of another node from its first turn, on behalf of one that spawned it.
//!
//! A link made after the fact could miss how the process ended, or take another of the same id for
//! it. So the node that spawns it watches it from before its first turn and tells the tie, and the
//! tie watches that node.

use std::net::SocketAddr;
use std::time::Duration;

use actix::{Actor, ActorContext, Handler};

use crate::ask::AskError;
use crate::context::{Context, Local};
use crate::letter::System;
use crate::link::{ExitReason, Exited, Watcher};
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::spawn_on::SpawnOnError;
use crate::system::{self, Spawn, Stop, Systemic};
use crate::table::Handle;

crate::protocol! {
    /// What a tie accepts.
    pub(crate) protocol Tying {
        /// Its process has gone.
        message Ended { reason: ExitReason } -> ();
    }
}

type Report = Box<dyn FnOnce(Result<Upid, SpawnOnError>) + Send>;

/// On whose behalf.
pub(crate) struct Owner {
    pub(crate) at: Handle,
    pub(crate) upid: Upid,
    /// Tells it what came of the spawn; taken when that was done.
    pub(crate) report: Option<Report>,
}

pub(crate) struct Tie {
    owner: Owner,
    system: Pid<Systemic>,
    spawn: Option<Spawn>,
    within: Option<Duration>,
    child: Option<Upid>,
    /// The owner no longer wants the process.
    unwanted: bool,
}

impl Tie {
    /// Spawns at `address` and ties the process to `owner`.
    pub(crate) fn start(
        node: &Node,
        owner: Owner,
        address: SocketAddr,
        spawn: Spawn,
        within: Option<Duration>,
    ) -> TieHandle {
        let at = owner.at;
        let upid = owner.upid.clone();
        let tie = Tie {
            owner,
            system: system::at(address),
            spawn: Some(spawn),
            within,
            child: None,
            unwanted: false,
        };
        let pid = node.spawn_anonymous(tie);
        let handle = pid
            .upid()
            .handle()
            .expect("who spawns a process is told where");
        node.watch(at, &upid, Watcher::Process(handle));
        TieHandle(Local::of(node.clone(), handle))
    }

    fn spawned(&mut self, spawned: Result<Upid, SpawnOnError>, ctx: &mut Context<Self>) {
        match &spawned {
            Ok(child) => self.child = Some(child.clone()),
            Err(_) => ctx.terminate(),
        }
        if self.unwanted && self.child.is_some() {
            return ctx.terminate(); // bound or not: see `stopped`
        }
        if let Some(report) = self.owner.report.take() {
            report(spawned);
        }
    }

    /// The process has gone, or cannot be heard: the last thing the owner hears.
    fn over(&mut self, reason: ExitReason, ctx: &mut Context<Self>) {
        if let Some(upid) = self.child.take()
            && !self.unwanted
        {
            let exited = Box::new(Exited { upid, reason });
            ctx.node().urgent(self.owner.at, System::Exited(exited));
        }
        ctx.terminate();
    }
}

impl Actor for Tie {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.adopt(&self.owner.upid.clone());
        ctx.link(&self.system.upid().clone());
        let Some(mut spawn) = self.spawn.take() else {
            return;
        };
        spawn.tie = Some(ctx.pid());
        let asked = ctx.ask(&self.system, spawn);
        ctx.defer(asked, |tie, answer, ctx| {
            let spawned = answer
                .map_err(SpawnOnError::Node)
                .and_then(|spawned| spawned);
            tie.spawned(spawned, ctx);
        });
        if let Some(within) = self.within {
            ctx.after(within, |tie, _| {
                if let Some(report) = tie.owner.report.take() {
                    tie.unwanted = true;
                    report(Err(SpawnOnError::Node(AskError::Timeout)));
                }
            });
        }
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        if self.unwanted && self.child.is_some() {
            ctx.tell(&self.system, Stop { at_once: true });
        }
    }
}

impl Process for Tie {
    type Protocol = Tying;
}

impl Handler<Ended> for Tie {
    type Result = ();
    fn handle(&mut self, Ended { reason }: Ended, ctx: &mut Context<Self>) {
        if ctx.sender() == Some(self.system.upid()) {
            self.over(reason, ctx);
        }
    }
}

impl Handler<Exited> for Tie {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if upid == self.owner.upid {
            ctx.terminate();
        } else if self.child.is_some() {
            // The node, or the connection to it.
            self.over(reason, ctx);
        }
        // Else the spawn fails for the same cause, and says so.
    }
}

/// What an owner does with a tie.
#[derive(Clone)]
pub(crate) struct TieHandle(Local<Tie>);

impl TieHandle {
    /// Asks the process to stop, or stops it at once; its `Exited` comes as ever.
    pub(crate) fn end(&self, at_once: bool) {
        self.0
            .run(move |tie, ctx| ctx.tell(&tie.system, Stop { at_once }));
    }
}
