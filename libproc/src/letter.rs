//! Letters: everything that passes through the one lane of a process.

use std::any::Any;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::ask::AskError;
use crate::http::Call;
use crate::link::{ExitReason, Exited};
use crate::node::Node;
use crate::pid::Upid;
use crate::protocol::MessageInfo;
use crate::table::Handle;
use crate::transport::PeerReply;

/// One entry of a mailbox.
pub(crate) enum Letter {
    /// A message of the process's protocol: its place on the page, and a [`Parcel`].
    Message {
        from: Option<Upid>,
        index: u16,
        parcel: Box<dyn Any + Send>,
    },
    /// Something that knows the actor's type: a local message, a continuation.
    Work(Box<dyn Work>),
    /// The answer to an ask of this process.
    Reply { number: u64, outcome: Outcome },
    /// A process this one is linked to has gone.
    Exited(Box<Exited>),
    /// A request for one of the process's routes.
    Http(Box<Call>),
    /// The process is to stop.
    Stop(ExitReason),
}

impl Letter {
    /// What it is called on a page, where the process accepts these messages.
    pub(crate) fn name(&self, messages: &[MessageInfo]) -> &'static str {
        match self {
            Letter::Message { index, .. } => {
                let message = messages.get(usize::from(*index));
                message.map_or("(unknown)", |message| message.name)
            }
            Letter::Work(_) => "(work)",
            Letter::Reply { .. } => "(reply)",
            Letter::Exited(_) => "(exited)",
            Letter::Http(_) => "(http)",
            Letter::Stop(_) => "(stop)",
        }
    }
}

pub(crate) type Outcome = Result<Box<dyn Any + Send>, AskError>;

/// A closure over an actor and its context, behind one pointer.
pub(crate) trait Work: Send {
    /// Runs with the `Body` of the actor it was made for.
    fn run(self: Box<Self>, body: &mut dyn Any);
}

/// A message on its way, with the way back.
pub(crate) struct Parcel<M> {
    pub(crate) message: M,
    pub(crate) reply: Option<ReplyTo>,
}

/// The way back to whoever asked. Dropped unused, the asker sees [`AskError::Lost`].
pub(crate) struct ReplyTo(Option<Asker>);

pub(crate) enum Asker {
    /// A process of this node, and the number under which it keeps its continuation.
    Process { node: Node, at: Handle, number: u64 },
    /// A task that is no process.
    Task(oneshot::Sender<Outcome>),
    /// Someone on another node.
    Peer(PeerReply),
}

impl ReplyTo {
    pub(crate) fn new(asker: Asker) -> ReplyTo {
        ReplyTo(Some(asker))
    }

    pub(crate) fn send<T: Serialize + Send + 'static>(mut self, outcome: Result<T, AskError>) {
        match self.0.take() {
            Some(Asker::Peer(peer)) => peer.send(&outcome),
            Some(asker) => local(
                asker,
                outcome.map(|value| Box::new(value) as Box<dyn Any + Send>),
            ),
            None => {}
        }
    }

    pub(crate) fn fail(mut self, error: AskError) {
        if let Some(asker) = self.0.take() {
            fail(asker, error);
        }
    }

    /// Passes on an answer that is boxed already: never to a peer.
    pub(crate) fn pass(mut self, outcome: Outcome) {
        if let Some(asker) = self.0.take() {
            local(asker, outcome);
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if let Some(asker) = self.0.take() {
            fail(asker, AskError::Lost);
        }
    }
}

fn local(asker: Asker, outcome: Outcome) {
    match asker {
        Asker::Process { node, at, number } => node.urgent(at, Letter::Reply { number, outcome }),
        // A task that stopped waiting wants no answer.
        Asker::Task(sender) => drop(sender.send(outcome)),
        Asker::Peer(peer) => peer.send::<()>(&Err(AskError::Lost)),
    }
}

fn fail(asker: Asker, error: AskError) {
    match asker {
        Asker::Peer(peer) => peer.send::<()>(&Err(error)),
        Asker::Process { .. } | Asker::Task(_) => local(asker, Err(error)),
    }
}
