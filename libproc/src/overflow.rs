//! What happens when a mailbox is full.

/// What becomes of a message for a process whose mailbox holds [`CAPACITY`] letters.
///
/// Letters of the system itself (exits, answers, stops, HTTP requests, local messages) always get
/// in.
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
