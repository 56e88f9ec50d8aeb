//! The context of a process: what its handlers use to reach the world.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::time::Duration;

use actix::dev::MessageResponse;
use actix::{ActorContext, ActorState, Handler, Message};
use tokio::time::Instant;

use crate::ask::{AskError, Asked, Asks, Deferred};
use crate::letter::{Asker, Letter, ReplyTo, Work};
use crate::link::{ExitReason, Exited, Watcher};
use crate::node::{Node, SpawnError};
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::protocol::{Accepts, Wire};
use crate::table::Handle;
use crate::timer::{Timer, Timers};
use crate::work::closure;

/// What a time that is too long to be reckoned with counts as: thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How a process reaches the world: send, ask, link, wait, stop.
pub struct Context<A: Process> {
    node: Node,
    upid: Upid,
    at: Handle,
    pub(crate) sender: Option<Upid>,
    pub(crate) phase: Phase,
    asks: Option<Box<Asks<A>>>,
    pub(crate) timers: Option<Box<Timers>>,
    links: Option<Box<Links<A>>>,
}

/// Where a process is in its life.
pub(crate) enum Phase {
    Running,
    /// It asked to stop; its `stopping` may still say no.
    Stopping,
    Stopped(ExitReason),
}

pub(crate) type HandleExited<A> = fn(&mut A, Exited, &mut Context<A>);

struct Links<A: Process> {
    to: BTreeSet<Upid>,
    handle: HandleExited<A>,
}

impl<A: Process> Context<A> {
    pub(crate) fn new(node: Node, upid: Upid, at: Handle) -> Context<A> {
        let (sender, asks, timers, links) = (None, None, None, None);
        Context {
            node,
            upid,
            at,
            sender,
            phase: Phase::Running,
            asks,
            timers,
            links,
        }
    }

    /// The node this process lives on.
    pub fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn at(&self) -> Handle {
        self.at
    }

    /// The address of this process.
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// The address of this process, with the protocol it speaks.
    pub fn pid(&self) -> Pid<A::Protocol> {
        Pid::assume(self.upid.clone())
    }

    /// Who sent the message being handled; none when it was sent on this node from outside any
    /// process. From outside the processes of another node it comes as from `~@ip:port`, which
    /// is nobody.
    pub fn sender(&self) -> Option<&Upid> {
        self.sender.as_ref()
    }

    /// Sends `message`: at most once, in order for this sender and receiver.
    pub fn tell<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M) {
        self.node.post(Some(self.upid.clone()), to, message, None);
    }

    /// Sends `message` to whoever sent the one being handled, claiming that they speak `P`.
    ///
    /// Nobody did when that came from outside any process: then nothing arrives.
    pub fn reply<P: Accepts<M>, M: Wire>(&self, message: M) {
        if let Some(sender) = &self.sender {
            self.tell(&Pid::<P>::assume(sender.clone()), message);
        }
    }

    /// Sends `message` and expects its answer: give it to [`defer`](Context::defer).
    ///
    /// Waits as long as the receiver lives and can be reached.
    pub fn ask<P: Accepts<M>, M: Wire>(&mut self, to: &Pid<P>, message: M) -> Asked<M::Result> {
        let number = self.asks().open();
        let asker = Asker::Process {
            node: self.node.clone(),
            at: self.at,
            number,
        };
        self.node.post(
            Some(self.upid.clone()),
            to,
            message,
            Some(ReplyTo::new(asker)),
        );
        Asked {
            number,
            of: PhantomData,
        }
    }

    /// [`ask`](Context::ask) that fails with [`AskError::Timeout`] when no answer came `within`.
    pub fn ask_within<P: Accepts<M>, M: Wire>(
        &mut self,
        to: &Pid<P>,
        message: M,
        within: Duration,
    ) -> Asked<M::Result> {
        let asked = self.ask(to, message);
        let number = asked.number;
        self.after(within, move |actor, ctx| {
            if let Some(then) = ctx.asks().close(number) {
                then(actor, Err(AskError::Timeout), ctx);
            }
        });
        asked
    }

    /// Waits for `what` without blocking, then runs `then` in a turn of this process.
    ///
    /// `what` is a future, which runs beside the process on the same worker, or an
    /// [ask](Context::ask). When the process exits first, `then` never runs.
    pub fn defer<D: Deferred<A>>(
        &mut self,
        what: D,
        then: impl FnOnce(&mut A, D::Output, &mut Context<A>) + Send + 'static,
    ) {
        what.attach(self, then);
    }

    /// Hands `message` to this process after `after`.
    pub fn delay<M: Message + Send + 'static>(&mut self, after: Duration, message: M) -> Timer
    where
        A: Handler<M>,
    {
        self.after(after, move |actor: &mut A, ctx: &mut Context<A>| {
            actor.handle(message, ctx).handle(ctx, None);
        })
    }

    /// Runs `then` in a turn of this process after `after`.
    pub fn after(
        &mut self,
        after: Duration,
        then: impl FnOnce(&mut A, &mut Context<A>) + Send + 'static,
    ) -> Timer {
        let timers = self.timers.get_or_insert_default();
        let now = Instant::now();
        let at = now.checked_add(after).unwrap_or_else(|| now + NEVER);
        let (timer, tell_node) = timers.add(at, closure(then));
        if tell_node {
            self.node.alarms().set(at, self.at);
        }
        timer
    }

    /// Cancels a timer; false when it had run, or was cancelled, before.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.timers
            .as_mut()
            .is_some_and(|timers| timers.cancel(timer))
    }

    /// Asks to be told, exactly once, when the process at `to` exits or its node is lost.
    ///
    /// Linking again to the same address changes nothing.
    pub fn link(&mut self, to: &Upid)
    where
        A: Handler<Exited>,
    {
        if self.adopt(to) {
            self.node.link(self.at, to);
        }
    }

    /// Expects an `Exited` of `to` that somebody has arranged for; false when one was expected.
    pub(crate) fn adopt(&mut self, to: &Upid) -> bool
    where
        A: Handler<Exited>,
    {
        let links = self.links.get_or_insert_with(|| {
            let handle: HandleExited<A> =
                |actor, exited, ctx| actor.handle(exited, ctx).handle(ctx, None);
            Box::new(Links {
                to: BTreeSet::new(),
                handle,
            })
        });
        links.to.insert(to.clone())
    }

    /// Whether an `Exited` of `to` is to come.
    pub(crate) fn expects(&self, to: &Upid) -> bool {
        self.links
            .as_ref()
            .is_some_and(|links| links.to.contains(to))
    }

    /// Starts `actor` as the process `id` of this node, linked before its first turn: however early
    /// it ends, its `Exited` comes, with its reason.
    ///
    /// # Errors
    /// [`SpawnError`] when a living process has that id, or it cannot be one.
    pub fn spawn_linked<B: Process>(
        &mut self,
        id: &str,
        actor: B,
    ) -> Result<Pid<B::Protocol>, SpawnError>
    where
        A: Handler<Exited>,
    {
        if Upid::new(id, self.node.address()).is_ok_and(|upid| self.expects(&upid)) {
            // Until we were told that it has gone.
            return Err(SpawnError::IdTaken(id.to_owned()));
        }
        let pid = self
            .node
            .spawn_watched(id, actor, Watcher::Process(self.at))?;
        self.adopt(pid.upid());
        Ok(pid)
    }

    /// Ends this process for a reason that its links are told: [`ExitReason::Failed`].
    pub fn fail(&mut self, why: impl Into<String>) {
        self.phase = Phase::Stopped(ExitReason::Failed(why.into()));
    }

    /// Undoes a [`link`](Context::link): no `Exited` of `to` will come.
    pub fn unlink(&mut self, to: &Upid) {
        if self.links.as_mut().is_some_and(|links| links.to.remove(to)) {
            self.node.unlink(self.at, to);
        }
    }

    /// A handle for messages and work that know this actor's type and never leave the node.
    pub fn local(&self) -> Local<A> {
        Local {
            node: self.node.clone(),
            at: self.at,
            of: PhantomData,
        }
    }

    pub(crate) fn asks(&mut self) -> &mut Asks<A> {
        self.asks.get_or_insert_default()
    }

    pub(crate) fn exited(&mut self, upid: &Upid) -> Option<HandleExited<A>> {
        let links = self.links.as_mut()?;
        links.to.remove(upid).then_some(links.handle)
    }

    pub(crate) fn take_links(&mut self) -> Vec<Upid> {
        self.links
            .take()
            .map_or_else(Vec::new, |links| links.to.into_iter().collect())
    }

    pub(crate) fn link_count(&self) -> usize {
        self.links.as_ref().map_or(0, |links| links.to.len())
    }
}

impl<A: Process> ActorContext for Context<A> {
    fn stop(&mut self) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Stopping;
        }
    }

    fn terminate(&mut self) {
        self.phase = Phase::Stopped(ExitReason::Stopped);
    }

    fn state(&self) -> ActorState {
        match self.phase {
            Phase::Running => ActorState::Running,
            Phase::Stopping => ActorState::Stopping,
            Phase::Stopped(_) => ActorState::Stopped,
        }
    }
}

/// What actix's `Addr` is, onto a process: for messages in no protocol, which never leave the node.
pub struct Local<A: Process> {
    node: Node,
    at: Handle,
    of: PhantomData<fn(A)>,
}

impl<A: Process> Clone for Local<A> {
    fn clone(&self) -> Self {
        Local {
            node: self.node.clone(),
            at: self.at,
            of: PhantomData,
        }
    }
}

impl<A: Process> Local<A> {
    pub(crate) fn of(node: Node, at: Handle) -> Local<A> {
        let of = PhantomData;
        Local { node, at, of }
    }

    /// Sends a local message, in order with everything else that this sender sends.
    pub fn tell<M: Message + Send + 'static>(&self, message: M)
    where
        A: Handler<M>,
    {
        self.run(move |actor, ctx| actor.handle(message, ctx).handle(ctx, None));
    }

    /// Runs `work` in a turn of the process.
    pub fn run(&self, work: impl FnOnce(&mut A, &mut Context<A>) + Send + 'static) {
        self.work(closure(work));
    }

    /// Ends the process.
    pub(crate) fn end(&self, reason: ExitReason) {
        self.node.urgent(self.at, Letter::Stop(reason));
    }

    fn work(&self, work: Box<dyn Work>) {
        self.node.urgent(self.at, Letter::Work(work));
    }
}
