//! What happens when a mailbox is full, and waiting for room in one.

use std::sync::Arc;

use tokio::sync::Notify;

/// What becomes of a message for a process whose mailbox holds [`CAPACITY`] letters.
///
/// Letters of the system itself (exits, answers, stops, HTTP requests, local messages) always get
/// in. An awaited [`send`](crate::Node::send) waits for room under every policy but `Grow`.
///
/// [`CAPACITY`]: crate::Process::CAPACITY
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is a dead letter; an ask fails with [`Busy`](crate::AskError::Busy).
    Reject,
    /// It gets in, and the oldest message is a dead letter in its stead; the oldest ask fails
    /// with [`Busy`](crate::AskError::Busy).
    DropOldest,
    /// From another node: what its connection carries waits until there is room, so that its
    /// senders are held up, and no message is lost. Whoever else is reached over that connection
    /// waits as well; links and heartbeats do not. From a process of this node, which may not be
    /// held up: as under `Reject`.
    #[default]
    Block,
    /// It gets in: the capacity counts for nothing.
    Grow,
}

/// Who waits for room in a mailbox.
#[derive(Default)]
pub(crate) struct Room(Option<Arc<Notify>>);

impl Room {
    /// What is notified when there is room again.
    pub(crate) fn wait(&mut self) -> Arc<Notify> {
        self.0.get_or_insert_default().clone()
    }

    pub(crate) fn made(&self) {
        if let Some(waiting) = &self.0 {
            waiting.notify_waiters();
        }
    }
}
