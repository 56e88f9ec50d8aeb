//! What can be refused, and what can never be.

use crate::{Ballot, ConfigError, NodeId, Position};
use serde::{Deserialize, Serialize};

/// Why a request came to nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Another replica leads, perhaps this one.
    #[error("the replica does not lead the log")]
    NotLeader(Option<NodeId>),
    /// Too many requests wait.
    #[error("too many requests wait for the log")]
    Busy,
    /// The storage has no room.
    #[error("the replica's disk is full")]
    Full,
    /// The data is too long.
    #[error("an entry of the log may have {limit} bytes")]
    TooLong {
        /// How long it may be.
        limit: usize,
    },
    /// What is not written cannot be truncated.
    #[error("the log ends at {end}")]
    NotYetWritten {
        /// The last position.
        end: Position,
    },
    /// One change of the members at a time.
    #[error("the members of the log are being changed already")]
    Changing,
    /// The replica to add has not been heard of, or did not catch up in time.
    #[error("replica {0} has not caught up with the log")]
    NotCaughtUp(NodeId),
    /// The members that would remain have not caught up in time.
    #[error("too few of the members have caught up with the log")]
    TooFewCaughtUp,
    /// The configuration cannot be.
    #[error("the members of the log cannot be changed so")]
    Config(#[from] ConfigError),
    /// The replicas that begin a log together do not agree: one has begun before, and lost what it had.
    #[error("replica {0} has begun this log before, or another")]
    BegunBefore(NodeId),
}

/// Something that cannot be true. The replica stops rather than act on it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Violation {
    /// I1: one value per position and ballot.
    #[error("two values were proposed at {position} under ballot {ballot}")]
    TwoValuesOfOneBallot {
        /// Where.
        position: Position,
        /// Under which.
        ballot: Ballot,
    },
    /// I2: accepting is promising.
    #[error("an entry at {position} was accepted under {ballot}, which is above the promise")]
    AcceptedWithoutPromise {
        /// Where.
        position: Position,
        /// Under which.
        ballot: Ballot,
    },
    /// I5: what is learned is what was chosen.
    #[error("two values were learned at {position}")]
    TwoValuesChosen {
        /// Where.
        position: Position,
    },
    /// Entries are learned in order.
    #[error("{position} was learned after {commit}")]
    OutOfOrder {
        /// What was learned.
        position: Position,
        /// What was known before.
        commit: Position,
    },
    /// I6: the beginning only grows, and never past what is chosen.
    #[error("the log begins at {begin} and is chosen up to {commit}")]
    BeginPastCommit {
        /// The first position kept.
        begin: Position,
        /// What is chosen.
        commit: Position,
    },
    /// An entry in flight is not in memory.
    #[error("the entry proposed at {position} is gone")]
    Lost {
        /// Where.
        position: Position,
    },
    /// A position has no configuration.
    #[error("it is not known who votes at {position}")]
    NoConfig {
        /// Where.
        position: Position,
    },
}

/// Whether the storage takes records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// It does.
    Available,
    /// The disk is full: the replica neither leads nor accepts until it is not.
    Full,
}

/// Data to append.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Append {
    /// Comes back with the position.
    pub ticket: crate::Ticket,
    /// The data.
    pub data: bytes::Bytes,
}
