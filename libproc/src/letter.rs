//! Letters: everything that passes through the one lane of a process.

use std::any::Any;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::ask::AskError;
use crate::http::Call;
use crate::link::{ExitReason, Exited};
use crate::node::Node;
use crate::pid::Upid;
use crate::protocol::Page;
use crate::table::Handle;
use crate::trace::{self, TraceContext};
use crate::transport::PeerReply;
use crate::worker::Here;

/// One entry of a lane. Messages lie in it themselves: sending one allocates nothing.
pub(crate) enum Letter<P: Page> {
    /// A message.
    Tell {
        from: Sender,
        message: P::Messages,
    },
    /// A message that expects an answer.
    Ask {
        from: Sender,
        message: P::Messages,
        reply: ReplyTo,
    },
    /// Either, with the trace it belongs to.
    Traced(Box<Traced<P>>),
    System(System),
}

/// A message that belongs to a trace.
pub(crate) struct Traced<P: Page> {
    pub(crate) context: TraceContext,
    pub(crate) from: Sender,
    pub(crate) message: P::Messages,
    pub(crate) reply: Option<ReplyTo>,
}

/// A message out of its letter: who sent it, it, and who waits for an answer.
pub(crate) type Opened<P> = (Sender, <P as Page>::Messages, Option<ReplyTo>);

impl<P: Page> Letter<P> {
    /// The letter of a message, in the trace of whatever this thread is at.
    #[inline]
    pub(crate) fn new(from: Sender, message: P::Messages, reply: Option<ReplyTo>) -> Letter<P> {
        if let Some(context) = trace::outgoing() {
            return Letter::traced(context, (from, message, reply));
        }
        match reply {
            None => Letter::Tell { from, message },
            Some(reply) => Letter::Ask {
                from,
                message,
                reply,
            },
        }
    }
}

impl<P: Page> Letter<P> {
    #[cold]
    pub(crate) fn traced(context: TraceContext, opened: Opened<P>) -> Letter<P> {
        let (from, message, reply) = opened;
        Letter::Traced(Box::new(Traced {
            context,
            from,
            message,
            reply,
        }))
    }

    /// Takes the message out; letters of the system come back.
    pub(crate) fn open(self) -> Result<Opened<P>, System> {
        match self {
            Letter::Tell { from, message } => Ok((from, message, None)),
            Letter::Ask {
                from,
                message,
                reply,
            } => Ok((from, message, Some(reply))),
            Letter::Traced(traced) => Ok((traced.from, traced.message, traced.reply)),
            Letter::System(letter) => Err(letter),
        }
    }

    /// What it is called on a page.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Letter::Tell { message, .. } | Letter::Ask { message, .. } => P::name_of(message),
            Letter::Traced(traced) => P::name_of(&traced.message),
            Letter::System(System::Work(_)) => "(work)",
            Letter::System(System::Reply { .. }) => "(reply)",
            Letter::System(System::Exited(_)) => "(exited)",
            Letter::System(System::Http(_)) => "(http)",
            Letter::System(System::Stop(_)) => "(stop)",
        }
    }
}

/// Who sent a message. A process of this node is named by its place: its address is shared, and each
/// letter would count one more holder of it, and one less when it is handled.
#[derive(Clone)]
pub(crate) enum Sender {
    /// No process.
    Nobody,
    /// A process of the receiver's node.
    Here(Handle),
    /// A process of another node.
    Afar(Upid),
}

/// What reaches a process without being of its protocol.
pub(crate) enum System {
    /// Something that knows the actor's type: a local message, a continuation.
    Work(Box<dyn Work>),
    /// The answer to an ask of this process.
    Reply { number: u64, outcome: Outcome },
    /// A process this one is linked to has gone.
    Exited(Box<Exited>),
    /// A request for one of the process's routes.
    Http(Box<Call>),
    /// The process is to stop.
    Stop(Box<ExitReason>),
}

pub(crate) type Outcome = Result<Box<dyn Any + Send>, AskError>;

/// A closure over an actor and its context, behind one pointer.
pub(crate) trait Work: Send {
    /// Runs with the actor it was made for, and its context.
    fn run(self: Box<Self>, actor: &mut dyn Any, ctx: &mut dyn Any);
}

/// The way back to whoever asked.
#[doc(hidden)]
pub struct ReplyTo(pub(crate) Asker);

pub(crate) enum Asker {
    /// A process of the node of whoever is asked, and the number of its continuation.
    Process { at: Handle, number: u64 },
    /// A task that is no process.
    Task(oneshot::Sender<Outcome>),
    /// Someone on another node.
    Peer(Box<PeerReply>),
}

impl ReplyTo {
    /// Answers, on `node`; `here` is the worker this is done on, where that is known.
    pub(crate) fn send<T: Serialize + Send + 'static>(
        self,
        outcome: Result<T, AskError>,
        node: &Node,
        here: Option<&Here>,
    ) {
        match self.0 {
            Asker::Peer(peer) => peer.send(&outcome),
            Asker::Process { .. } | Asker::Task(_) => {
                let boxed = outcome.map(|value| Box::new(value) as Box<dyn Any + Send>);
                self.pass(boxed, node, here);
            }
        }
    }

    pub(crate) fn fail(self, error: AskError, node: &Node) {
        match self.0 {
            Asker::Peer(peer) => peer.send::<()>(&Err(error)),
            Asker::Process { .. } | Asker::Task(_) => self.pass(Err(error), node, None),
        }
    }

    /// Passes on an answer that is boxed already: never to a peer.
    pub(crate) fn pass(self, outcome: Outcome, node: &Node, here: Option<&Here>) {
        match self.0 {
            Asker::Process { at, number } => {
                node.urgent_from(at, System::Reply { number, outcome }, here);
            }
            // A task that stopped waiting wants no answer.
            Asker::Task(sender) => drop(sender.send(outcome)),
            Asker::Peer(peer) => peer.send::<()>(&Err(AskError::Lost)),
        }
    }
}

/// An answer that is owed: dropped unused, the asker sees [`AskError::Lost`].
#[doc(hidden)]
pub struct Owed {
    node: Node,
    reply: Option<ReplyTo>,
}

impl Owed {
    pub(crate) fn new(node: Node, reply: ReplyTo) -> Owed {
        let reply = Some(reply);
        Owed { node, reply }
    }

    pub(crate) fn send<T: Serialize + Send + 'static>(mut self, outcome: Result<T, AskError>) {
        if let Some(reply) = self.reply.take() {
            reply.send(outcome, &self.node, None);
        }
    }

    pub(crate) fn fail(mut self, error: AskError) {
        if let Some(reply) = self.reply.take() {
            reply.fail(error, &self.node);
        }
    }

    /// The bare way back, for who answers in the turn of a process.
    #[cfg(feature = "sim")]
    pub(crate) fn release(mut self) -> Option<ReplyTo> {
        self.reply.take()
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            reply.fail(AskError::Lost, &self.node);
        }
    }
}
