//! Processes: actors that live in a slot of their node's table and speak a protocol.

use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::dev::MessageResponse;
use actix::{Actor, Handler, Running};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::ask::AskError;
use crate::context::{Context, Kept, Phase};
use crate::http::{RouteList, Routes};
use crate::lane::{self, AnyLane, Lane};
use crate::letter::{Letter, Owed, ReplyTo, System, Traced};
use crate::link::ExitReason;
use crate::overflow::Overflow;
use crate::pid::Upid;
use crate::protocol::{MessageInfo, Page, Speak, Wire};
use crate::reply::Reply;
use crate::trace::{self, TraceContext};
use crate::worker::{Here, panic_text};

/// Letters between two looks at the clock within a turn.
const CLOCK_LETTERS: usize = 16;

/// An actor with an address.
///
/// Its letters, due timers, continuations and HTTP requests pass through one queue and are handled
/// one at a time, in order. Handlers neither block nor await: what has to be waited for goes to
/// [`Context::defer`].
pub trait Process: Actor<Context = Context<Self>> {
    /// What it accepts from anywhere.
    type Protocol: Speak<Self>;

    /// How many letters may wait for it; [`OVERFLOW`](Process::OVERFLOW) says what happens past
    /// that.
    const CAPACITY: u32 = 65_536;

    /// What becomes of messages that find the mailbox full.
    const OVERFLOW: Overflow = Overflow::Block;

    /// Its doors for HTTP, served below `/<id>/`.
    fn routes(_routes: &mut Routes<Self>) {}
}

/// What the processes of one type have in common.
pub(crate) struct Kind {
    pub(crate) name: fn() -> &'static str,
    pub(crate) capacity: u32,
    pub(crate) overflow: Overflow,
    pub(crate) messages: &'static [MessageInfo],
    pub(crate) protocol: TypeId,
    /// A lane of that protocol, for a letter that comes now.
    pub(crate) lane: fn() -> Box<dyn AnyLane>,
}

/// Gives each type of process the [`Kind`] it has.
pub(crate) trait OfKind {
    const KIND: &'static Kind;
}

impl<A: Process> OfKind for A {
    const KIND: &'static Kind = &Kind {
        name: std::any::type_name::<A>,
        capacity: A::CAPACITY,
        overflow: A::OVERFLOW,
        messages: <A::Protocol as Page>::MESSAGES,
        protocol: TypeId::of::<A::Protocol>(),
        lane: lane_for_one::<A::Protocol>,
    };
}

pub(crate) fn lane_for_one<P: Page>() -> Box<dyn AnyLane> {
    Box::new(Lane::<P>::for_one())
}

/// An actor, and what is kept of its context between turns: what a slot of the table holds.
pub(crate) struct Body<A: Process> {
    actor: A,
    /// None while it has a turn.
    kept: Option<Kept<A>>,
}

impl<A: Process> Body<A> {
    pub(crate) fn new(actor: A, upid: Upid) -> Body<A> {
        let kept = Some(Kept::new(upid));
        Body { actor, kept }
    }
}

/// Hands a message to the actor, unless a test has something else in mind for it.
#[doc(hidden)]
#[inline]
pub fn open<A: Process + Handler<M>, M: Wire>(
    actor: &mut A,
    ctx: &mut Context<A>,
    message: M,
    reply: Option<ReplyTo>,
) {
    #[cfg(feature = "sim")]
    let Some((message, reply)) = crate::sim::sift(ctx, message, reply) else {
        return;
    };
    hand(actor, ctx, message, reply);
}

/// Hands a message to the actor, and its answer to whoever waits for one.
#[inline]
pub(crate) fn hand<A: Process + Handler<M>, M: Wire>(
    actor: &mut A,
    ctx: &mut Context<A>,
    message: M,
    reply: Option<ReplyTo>,
) {
    let Some(reply) = reply else {
        return actor.handle(message, ctx).handle(ctx, None);
    };
    let owed = Due {
        here: ctx.here().clone(),
        reply: Some(reply),
    };
    let response = actor.handle(message, ctx);
    // Most handlers return the value itself: that needs no channel.
    let mut response = Some(response);
    let any: &mut dyn Any = &mut response;
    if let Some(value) = any.downcast_mut::<Option<M::Result>>() {
        if let Some(value) = value.take() {
            owed.send(value);
        }
        return;
    }
    if let Some(reply) = any.downcast_mut::<Option<Reply<M::Result>>>() {
        if let Some(Reply(value)) = reply.take() {
            owed.send(value);
        }
        return;
    }
    let Some(response) = response else { return };
    let (sender, mut receiver) = oneshot::channel();
    response.handle(ctx, Some(sender));
    match receiver.try_recv() {
        Ok(value) => owed.send(value),
        Err(oneshot::error::TryRecvError::Closed) => drop(owed),
        Err(oneshot::error::TryRecvError::Empty) => {
            let Some(owed) = owed.later() else { return };
            tokio::task::spawn_local(async move {
                owed.send(receiver.await.map_err(|_| AskError::Lost));
            });
        }
    }
}

/// An answer that is due in this turn, also when the handler panics.
struct Due {
    here: Rc<Here>,
    reply: Option<ReplyTo>,
}

impl Due {
    fn send<T: Serialize + Send + 'static>(mut self, value: T) {
        if let Some(reply) = self.reply.take() {
            reply.send(Ok(value), self.here.node(), Some(&self.here));
        }
    }

    fn later(mut self) -> Option<Owed> {
        let reply = self.reply.take()?;
        Some(Owed::new(self.here.node().clone(), reply))
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            reply.fail(AskError::Lost, self.here.node());
        }
    }
}

/// What a turn is to do beside the letters of its lane.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    /// The process has not been told yet that it started.
    pub(crate) fresh: bool,
    /// Some of its timers are due.
    pub(crate) woken: bool,
    /// Most letters, and most timers, that it may handle.
    pub(crate) letters: usize,
    /// Longest time it may take with letters left; none where real time must decide nothing.
    pub(crate) time: Option<Duration>,
}

/// What a worker does with a process, whatever its type.
pub(crate) trait Run {
    /// Due timers first, then letters in order, until none is left, the turn is over or it ends.
    fn turn(&mut self, here: &Rc<Here>, lane: &mut dyn AnyLane, turn: Turn) -> Option<ExitReason>;
    /// When its next timer falls due, if the node has to be told.
    fn rearm(&mut self, now: tokio::time::Instant) -> Option<tokio::time::Instant>;
    /// Ends it, with a last word of the actor when it is `orderly`; the addresses it is linked to
    /// come back.
    fn end(&mut self, here: &Rc<Here>, orderly: bool) -> Vec<Upid>;
    fn link_count(&self) -> usize;
    /// What lists its routes; none unless it says so.
    fn route_list(&self) -> RouteList {
        Vec::new
    }
}

impl<A: Process> Run for Body<A> {
    fn turn(&mut self, here: &Rc<Here>, lane: &mut dyn AnyLane, turn: Turn) -> Option<ExitReason> {
        let Body { actor, kept } = self;
        let lane = lane::typed::<A::Protocol>(lane)?;
        let mut ctx = Context::resume(here.clone(), kept.take()?);
        // Once a turn, not once a letter: what it costs is shared by all of them.
        let handling = AssertUnwindSafe(|| handle_all(actor, &mut ctx, lane, turn));
        let ended = catch_unwind(handling)
            .unwrap_or_else(|panic| Some(ExitReason::Panicked(panic_text(&*panic))));
        *kept = Some(ctx.rest());
        ended
    }

    fn rearm(&mut self, now: tokio::time::Instant) -> Option<tokio::time::Instant> {
        self.kept.as_mut()?.timers_mut()?.rearm(now)
    }

    fn end(&mut self, here: &Rc<Here>, orderly: bool) -> Vec<Upid> {
        let Some(kept) = self.kept.take() else {
            return Vec::new();
        };
        let mut ctx = Context::resume(here.clone(), kept);
        if orderly {
            self.actor.stopped(&mut ctx);
        }
        ctx.take_links()
    }

    fn link_count(&self) -> usize {
        self.kept.as_ref().map_or(0, Kept::link_count)
    }

    fn route_list(&self) -> RouteList {
        Routes::<A>::list
    }
}

fn handle_all<A: Process>(
    actor: &mut A,
    ctx: &mut Context<A>,
    lane: &mut Lane<A::Protocol>,
    turn: Turn,
) -> Option<ExitReason> {
    if turn.fresh {
        actor.started(ctx);
        if let Some(reason) = ending(actor, ctx) {
            return Some(reason);
        }
    }
    if turn.woken {
        let now = tokio::time::Instant::now();
        for _ in 0..turn.letters {
            let Some(then) = ctx.timers_mut().and_then(|timers| timers.due(now)) else {
                break;
            };
            #[cfg(feature = "sim")]
            crate::sim::note_timer(ctx.node(), ctx.upid());
            then(actor, ctx);
            if let Some(reason) = ending(actor, ctx) {
                return Some(reason);
            }
        }
    }
    let many = lane.letters.len() > CLOCK_LETTERS;
    let until = turn.time.filter(|_| many).map(|time| Instant::now() + time);
    for count in 1..=turn.letters {
        let Some(letter) = lane.letters.pop_front() else {
            break;
        };
        handle(actor, ctx, letter);
        if ctx.is_stopping()
            && let Some(reason) = ending(actor, ctx)
        {
            return Some(reason);
        }
        if count % CLOCK_LETTERS == 0 && until.is_some_and(|until| Instant::now() > until) {
            break;
        }
    }
    None
}

#[inline]
fn handle<A: Process>(actor: &mut A, ctx: &mut Context<A>, letter: Letter<A::Protocol>) {
    match letter {
        Letter::Tell { from, message } => {
            ctx.received_from(from);
            message_to(actor, ctx, message, None);
        }
        Letter::Ask {
            from,
            message,
            reply,
        } => {
            ctx.received_from(from);
            message_to(actor, ctx, message, Some(reply));
        }
        Letter::Traced(traced) => {
            let Traced {
                context,
                from,
                message,
                reply,
            } = *traced;
            ctx.received_from(from);
            traced_to(actor, ctx, Some(context), message, reply);
        }
        Letter::System(letter) => {
            ctx.received_from_system();
            system_to(actor, ctx, letter);
        }
    }
}

#[inline]
fn message_to<A: Process>(
    actor: &mut A,
    ctx: &mut Context<A>,
    message: <A::Protocol as Page>::Messages,
    reply: Option<ReplyTo>,
) {
    if trace::is_off(None) {
        A::Protocol::hand(actor, ctx, message, reply);
    } else {
        traced_to(actor, ctx, None, message, reply);
    }
}

/// Hands a message to the actor within the span of its trace.
#[cold]
fn traced_to<A: Process>(
    actor: &mut A,
    ctx: &mut Context<A>,
    context: Option<TraceContext>,
    message: <A::Protocol as Page>::Messages,
    reply: Option<ReplyTo>,
) {
    let name = A::Protocol::name_of(&message);
    let _entered = trace::enter(context, ctx.upid(), ctx.sender(), name);
    A::Protocol::hand(actor, ctx, message, reply);
}

fn system_to<A: Process>(actor: &mut A, ctx: &mut Context<A>, letter: System) {
    #[cfg(feature = "sim")]
    crate::sim::note(ctx.node(), ctx.upid(), &letter);
    match letter {
        System::Work(work) => work.run(actor, ctx),
        System::Reply { number, outcome } => ctx.answered(actor, number, outcome),
        System::Exited(exited) => {
            if let Some(handle) = ctx.exited(&exited.upid) {
                handle(actor, *exited, ctx);
            }
        }
        System::Http(call) => call.serve(actor, ctx),
        System::Stop(reason) => ctx.phase = Phase::Stopped(*reason),
    }
}

/// Whether, and how, the process is to end; asks the actor.
fn ending<A: Process>(actor: &mut A, ctx: &mut Context<A>) -> Option<ExitReason> {
    if matches!(ctx.phase, Phase::Stopping) {
        ctx.phase = match actor.stopping(ctx) {
            Running::Continue => Phase::Running,
            Running::Stop => Phase::Stopped(ExitReason::Stopped),
        };
    }
    match &ctx.phase {
        Phase::Stopped(reason) => Some(reason.clone()),
        Phase::Running | Phase::Stopping => None,
    }
}
