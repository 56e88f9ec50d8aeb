//! Asking: a message that expects an answer, continued in the asking process or awaited by a task.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::letter::Outcome;
use crate::link::ExitReason;
use crate::process::Process;
use crate::security::Denied;
use crate::timer::Timer;
use crate::trace;
use crate::worker::panic_text;

/// Why an ask has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody lives at the address.
    #[error("no such process")]
    NoProcess,
    /// The process exited, or dropped the request, before it answered.
    #[error("the answer was lost")]
    Lost,
    /// The mailbox of the process, or the way to its node, is full.
    #[error("the receiver is busy")]
    Busy,
    /// Its node could not be reached, or the connection broke before the answer came.
    #[error("the node of the receiver is not reachable")]
    Unreachable,
    /// Nobody listens at the address of its node: that is not running.
    #[error("the node of the receiver is not running")]
    Refused,
    /// Its node, or this one, does not take the other for a member of its cluster.
    #[error("the node of the receiver denies this one: {0}")]
    Denied(Denied),
    /// No answer within the time the asker gave.
    #[error("no answer in time")]
    Timeout,
    /// The process speaks another protocol.
    #[error("the receiver does not accept this message")]
    NotAccepted,
    /// The message or its answer could not be decoded: the two sides disagree on its shape.
    #[error("the message or its answer could not be decoded")]
    Undecodable,
    /// The message is larger than a frame may be.
    #[error("the message is too large to send")]
    TooLarge,
}

/// An ask under way, made by [`Context::ask`]: hand it to [`Context::defer`].
///
/// Dropped, the answer is thrown away when it comes. A future that wants to await an answer asks
/// through [`Node::ask`](crate::Node::ask) instead.
#[must_use = "hand it to `defer`; use `tell` when no answer is wanted"]
pub struct Asked<T> {
    pub(crate) number: u64,
    pub(crate) of: PhantomData<fn() -> T>,
}

/// What [`Context::defer`] can wait for: a future, or an ask of this process.
pub trait Deferred<A: Process> {
    /// What comes of it.
    type Output;
    /// Arranges that `then` runs in a turn of the process once the output is there.
    fn attach(
        self,
        ctx: &mut Context<A>,
        then: impl FnOnce(&mut A, Self::Output, &mut Context<A>) + Send + 'static,
    );
}

impl<A: Process, T: 'static> Deferred<A> for Asked<T> {
    type Output = Result<T, AskError>;
    fn attach(
        self,
        ctx: &mut Context<A>,
        then: impl FnOnce(&mut A, Self::Output, &mut Context<A>) + Send + 'static,
    ) {
        let then: Then<A> = match trace::outgoing() {
            None => Box::new(|actor, outcome, ctx| then(actor, unbox(outcome), ctx)),
            Some(context) => Box::new(move |actor, outcome, ctx| {
                let _entered = trace::resume(context);
                then(actor, unbox(outcome), ctx);
            }),
        };
        ctx.asks().attach(self.number, then);
    }
}

impl<A: Process, F: Future<Output: Send> + 'static> Deferred<A> for F {
    type Output = F::Output;
    fn attach(
        self,
        ctx: &mut Context<A>,
        then: impl FnOnce(&mut A, Self::Output, &mut Context<A>) + Send + 'static,
    ) {
        let local = ctx.local();
        let context = trace::outgoing();
        tokio::task::spawn_local(async move {
            // A future that panics is the process's own: nothing would ever continue it.
            let output = AssertUnwindSafe(self).catch_unwind().await;
            let _entered = trace::resume_if(context);
            match output {
                Ok(value) => local.run(move |actor, ctx| then(actor, value, ctx)),
                Err(panic) => local.end(ExitReason::Panicked(panic_text(&*panic))),
            }
        });
    }
}

pub(crate) fn unbox<T: 'static>(outcome: Outcome) -> Result<T, AskError> {
    outcome?
        .downcast::<T>()
        .map(|value| *value)
        .map_err(|_| AskError::Undecodable)
}

type Then<A> = Box<dyn FnOnce(&mut A, Outcome, &mut Context<A>) + Send>;

/// The continuations of one process, by number: an index, and a generation so that a late answer
/// to an ask that timed out finds nothing.
pub(crate) struct Asks<A: Process> {
    entries: Vec<Entry<A>>,
    free: Vec<u32>,
}

struct Entry<A: Process> {
    generation: u32,
    open: bool,
    then: Option<Then<A>>,
    /// What ends the wait, where it is bounded.
    timeout: Option<Timer>,
}

impl<A: Process> Default for Asks<A> {
    fn default() -> Self {
        Asks {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<A: Process> Asks<A> {
    pub(crate) fn open(&mut self) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                open: false,
                then: None,
                timeout: None,
            });
            self.entries.len() as u32 - 1
        });
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.open = true;
        (u64::from(entry.generation) << 32) | u64::from(index)
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry<A>> {
        let entry = self.entries.get_mut(number as u32 as usize)?;
        (entry.open && entry.generation == (number >> 32) as u32).then_some(entry)
    }

    fn attach(&mut self, number: u64, then: Then<A>) {
        if let Some(entry) = self.entry(number) {
            entry.then = Some(then);
        }
    }

    pub(crate) fn end_by(&mut self, number: u64, timeout: Timer) {
        if let Some(entry) = self.entry(number) {
            entry.timeout = Some(timeout);
        }
    }

    /// Ends an ask: what is to be done now, and the timer that is not needed any more.
    pub(crate) fn close(&mut self, number: u64) -> Option<(Option<Then<A>>, Option<Timer>)> {
        let entry = self.entry(number)?;
        entry.open = false;
        let ended = (entry.then.take(), entry.timeout.take());
        self.free.push(number as u32);
        Some(ended)
    }
}
