//! The context of a process: what its handlers use to reach the world.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use actix::dev::MessageResponse;
use actix::{ActorContext, ActorState, Handler, Message};
use tokio::time::Instant;

use crate::ask::{AskError, Asked, Asks, Deferred};
use crate::letter::{Asker, Outcome, ReplyTo, Sender, System, Work};
use crate::link::{ExitReason, Exited, Watcher};
use crate::metrics::{Metrics, Owned};
use crate::node::{Node, SpawnError};
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::protocol::{Accepts, Wire};
use crate::table::Handle;
use crate::timer::{Timer, Timers};
use crate::trace;
use crate::work::closure;
use crate::worker::Here;

/// What a time that is too long to be reckoned with counts as: thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How a process reaches the world: send, ask, link, wait, stop.
///
/// Made for each turn of the process, of what is kept between them.
pub struct Context<A: Process> {
    here: Rc<Here>,
    kept: Kept<A>,
    /// Who sent the last message, and the address of that, once somebody wanted to know it.
    sender: Sender,
    sender_upid: OnceCell<Upid>,
    /// A message is being handled, not a letter of the system.
    in_message: bool,
    pub(crate) phase: Phase,
}

/// What is kept of a context between turns.
pub(crate) struct Kept<A: Process> {
    upid: Upid,
    rare: Rare<A>,
}

/// What only some processes have. One that has nothing, or is linked to one other, takes no memory
/// beyond its body.
enum Rare<A: Process> {
    Nothing,
    Linked(Upid, HandleExited<A>),
    /// Of a process that ever asked, set a timer, had metrics of its own or more than one link.
    Extras(Box<Extras<A>>),
}

struct Extras<A: Process> {
    asks: Asks<A>,
    timers: Timers<A>,
    links: BTreeSet<Upid>,
    exited: Option<HandleExited<A>>,
    metrics: Option<Box<Owned>>,
}

/// Where a process is in its life.
pub(crate) enum Phase {
    Running,
    /// It asked to stop; its `stopping` may still say no.
    Stopping,
    Stopped(ExitReason),
}

pub(crate) type HandleExited<A> = fn(&mut A, Exited, &mut Context<A>);

impl<A: Process> Kept<A> {
    pub(crate) fn new(upid: Upid) -> Kept<A> {
        let rare = Rare::Nothing;
        Kept { upid, rare }
    }

    #[inline]
    pub(crate) fn timers_mut(&mut self) -> Option<&mut Timers<A>> {
        match &mut self.rare {
            Rare::Extras(extras) => Some(&mut extras.timers),
            Rare::Nothing | Rare::Linked(..) => None,
        }
    }

    pub(crate) fn link_count(&self) -> usize {
        match &self.rare {
            Rare::Nothing => 0,
            Rare::Linked(..) => 1,
            Rare::Extras(extras) => extras.links.len(),
        }
    }
}

/// Its turn, for the engine.
impl<A: Process> Context<A> {
    #[inline]
    pub(crate) fn resume(here: Rc<Here>, kept: Kept<A>) -> Context<A> {
        Context {
            here,
            kept,
            sender: Sender::Nobody,
            sender_upid: OnceCell::new(),
            in_message: false,
            phase: Phase::Running,
        }
    }

    #[inline]
    pub(crate) fn rest(self) -> Kept<A> {
        self.kept
    }

    #[inline]
    pub(crate) fn here(&self) -> &Rc<Here> {
        &self.here
    }

    #[inline]
    pub(crate) fn received_from(&mut self, from: Sender) {
        self.sender = from;
        self.in_message = true;
        if self.sender_upid.get().is_some() {
            self.sender_upid = OnceCell::new();
        }
    }

    #[cfg(feature = "sim")]
    pub(crate) fn sent_by(&self) -> Sender {
        self.sender.clone()
    }

    #[inline]
    pub(crate) fn received_from_system(&mut self) {
        self.in_message = false;
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        !matches!(self.phase, Phase::Running)
    }

    pub(crate) fn at(&self) -> Handle {
        let at = self.kept.upid.handle();
        at.expect("the node that made the address of a process wrote its place into it")
    }

    #[inline]
    fn extras(&mut self) -> &mut Extras<A> {
        if !matches!(self.kept.rare, Rare::Extras(_)) {
            self.make_extras();
        }
        match &mut self.kept.rare {
            Rare::Extras(extras) => extras,
            Rare::Nothing | Rare::Linked(..) => unreachable!("they were made above"),
        }
    }

    #[cold]
    fn make_extras(&mut self) {
        let (links, exited) = match std::mem::replace(&mut self.kept.rare, Rare::Nothing) {
            Rare::Linked(upid, exited) => (BTreeSet::from([upid]), Some(exited)),
            Rare::Nothing | Rare::Extras(_) => (BTreeSet::new(), None),
        };
        self.kept.rare = Rare::Extras(Box::new(Extras {
            asks: Asks::default(),
            timers: Timers::default(),
            links,
            exited,
            metrics: None,
        }));
    }

    pub(crate) fn asks(&mut self) -> &mut Asks<A> {
        &mut self.extras().asks
    }

    #[inline]
    pub(crate) fn timers_mut(&mut self) -> Option<&mut Timers<A>> {
        self.kept.timers_mut()
    }

    pub(crate) fn exited(&mut self, upid: &Upid) -> Option<HandleExited<A>> {
        match &mut self.kept.rare {
            Rare::Linked(to, exited) if to == upid => {
                let exited = *exited;
                self.kept.rare = Rare::Nothing;
                Some(exited)
            }
            Rare::Nothing | Rare::Linked(..) => None,
            Rare::Extras(extras) => extras.links.remove(upid).then_some(extras.exited)?,
        }
    }

    pub(crate) fn take_links(&mut self) -> Vec<Upid> {
        match &mut self.kept.rare {
            Rare::Nothing => Vec::new(),
            Rare::Linked(to, _) => {
                let to = to.clone();
                self.kept.rare = Rare::Nothing;
                vec![to]
            }
            Rare::Extras(extras) => std::mem::take(&mut extras.links).into_iter().collect(),
        }
    }
}

impl<A: Process> Context<A> {
    /// The node this process lives on.
    pub fn node(&self) -> &Node {
        self.here.node()
    }

    /// The address of this process.
    pub fn upid(&self) -> &Upid {
        &self.kept.upid
    }

    /// The address of this process, with the protocol it speaks.
    pub fn pid(&self) -> Pid<A::Protocol> {
        Pid::assume(self.kept.upid.clone())
    }

    /// Who sent the message being handled; none when it was sent on this node from outside any
    /// process. From outside the processes of another node it comes as from `~@ip:port`, which
    /// is nobody.
    pub fn sender(&self) -> Option<&Upid> {
        match &self.sender {
            _ if !self.in_message => None,
            Sender::Nobody => None,
            Sender::Here(at) => Some(self.sender_upid.get_or_init(|| self.node().upid_at(*at))),
            Sender::Afar(upid) => Some(upid),
        }
    }

    /// Sends `message`: at most once, in order for this sender and receiver.
    pub fn tell<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M) {
        self.post(to, message, None);
    }

    /// Sends `message` to whoever sent the one being handled, claiming that they speak `P`.
    ///
    /// Nobody did when that came from outside any process: then nothing arrives.
    pub fn reply<P: Accepts<M>, M: Wire>(&self, message: M) {
        if let Some(sender) = self.sender() {
            self.tell(&Pid::<P>::assume(sender.clone()), message);
        }
    }

    /// Sends `message` and expects its answer: give it to [`defer`](Context::defer).
    ///
    /// Waits as long as the receiver lives and can be reached.
    pub fn ask<P: Accepts<M>, M: Wire>(&mut self, to: &Pid<P>, message: M) -> Asked<M::Result> {
        let number = self.asks().open();
        let at = self.at();
        self.post(to, message, Some(ReplyTo(Asker::Process { at, number })));
        Asked {
            number,
            of: PhantomData,
        }
    }

    /// Continues an ask that has its answer, or will not get one.
    pub(crate) fn answered(&mut self, actor: &mut A, number: u64, outcome: Outcome) {
        let Some((then, timeout)) = self.asks().close(number) else {
            return;
        };
        if let Some(timeout) = timeout {
            self.cancel(timeout);
        }
        if let Some(then) = then {
            then(actor, outcome, self);
        }
    }

    fn post<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M, reply: Option<ReplyTo>) {
        let from = Some(&self.kept.upid);
        self.node().post(Some(&self.here), from, to, message, reply);
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
        let timeout = self.after(within, move |actor, ctx| {
            ctx.answered(actor, number, Err(AskError::Timeout));
        });
        self.asks().end_by(number, timeout);
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
        let now = Instant::now();
        let due = now.checked_add(after).unwrap_or_else(|| now + NEVER);
        let (timer, tell_node) = self.extras().timers.add(due, Box::new(then));
        if tell_node {
            self.node().alarms().set(due, self.at());
        }
        timer
    }

    /// Cancels a timer; false when it had run, or was cancelled, before.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.timers_mut().is_some_and(|timers| timers.cancel(timer))
    }

    /// Asks to be told, exactly once, when the process at `to` exits or its node is lost.
    ///
    /// Linking again to the same address changes nothing.
    pub fn link(&mut self, to: &Upid)
    where
        A: Handler<Exited>,
    {
        if self.adopt(to) {
            self.node().link(self.at(), to);
        }
    }

    /// Expects an `Exited` of `to` that somebody has arranged for; false when one was expected.
    pub(crate) fn adopt(&mut self, to: &Upid) -> bool
    where
        A: Handler<Exited>,
    {
        let exited: HandleExited<A> = |actor, exited, ctx| {
            actor.handle(exited, ctx).handle(ctx, None);
        };
        match &self.kept.rare {
            Rare::Nothing => {
                self.kept.rare = Rare::Linked(to.clone(), exited);
                true
            }
            Rare::Linked(other, _) if other == to => false,
            Rare::Linked(..) | Rare::Extras(_) => {
                let extras = self.extras();
                extras.exited = Some(exited);
                extras.links.insert(to.clone())
            }
        }
    }

    /// Whether an `Exited` of `to` is to come.
    pub(crate) fn expects(&self, to: &Upid) -> bool {
        match &self.kept.rare {
            Rare::Nothing => false,
            Rare::Linked(other, _) => other == to,
            Rare::Extras(extras) => extras.links.contains(to),
        }
    }

    /// Starts `actor` as the process `id` of this node, linked before its first turn: however early
    /// it ends, its `Exited` comes, with its reason.
    ///
    /// # Errors
    /// [`SpawnError`] when a living process has that id, or it cannot be one.
    pub fn spawn_linked<B: Process + Send>(
        &mut self,
        id: &str,
        actor: B,
    ) -> Result<Pid<B::Protocol>, SpawnError>
    where
        A: Handler<Exited>,
    {
        if Upid::new(id, self.node().address()).is_ok_and(|upid| self.expects(&upid)) {
            // Until we were told that it has gone.
            return Err(SpawnError::IdTaken(id.to_owned()));
        }
        let watcher = Watcher::Process(self.at());
        let pid = self.node().spawn_watched(id, actor, watcher)?;
        self.adopt(pid.upid());
        Ok(pid)
    }

    /// Ends this process for a reason that its links are told: [`ExitReason::Failed`].
    pub fn fail(&mut self, why: impl Into<String>) {
        self.phase = Phase::Stopped(ExitReason::Failed(why.into()));
    }

    /// Undoes a [`link`](Context::link): no `Exited` of `to` will come.
    pub fn unlink(&mut self, to: &Upid) {
        let expected = match &mut self.kept.rare {
            Rare::Linked(other, _) if other == to => {
                self.kept.rare = Rare::Nothing;
                true
            }
            Rare::Nothing | Rare::Linked(..) => false,
            Rare::Extras(extras) => extras.links.remove(to),
        };
        if expected {
            self.node().unlink(self.at(), to);
        }
    }

    /// Registers metrics of this process: they are removed when it exits.
    pub fn metrics(&mut self) -> Metrics {
        let (registry, at) = (self.node().registry().clone(), self.at());
        let new = || Box::new(Owned::new(registry, at));
        self.extras().metrics.get_or_insert_with(new).metrics()
    }

    /// A handle for messages and work that know this actor's type and never leave the node.
    pub fn local(&self) -> Local<A> {
        Local {
            node: self.node().clone(),
            at: self.at(),
            of: PhantomData,
        }
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
        let Some(context) = trace::outgoing() else {
            return self.work(closure(work));
        };
        self.work(closure(move |actor, ctx| {
            let _entered = trace::resume(context);
            work(actor, ctx);
        }));
    }

    pub(crate) fn handle(&self) -> Handle {
        self.at
    }

    /// Ends the process.
    pub(crate) fn end(&self, reason: ExitReason) {
        self.node.urgent(self.at, System::Stop(Box::new(reason)));
    }

    fn work(&self, work: Box<dyn Work>) {
        self.node.urgent(self.at, System::Work(work));
    }
}
