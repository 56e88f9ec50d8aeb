//! Replies that actix has no word for: any value at once, or a value to come.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use actix::Message;
use actix::dev::{MessageResponse, OneshotSender};
use tokio::sync::oneshot;

use crate::context::Context;
use crate::process::Process;

/// A reply of any type, given at once.
pub struct Reply<T>(pub T);

impl<A: Process, M: Message> MessageResponse<A, M> for Reply<M::Result> {
    fn handle(self, _: &mut Context<A>, asker: Option<OneshotSender<M::Result>>) {
        if let Some(asker) = asker {
            // An asker that stopped waiting wants no answer.
            drop(asker.send(self.0));
        }
    }
}

/// A reply that is not ready yet; its [`Answer`] is made with it by [`Later::new`].
pub struct Later<T>(oneshot::Receiver<T>);

/// The other end of a [`Later`]. Dropped unsent, the asker sees [`Lost`](crate::AskError::Lost).
#[derive(Debug)]
pub struct Answer<T>(oneshot::Sender<T>);

impl<T> Later<T> {
    /// A reply to be given later, and the means to give it.
    #[must_use]
    pub fn new() -> (Answer<T>, Later<T>) {
        let (sender, receiver) = oneshot::channel();
        (Answer(sender), Later(receiver))
    }
}

impl<T> Answer<T> {
    /// Gives the answer. Nobody may be waiting any more: that is no error.
    pub fn send(self, value: T) {
        drop(self.0.send(value));
    }

    /// Whether nobody waits for it any more.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> Future for Later<T> {
    type Output = Option<T>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<A: Process, M: Message> MessageResponse<A, M> for Later<M::Result> {
    fn handle(self, _: &mut Context<A>, asker: Option<OneshotSender<M::Result>>) {
        let Some(asker) = asker else { return };
        tokio::task::spawn_local(async move {
            if let Some(value) = self.await {
                drop(asker.send(value));
            }
        });
    }
}
