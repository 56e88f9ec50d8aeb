//! The names of things: positions, nodes, lives, tickets. All are plain numbers with a type.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A place in the log. The first entry is at 1; 0 is before all of them.
    Position
}
number! {
    /// A replica, by the number its operator gave it. Never given to another machine's replica.
    NodeId
}
number! {
    /// Which log a message or a file belongs to.
    ClusterId
}
number! {
    /// One uninterrupted memory of a replica. A replica that forgot what it had promised begins
    /// another, higher life, and to the protocol is another replica (see `membership`).
    Life
}
number! {
    /// A start of a replica. Grows with every start.
    Incarnation
}
number! {
    /// The number of a configuration: one more than that of the one it replaced.
    Epoch
}
number! {
    /// A request of whoever uses the replica; comes back in the output that answers it.
    Ticket
}
number! {
    /// A record handed to the storage. Consecutive, from 1, within a start.
    WriteNumber
}
number! {
    /// A point in time or a span, in milliseconds. Only differences have a meaning.
    Millis
}

impl Position {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);
    /// The position of the first entry.
    pub const FIRST: Self = Self(1);
    /// Stands for "no end known" in a range.
    pub const MAX: Self = Self(u64::MAX);

    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before this; the one before zero is zero.
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// This, moved `by` places towards the end.
    pub fn plus(self, by: u64) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How many places `earlier` lies before this; zero if it does not.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Millis {
    /// Never.
    pub const NEVER: Self = Self(u64::MAX);

    /// `by` later.
    pub fn plus(self, by: Self) -> Self {
        Self(self.0.saturating_add(by.0))
    }

    /// How much later than `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// The number of a question, so that only the answer to it counts: the start it was asked in and a
/// counter within.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct RequestId {
    /// The start of the asker.
    pub incarnation: Incarnation,
    /// Counts the questions of that start.
    pub number: u64,
}
