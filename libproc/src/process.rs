//! Processes: actors that live in a slot of their node's table and speak a protocol.

use std::any::Any;

use actix::dev::MessageResponse;
use actix::{Actor, Handler, Running};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ask::AskError;
use crate::context::{Context, Phase};
use crate::http::Routes;
use crate::letter::{Letter, Parcel};
use crate::link::ExitReason;
use crate::overflow::Overflow;
use crate::pid::Upid;
use crate::protocol::{Speak, Wire};

/// An actor with an address.
///
/// Its letters, due timers, continuations and HTTP requests pass through one queue and are handled
/// one at a time, in order. Handlers neither block nor await: what has to be waited for goes to
/// [`Context::defer`].
pub trait Process: Actor<Context = Context<Self>> + Send {
    /// What it accepts from anywhere.
    type Protocol: Speak<Self>;

    /// How many letters may wait for it. Past that a `tell` is a counted dead letter and an `ask`
    /// fails with [`AskError::Busy`]; letters of the system itself always get in.
    const CAPACITY: u32 = 65_536;

    /// What becomes of messages that find the mailbox full.
    const OVERFLOW: Overflow = Overflow::Block;

    /// Its doors for HTTP, served below `/<id>/`.
    fn routes(_routes: &mut Routes<Self>) {}
}

/// An actor and its context: what a slot of the table holds.
#[doc(hidden)]
pub struct Body<A: Process> {
    pub(crate) actor: A,
    pub(crate) ctx: Context<A>,
}

/// How one message of a protocol is handed to the actor; false when the parcel held another type.
#[doc(hidden)]
pub type Door<A> = fn(&mut Body<A>, Box<dyn Any + Send>) -> bool;

#[doc(hidden)]
pub fn open<A: Process + Handler<M>, M: Wire>(
    body: &mut Body<A>,
    parcel: Box<dyn Any + Send>,
) -> bool {
    let Ok(parcel) = parcel.downcast::<Parcel<M>>() else {
        return false;
    };
    let Parcel { message, reply } = *parcel;
    let response = body.actor.handle(message, &mut body.ctx);
    let Some(reply) = reply else {
        response.handle(&mut body.ctx, None);
        return true;
    };
    let (sender, mut receiver) = oneshot::channel();
    response.handle(&mut body.ctx, Some(sender));
    match receiver.try_recv() {
        Ok(value) => reply.send(Ok(value)),
        Err(oneshot::error::TryRecvError::Closed) => reply.fail(AskError::Lost),
        Err(oneshot::error::TryRecvError::Empty) => {
            tokio::task::spawn_local(async move {
                reply.send(receiver.await.map_err(|_| AskError::Lost));
            });
        }
    }
    true
}

/// What a worker does with a process, whatever its type.
pub(crate) trait Run: Send {
    fn begin(&mut self);
    fn letter(&mut self, letter: Letter);
    /// Runs timers that are due, at most `limit` of them.
    fn due(&mut self, now: Instant, limit: u32);
    fn has_timers(&self) -> bool;
    fn rearm(&mut self, now: Instant) -> Option<Instant>;
    /// Whether, and how, it is to end; asks the actor.
    fn ending(&mut self) -> Option<ExitReason>;
    /// Ends it, with a last word of the actor when it is `orderly`; the addresses it is linked to
    /// come back.
    fn end(&mut self, orderly: bool) -> Vec<Upid>;
    fn link_count(&self) -> usize;
}

impl<A: Process> Run for Body<A> {
    fn begin(&mut self) {
        self.actor.started(&mut self.ctx);
    }

    fn letter(&mut self, letter: Letter) {
        let Body { actor, ctx } = self;
        match letter {
            Letter::Message {
                from,
                index,
                parcel,
            } => {
                let _span = tracing::trace_span!("letter", to = %ctx.upid(), from = ?from, index);
                let _entered = _span.enter();
                #[cfg(feature = "sim")]
                crate::sim::record(ctx.upid(), from.as_ref(), index);
                ctx.sender = from;
                let door = A::Protocol::DOORS.get(usize::from(index));
                let opened = door.is_some_and(|door| door(self, parcel));
                self.ctx.sender = None;
                if !opened {
                    self.ctx.node().dead(crate::DeadReason::NotAccepted, 1);
                }
            }
            Letter::Work(work) => work.run(self),
            Letter::Reply { number, outcome } => {
                if let Some(then) = ctx.asks().close(number) {
                    then(actor, outcome, ctx);
                }
            }
            Letter::Exited(exited) => {
                if let Some(handle) = ctx.exited(&exited.upid) {
                    handle(actor, *exited, ctx);
                }
            }
            Letter::Http(call) => call.serve(actor, ctx),
            Letter::Stop(reason) => ctx.phase = Phase::Stopped(reason),
        }
    }

    fn due(&mut self, now: Instant, limit: u32) {
        for _ in 0..limit {
            let Some(work) = self.ctx.timers.as_mut().and_then(|timers| timers.due(now)) else {
                return;
            };
            work.run(self);
        }
    }

    fn has_timers(&self) -> bool {
        self.ctx.timers.is_some()
    }

    fn rearm(&mut self, now: Instant) -> Option<Instant> {
        self.ctx.timers.as_mut()?.rearm(now)
    }

    fn ending(&mut self) -> Option<ExitReason> {
        if matches!(self.ctx.phase, Phase::Stopping) {
            self.ctx.phase = match self.actor.stopping(&mut self.ctx) {
                Running::Continue => Phase::Running,
                Running::Stop => Phase::Stopped(ExitReason::Stopped),
            };
        }
        match &self.ctx.phase {
            Phase::Stopped(reason) => Some(reason.clone()),
            Phase::Running | Phase::Stopping => None,
        }
    }

    fn end(&mut self, orderly: bool) -> Vec<Upid> {
        if orderly {
            self.actor.stopped(&mut self.ctx);
        }
        self.ctx.take_links()
    }

    fn link_count(&self) -> usize {
        self.ctx.link_count()
    }
}
