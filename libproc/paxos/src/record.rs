//! What a replica must not forget.
//!
//! The storage keeps records in the order it is given them. When a replica starts, the storage replays
//! them into a [`Durable`](crate::Durable). Two exceptions make starts fast: entries that a later
//! [`Record::Committed`] covers need not be replayed (they are read by
//! [`Output::Load`](crate::Output::Load) when somebody wants them), and
//! [`Durable::checkpoint`](crate::Durable::checkpoint) gives records that stand for all before.
//!
//! **Damage.** A storage that finds that it lost something tells with [`Damage`]: at the start with
//! [`Durable::damaged`](crate::Durable::damaged), later with `Input::Damaged`. The replica
//! answers with a [`Record::Damaged`], or a [`Record::Status`] if promises are lost; once
//! a record handed over *after* it told is durable, the storage need not tell again, since the record will.

use crate::{Ballot, Config, Entry, Incarnation, Life, Position, Status};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One thing not to forget.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Record {
    /// The replica started.
    Started(Incarnation),
    /// Whether it votes, in which life, and while it is starting with whom.
    Status {
        /// Whether it votes.
        status: Status,
        /// Its memory.
        life: Life,
        /// The first configuration it agreed to, while starting.
        starting: Option<Config>,
    },
    /// No ballot below this will be served.
    Promised(Ballot),
    /// An entry was accepted, or learned. Also promises its ballot. The last of a position counts.
    Accepted {
        /// Where.
        position: Position,
        /// What.
        entry: Entry,
    },
    /// Everything up to here is chosen, and is what was accepted last.
    Committed(Position),
    /// A configuration governs from a position on.
    Configured {
        /// The first position it governs.
        from: Position,
        /// Who votes.
        config: Config,
    },
    /// Everything before `base.begin` is truncated.
    Base(Base),
    /// What was lost and is not yet repaired; replaces the former such record.
    Damaged(Damaged),
}

/// What was lost of what was accepted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Damaged {
    /// Where.
    pub spans: Vec<Span>,
    /// Nothing was lost that was accepted under a higher ballot.
    pub ballot: Ballot,
}

/// Where a log begins that does not begin at the beginning.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Base {
    /// The first position that is kept.
    pub begin: Position,
    /// Who votes at that position.
    pub config: Config,
    /// What whoever uses the log put in the place of the entries before, if it did.
    pub snapshot: Option<Snapshot>,
}

/// What stands for the beginning of a log. Opaque to the protocol: the state itself if it is small,
/// else the name by which shells fetch it from each other before they pass the message on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// It contains the entries up to here.
    pub through: Position,
    /// The state, or its name.
    pub state: Bytes,
}

/// Positions from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub first: Position,
    /// The last; [`Position::MAX`] if not known.
    pub last: Position,
}

impl Span {
    /// From `first` to `last`.
    pub fn new(first: Position, last: Position) -> Self {
        Self { first, last }
    }

    /// Whether `position` is in it.
    pub fn has(self, position: Position) -> bool {
        self.first <= position && position <= self.last
    }
}

/// What a storage lost.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Damage {
    /// What was accepted at these positions. The promise is certain: it is written elsewhere, or a
    /// record written later has a ballot.
    Entries(Vec<Span>),
    /// It is not certain what was promised: the end of the file is gone, or everything. The replica
    /// begins another life and keeps what it knows to be chosen.
    Promise,
}
