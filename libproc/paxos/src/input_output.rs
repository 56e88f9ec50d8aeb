//! What goes into a replica and what comes out of it.

use crate::{
    Action, Append, Ballot, Base, Change, ClusterId, Config, Damage, Entry, Envelope, Failure,
    Member, NodeId, Options, Position, Quorums, Record, Refusal, RequestId, Snapshot, Space, Span,
    Ticket, Violation, WriteNumber,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whether a replica votes, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Status {
    /// It has never had anything.
    Empty,
    /// It has agreed to the first configuration, and waits for the others to agree.
    Starting,
    /// It forgot, or is new: it catches up and waits to be configured.
    Recovering,
    /// It votes.
    Voting,
    /// It votes, but cannot speak for some positions until a quorum has repaired them.
    Repairing,
}

impl Status {
    /// Whether a replica that says so knows of a log that exists.
    pub(crate) fn has_begun(self) -> bool {
        match self {
            Status::Recovering | Status::Voting | Status::Repairing => true,
            Status::Empty | Status::Starting => false,
        }
    }
}

/// What a replica is told by whoever starts it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Setup {
    /// Which log.
    pub cluster: ClusterId,
    /// Which replica.
    pub node: NodeId,
    /// The replicas that begin the log together, or the ones to ask for a log that exists.
    pub peers: BTreeSet<NodeId>,
    /// The quorums the log begins with.
    pub quorums: Quorums,
    /// Times and limits.
    pub options: Options,
}

/// What happens to a replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Time has passed, at least until [`Replica::deadline`]. `random` is any number.
    Tick {
        /// Chance, for the times of elections.
        random: u64,
    },
    /// All records up to this one are durable.
    Persisted(WriteNumber),
    /// A message arrived.
    Receive(Envelope),
    /// Append these, in this order.
    Append(Vec<Append>),
    /// Forget what is before `to`.
    Truncate {
        /// Comes back.
        ticket: Ticket,
        /// The first position to keep.
        to: Position,
    },
    /// Up to where must one have learned to read what is true now?
    Read {
        /// Comes back.
        ticket: Ticket,
    },
    /// Change who votes.
    Change {
        /// Comes back.
        ticket: Ticket,
        /// How.
        change: Change,
    },
    /// The answer to [`Output::Load`]: the entries that could be read, from the first on.
    Loaded {
        /// From the output.
        to: NodeId,
        /// From the output.
        request: RequestId,
        /// The position of the first entry.
        first: Position,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// The storage found that it lost something.
    Damaged(Damage),
    /// The storage has no room, or has room again.
    Space(Space),
    /// This stands for the entries up to `through`, for replicas that come too late to get them.
    /// Each replica is told its own, before the truncation is asked for, since any of them may be asked. A log
    /// whose state lies in its entries needs none.
    Snapshot(Snapshot),
    /// Give up leading, to the follower that is best prepared.
    Resign,
    /// Stand for election now.
    Campaign,
}

/// What a replica wants done, in this order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Write this after all records before; say [`Input::Persisted`] when it is durable.
    Persist(WriteNumber, Record),
    /// Send this at once. Whatever had to be durable before it is.
    Send(Envelope),
    /// Read chosen entries of these positions, as many as fit into `bytes` but one at least, also of
    /// records that are not durable yet, and say [`Input::Loaded`].
    Load {
        /// For the input.
        to: NodeId,
        /// For the input.
        request: RequestId,
        /// The positions.
        span: Span,
        /// How much.
        bytes: usize,
    },
    /// This replica leads, and everything written before is chosen. The next append is at `next`.
    Elected {
        /// Its ballot.
        ballot: Ballot,
        /// The next position.
        next: Position,
    },
    /// This replica leads no longer.
    Demoted {
        /// The ballot it led with.
        ballot: Ballot,
    },
    /// Another leads, or nobody known.
    Follows(Option<NodeId>),
    /// An append or a truncation is done for ever.
    Appended {
        /// Of the request.
        ticket: Ticket,
        /// Where.
        position: Position,
    },
    /// Nothing came of it, and nothing will.
    Refused {
        /// Of the request.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
    /// This replica was demoted meanwhile: it may yet be done, or never.
    Unknown {
        /// Of the request.
        ticket: Ticket,
    },
    /// Who has learned everything up to `position` reads what was true when it was asked.
    Readable {
        /// Of the request.
        ticket: Ticket,
        /// Up to where.
        position: Position,
    },
    /// The change is done; who was removed may be stopped.
    Changed {
        /// Of the request.
        ticket: Ticket,
        /// The configuration that votes.
        config: Config,
    },
    /// An entry is chosen. Each position once in a start, in order; after an `Install` from there.
    Chosen {
        /// Where.
        position: Position,
        /// What.
        action: Action,
    },
    /// The log begins here; entries before will not come.
    Install(Base),
    /// Nothing before this is needed any more, and that is on record.
    Truncated(Position),
    /// The status is another. After `Repairing`, `Voting` tells that the repair is done and on record.
    StatusIs(Status),
    /// It cannot start without a person: see [`Failure`].
    Stuck(Failure),
    /// A message was refused.
    Stranger {
        /// Who sent it.
        from: Member,
        /// Of which log.
        cluster: ClusterId,
        /// Why.
        refusal: Refusal,
    },
    /// Something is true that cannot be. The replica does nothing any more.
    Halted(Violation),
}
