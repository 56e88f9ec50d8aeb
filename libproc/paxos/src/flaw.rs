//! Planted bugs, to measure whether the simulator would find them. Only with the feature `sim`.

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flaw {
    /// The acceptor of the original: it accepts a write without raising its promise.
    AcceptWithoutPromise,
    /// Answers leave before what they tell is durable.
    AckBeforeFsync,
    /// What a follower accepted under any ballot counts as chosen once the leader's commit has passed it.
    LearnUnchecked,
    /// A replica that lost what it accepted votes as if it had not.
    Amnesia,
    /// A truncation takes one entry too many.
    TruncateOffByOne,
}
