//! The supervisor's shell: children become processes, their exits inputs, and outputs are carried out.

use std::time::Duration;

use actix::{Actor, ActorContext, Handler, Running};
use rand::Rng as _;
use tokio::time::Instant;

use super::spec::{ChildSpec, Start};
use super::stopper::Stopper;
use super::tree::{Fault, Output, Phase};
use super::{
    ChildState, ChildStatus, Children, Shutdown, StartChild, StopChild, Supervising, Supervisor,
};
use crate::ask::AskError;
use crate::context::Context;
use crate::env;
use crate::http::{self, Respond, Routes};
use crate::letter::System;
use crate::link::{ExitReason, Exited, Watcher};
use crate::node::Node;
use crate::pid::Upid;
use crate::process::Process;
use crate::reply::Later;
use crate::spawn_on::SpawnOnError;
use crate::system::Spawn;
use crate::table::Handle;
use crate::tie::{Owner, Tie, TieHandle};

/// How often a child that does not stop is stopped at once, again and again.
const STOP_AGAIN: Duration = Duration::from_secs(1);
/// What a node takes longer than its silence to notice that another is gone.
const NOTICE: Duration = Duration::from_secs(1);

/// A child as the shell knows it.
pub(crate) struct Kept {
    pub(crate) spec: ChildSpec,
    upid: Option<Upid>,
    grip: Option<Grip>,
    last_exit: Option<ExitReason>,
    last_error: Option<String>,
    /// Until then it may live where it cannot be heard.
    not_before: Instant,
}

/// How a living child is stopped.
enum Grip {
    Here(Handle, Stopper),
    Elsewhere(TieHandle),
}

impl Grip {
    fn stop(&self, node: &Node, at_once: bool) {
        match self {
            Grip::Here(at, _) if at_once => {
                node.urgent(*at, System::Stop(Box::new(ExitReason::Stopped)));
            }
            Grip::Here(at, stopper) => stopper(node, *at),
            Grip::Elsewhere(tie) => tie.end(at_once),
        }
    }
}

impl Kept {
    pub(crate) fn new(spec: ChildSpec) -> Kept {
        Kept {
            spec,
            upid: None,
            grip: None,
            last_exit: None,
            last_error: None,
            not_before: Instant::now(),
        }
    }

    /// How long to wait before a child that may live where it cannot be heard is started elsewhere:
    /// by then its node has noticed, and has stopped it. On the same node its id is protection
    /// enough.
    fn wait_for_the_lost(&mut self, node: &Node) -> Duration {
        let elsewhere = match &self.spec.start {
            Start::Placed { placement, .. } => placement.node_address().is_none(),
            Start::Here(_) => false,
        };
        if !elsewhere {
            return Duration::ZERO;
        }
        let wait = node.limits().silence * 2 + NOTICE;
        self.not_before = Instant::now() + wait;
        wait
    }
}

impl Supervisor {
    fn carry_out(&mut self, outputs: Vec<Output>, ctx: &mut Context<Self>) {
        for output in outputs {
            match output {
                Output::Start(index) => self.start(index, ctx),
                Output::Stop(index) => self.stop(index, ctx),
                Output::Wait(index, wait) => {
                    ctx.after(wait, move |supervisor, ctx| {
                        let outputs = supervisor.tree.waited(index);
                        supervisor.carry_out(outputs, ctx);
                    });
                }
                Output::End(why) => self.end(why, ctx),
            }
        }
    }

    fn end(&mut self, why: Option<String>, ctx: &mut Context<Self>) {
        match why {
            Some(why) => {
                tracing::error!(upid = %ctx.upid(), why, "supervisor gave up");
                ctx.fail(why);
            }
            None => ctx.terminate(),
        }
        for answer in self.waiting.drain(..) {
            answer.send(());
        }
    }

    fn start(&mut self, index: usize, ctx: &mut Context<Self>) {
        let child = &self.children[index];
        match &child.spec.start {
            Start::Here(_) => {
                if let Err(error) = self.start_here(index, ctx) {
                    self.not_started(index, &error, ctx);
                }
            }
            Start::Placed {
                kind, placement, ..
            } => {
                let (node, placement) = (ctx.node().clone(), placement.clone());
                let (kind, not_before) = (*kind, child.not_before);
                let placed = async move {
                    tokio::time::sleep_until(not_before).await;
                    node.place(&placement, kind).await
                };
                ctx.defer(placed, move |supervisor, place, ctx| match place {
                    Some(address) => supervisor.start_at(index, address, ctx),
                    None => supervisor.not_started(index, &SpawnOnError::NoMember, ctx),
                });
            }
        }
    }

    fn start_here(&mut self, index: usize, ctx: &mut Context<Self>) -> Result<(), SpawnOnError> {
        let spec = &self.children[index].spec;
        let Start::Here(make) = &spec.start else {
            return Ok(());
        };
        let upid = Upid::new(spec.id.as_str(), ctx.node().address());
        if upid.is_ok_and(|upid| ctx.expects(&upid)) {
            // Until the last one of that id was heard to have gone.
            return Err(SpawnOnError::IdTaken(spec.id.clone()));
        }
        let local = ctx.local();
        let ready = Box::new(move || {
            local.run(move |supervisor: &mut Supervisor, ctx| supervisor.started(index, ctx));
        });
        let (upid, stopper) = make(ctx.node(), &spec.id, Watcher::Process(ctx.at()), ready)?;
        ctx.adopt(&upid);
        let at = upid.handle().expect("who spawns a process is told where");
        // However this supervisor ends, the child does not outlive it.
        ctx.node().watch(ctx.at(), ctx.upid(), Watcher::Bound(at));
        self.keep(index, upid, Grip::Here(at, stopper));
        Ok(())
    }

    fn start_at(&mut self, index: usize, address: std::net::SocketAddr, ctx: &mut Context<Self>) {
        let spec = &self.children[index].spec;
        let Start::Placed { kind, args, .. } = &spec.start else {
            return;
        };
        let spawn = Spawn {
            kind: (*kind).to_owned(),
            id: spec.id.clone(),
            args: args.clone(),
            tie: None,
            bound: true,
        };
        let local = ctx.local();
        let report = move |spawned: Result<Upid, SpawnOnError>| {
            local.run(move |supervisor: &mut Supervisor, ctx| {
                supervisor.reported(index, spawned, ctx);
            });
        };
        let owner = Owner {
            at: ctx.at(),
            upid: ctx.upid().clone(),
            report: Some(Box::new(report)),
        };
        // No time limit: an answer comes, or the connection breaks.
        let tie = Tie::start(ctx.node(), owner, address, spawn, None);
        self.children[index].grip = Some(Grip::Elsewhere(tie));
    }

    fn reported(
        &mut self,
        index: usize,
        spawned: Result<Upid, SpawnOnError>,
        ctx: &mut Context<Self>,
    ) {
        let grip = self.children[index].grip.take();
        match (spawned, grip) {
            (Ok(upid), Some(grip)) => {
                ctx.adopt(&upid);
                self.keep(index, upid, grip);
                self.started(index, ctx);
            }
            (Err(error), _) => self.not_started(index, &error, ctx),
            (Ok(_), None) => unreachable!("a tie is kept until it reports"),
        }
    }

    fn keep(&mut self, index: usize, upid: Upid, grip: Grip) {
        let child = &mut self.children[index];
        child.upid = Some(upid);
        child.grip = Some(grip);
        child.last_error = None;
    }

    fn started(&mut self, index: usize, ctx: &mut Context<Self>) {
        let outputs = self.tree.started(index, Instant::now());
        self.carry_out(outputs, ctx);
    }

    fn not_started(&mut self, index: usize, error: &SpawnOnError, ctx: &mut Context<Self>) {
        let child = &mut self.children[index];
        let placed = matches!(child.spec.start, Start::Placed { .. });
        let (fault, lost) = fault_of(error, placed);
        let at_least = if lost {
            child.wait_for_the_lost(ctx.node())
        } else {
            Duration::ZERO
        };
        let why = format!("`{}` could not be started: {error}", child.spec.id);
        tracing::warn!(child = child.spec.id, %error, "child not started");
        child.last_error = Some(error.to_string());
        let chance = (Instant::now(), self.chance.random());
        let outputs = self.tree.not_started(index, fault, &why, at_least, chance);
        self.carry_out(outputs, ctx);
    }

    /// Asks a child to stop, and stops it when its grace is over.
    fn stop(&mut self, index: usize, ctx: &mut Context<Self>) {
        let child = &self.children[index];
        if let (Some(upid), Some(grip)) = (child.upid.clone(), &child.grip) {
            grip.stop(ctx.node(), false);
            ctx.after(child.spec.grace, move |supervisor, ctx| {
                supervisor.stop_at_once(index, &upid, ctx);
            });
        }
    }

    fn stop_at_once(&mut self, index: usize, upid: &Upid, ctx: &mut Context<Self>) {
        let child = &self.children[index];
        let stopping = self.tree.children[index].phase == Phase::Stopping;
        if !stopping || child.upid.as_ref() != Some(upid) {
            return; // it has stopped
        }
        if let Some(grip) = &child.grip {
            grip.stop(ctx.node(), true);
        }
        let upid = upid.clone();
        ctx.after(STOP_AGAIN, move |supervisor, ctx| {
            supervisor.stop_at_once(index, &upid, ctx);
        });
    }

    fn status(&self) -> Vec<ChildStatus> {
        let status = |(kept, child): (&Kept, &super::tree::Child)| ChildStatus {
            id: kept.spec.id.clone(),
            upid: kept.upid.clone(),
            state: match child.phase {
                Phase::Ready | Phase::Waiting => ChildState::Waiting,
                Phase::Starting => ChildState::Starting,
                Phase::Running(_) => ChildState::Running,
                Phase::Stopping => ChildState::Stopping,
                Phase::Stopped => ChildState::Stopped,
            },
            restarts: child.restarts,
            last_exit: kept.last_exit.clone(),
            last_error: kept.last_error.clone(),
        };
        let children = self.children.iter().zip(&self.tree.children);
        children.map(status).collect()
    }

    fn index_of(&self, id: &str) -> Option<usize> {
        self.children.iter().position(|child| child.spec.id == id)
    }
}

/// Whose fault it is that a child was not started, and whether it may have been all the same.
fn fault_of(error: &SpawnOnError, placed: bool) -> (Fault, bool) {
    match error {
        // Nobody is there, or somebody who did not take it.
        SpawnOnError::Node(AskError::Refused | AskError::NoProcess | AskError::Busy) => {
            (Fault::Place, false)
        }
        SpawnOnError::Node(_) => (Fault::Place, true),
        SpawnOnError::NoMember | SpawnOnError::Draining => (Fault::Place, false),
        SpawnOnError::IdTaken(_) if placed => (Fault::Place, false),
        SpawnOnError::IdTaken(_)
        | SpawnOnError::UnknownKind(_)
        | SpawnOnError::InvalidId(_)
        | SpawnOnError::BadArgs(_)
        | SpawnOnError::Crashed(_) => (Fault::Own, false),
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.chance = env::rng();
        let outputs = self.tree.begin();
        self.carry_out(outputs, ctx);
    }

    /// First the children, in reverse order.
    fn stopping(&mut self, ctx: &mut Context<Self>) -> Running {
        ctx.local().run(|supervisor, ctx| {
            let outputs = supervisor.tree.shut_down();
            supervisor.carry_out(outputs, ctx);
        });
        Running::Continue
    }

    /// It was told to stop at once: so are the children.
    fn stopped(&mut self, ctx: &mut Context<Self>) {
        for child in self.children.iter().rev() {
            if let Some(grip) = &child.grip {
                grip.stop(ctx.node(), true);
            }
        }
    }
}

impl Process for Supervisor {
    type Protocol = Supervising;
    fn routes(routes: &mut Routes<Self>) {
        routes.get("children", |supervisor, _, _| {
            http::Response::json(&supervisor.status())
        });
    }
}

impl Handler<Exited> for Supervisor {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        let mut children = self.children.iter();
        let Some(index) = children.position(|child| child.upid.as_ref() == Some(&upid)) else {
            return;
        };
        let child = &mut self.children[index];
        tracing::debug!(%upid, %reason, "child exited");
        child.upid = None;
        if let Some(Grip::Here(gone, _)) = child.grip.take() {
            let bound = |other: &Watcher| matches!(other, Watcher::Bound(at) if *at == gone);
            ctx.node().unwatch(ctx.at(), bound);
        }
        let lost = matches!(
            reason,
            ExitReason::Disconnected | ExitReason::Unreachable | ExitReason::NoProcess
        );
        let at_least = if lost {
            child.wait_for_the_lost(ctx.node())
        } else {
            Duration::ZERO
        };
        let fault = match reason {
            ExitReason::Stopped => Fault::None,
            _ => Fault::Own,
        };
        let why = format!("`{}` {reason}", child.spec.id);
        child.last_exit = Some(reason);
        let chance = (Instant::now(), self.chance.random());
        let outputs = self.tree.exited(index, fault, &why, at_least, chance);
        self.carry_out(outputs, ctx);
    }
}

impl Handler<Children> for Supervisor {
    type Result = Vec<ChildStatus>;
    fn handle(&mut self, _: Children, _: &mut Context<Self>) -> Vec<ChildStatus> {
        self.status()
    }
}

impl Handler<StopChild> for Supervisor {
    type Result = bool;
    fn handle(&mut self, StopChild { id }: StopChild, ctx: &mut Context<Self>) -> bool {
        let Some(index) = self.index_of(&id) else {
            return false;
        };
        let outputs = self.tree.stop_child(index);
        self.carry_out(outputs, ctx);
        true
    }
}

impl Handler<StartChild> for Supervisor {
    type Result = bool;
    fn handle(&mut self, StartChild { id }: StartChild, ctx: &mut Context<Self>) -> bool {
        let Some(index) = self.index_of(&id).filter(|_| !self.tree.is_ending()) else {
            return false;
        };
        let outputs = self.tree.start_child(index);
        self.carry_out(outputs, ctx);
        true
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = Later<()>;
    fn handle(&mut self, _: Shutdown, ctx: &mut Context<Self>) -> Later<()> {
        let (answer, later) = Later::new();
        self.waiting.push(answer);
        let outputs = self.tree.shut_down();
        self.carry_out(outputs, ctx);
        later
    }
}
