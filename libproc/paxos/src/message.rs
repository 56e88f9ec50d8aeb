//! What replicas say to each other. Every request has an answer, and silence is never one.
//!
//! | request | answers |
//! | --- | --- |
//! | `PreVote` | `PreVoted`, `PreVoteRefused`, `Behind`, `Ignored` |
//! | `Prepare` | `Promised`, `Rejected`, `Behind`, `Ignored`, `Failed` |
//! | `Accept` | `Accepted` (its `commit` and `begin` tell what was learned or truncated already), `Rejected`, `Ignored`, `Failed` |
//! | `Heartbeat` | `Followed`, `Rejected`, `Ignored` |
//! | `Fetch` | `Fetched`, `Truncated`, `FetchRefused` |
//! | `AskRead` | `ReadAt`, `ReadRefused` |
//! | `AskStatus` | `StatusIs` |
//! | any, of a stranger | `Refused` |
//!
//! Answers echo the ballot or the [`RequestId`] they answer, which both contain the start of the
//! asker: what was said to a former start counts for nothing.

use crate::{
    Action, Ballot, Base, ClusterId, Config, Entry, Epoch, Life, Member, NodeId, Position,
    RequestId, Span, Status,
};
use serde::{Deserialize, Serialize};

/// A message with what every message has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The log it is about. Messages about another are refused.
    pub cluster: ClusterId,
    /// The configuration the sender knows; zero if none.
    pub epoch: Epoch,
    /// Who says it, in which life.
    pub from: Member,
    /// Who is meant.
    pub to: NodeId,
    /// What is said.
    pub message: Message,
}

/// What is said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Would you promise? Asked before a candidate disturbs anyone.
    PreVote {
        /// The ballot it would stand with.
        ballot: Ballot,
        /// What the candidate knows to be chosen.
        commit: Position,
    },
    /// I would.
    PreVoted {
        /// The ballot asked about.
        ballot: Ballot,
    },
    /// I would not: I hear a leader, or know a higher ballot.
    PreVoteRefused {
        /// The ballot asked about.
        ballot: Ballot,
        /// What the refuser promised.
        promised: Ballot,
    },
    /// Phase 1, for all positions from `from` on.
    Prepare {
        /// The ballot.
        ballot: Ballot,
        /// The first position the candidate does not know to be chosen.
        from: Position,
    },
    /// Phase 1 granted, with everything accepted from `from` on.
    Promised {
        /// The ballot promised.
        ballot: Ballot,
        /// What the acceptor knows to be chosen.
        commit: Position,
        /// What it accepted, in order of position. Those up to `commit` are chosen.
        entries: Vec<(Position, Entry)>,
        /// Positions it cannot speak for, because it lost what it had accepted.
        damaged: Vec<Span>,
    },
    /// Phase 2, for consecutive positions. Accepting is promising.
    Accept {
        /// The ballot.
        ballot: Ballot,
        /// The position of the first action.
        first: Position,
        /// What is proposed.
        actions: Vec<Action>,
        /// Everything up to here is chosen, and is what this ballot proposed if it proposed there.
        commit: Position,
    },
    /// Phase 2 granted, durably.
    Accepted {
        /// The ballot.
        ballot: Ballot,
        /// The first position.
        first: Position,
        /// The last position.
        last: Position,
        /// What the acceptor knows to be chosen.
        commit: Position,
        /// The first position it keeps.
        begin: Position,
    },
    /// The leader is there.
    Heartbeat {
        /// Its ballot.
        ballot: Ballot,
        /// Counts them, so that an answer tells when the leader was still one.
        round: u64,
        /// As in `Accept`.
        commit: Position,
    },
    /// You lead me.
    Followed {
        /// The ballot of the leader.
        ballot: Ballot,
        /// The heartbeat answered.
        round: u64,
        /// What the follower knows to be chosen, and holds durably.
        commit: Position,
    },
    /// A higher ballot was promised.
    Rejected {
        /// The ballot refused.
        ballot: Ballot,
        /// The one promised.
        promised: Ballot,
    },
    /// I do not vote.
    Ignored {
        /// The ballot ignored.
        ballot: Ballot,
        /// Why.
        status: Status,
        /// What the replica knows to be chosen, and holds durably.
        commit: Position,
    },
    /// You should catch up first.
    Behind {
        /// The ballot asked about.
        ballot: Ballot,
        /// What the answerer knows to be chosen.
        commit: Position,
    },
    /// I cannot write.
    Failed {
        /// The ballot that would have been served.
        ballot: Ballot,
    },
    /// The chosen entries of these positions, as many as fit.
    Fetch {
        /// The question.
        request: RequestId,
        /// The positions.
        span: Span,
    },
    /// Chosen entries.
    Fetched {
        /// The question.
        request: RequestId,
        /// The position of the first entry.
        first: Position,
        /// The entries, of consecutive positions. May be fewer than wanted, or none.
        entries: Vec<Entry>,
        /// What the answerer knows to be chosen.
        commit: Position,
        /// If the answerer leads: how far.
        leading: Option<Leading>,
    },
    /// What you want is truncated; begin here.
    Truncated {
        /// The question.
        request: RequestId,
        /// Where to begin.
        base: Base,
    },
    /// I do not have it.
    FetchRefused {
        /// The question.
        request: RequestId,
    },
    /// Up to where must one have learned to read what is true at this moment?
    AskRead {
        /// The question.
        request: RequestId,
    },
    /// Up to here.
    ReadAt {
        /// The question.
        request: RequestId,
        /// The position.
        position: Position,
    },
    /// I do not lead.
    ReadRefused {
        /// The question.
        request: RequestId,
    },
    /// How are you?
    AskStatus {
        /// The question.
        request: RequestId,
        /// The asker's own.
        report: Report,
    },
    /// So.
    StatusIs {
        /// The question.
        request: RequestId,
        /// The answerer's.
        report: Report,
    },
    /// Stand for election now: the leader resigns.
    TakeOver {
        /// The ballot of the leader that resigns.
        ballot: Ballot,
    },
    /// You have no business here.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// How far a leader has come. What a replica lost after `proposed`, before it asked and under a ballot
/// not above this, was not chosen and never will be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Leading {
    /// Its ballot.
    pub ballot: Ballot,
    /// The last position it proposed at, or knows to have been proposed at under a lower ballot.
    pub proposed: Position,
}

/// What a replica says about itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether it votes.
    pub status: Status,
    /// The configuration it knows, or while starting the one it agreed to start with.
    pub config: Option<Config>,
    /// What it knows to be chosen.
    pub commit: Position,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
}

/// Why a message was refused.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
pub enum Refusal {
    /// It is about another log.
    #[error("the replica belongs to another log")]
    Cluster,
    /// Its sender is not a member, and its configuration is not a later one.
    #[error("the replica is not a member of the log")]
    Stranger,
    /// Its sender has lost its memory, and a later life of it is a member.
    #[error("a later life of the replica is a member of the log")]
    Life(Life),
    /// Its sender speaks for another: a ballot not its own.
    #[error("the replica speaks with the ballot of another")]
    Forged,
}

impl Message {
    /// The ballot spoken with, of messages a proposer sends.
    pub(crate) fn ballot_of_proposer(&self) -> Option<Ballot> {
        match self {
            Message::PreVote { ballot, .. }
            | Message::Prepare { ballot, .. }
            | Message::Accept { ballot, .. }
            | Message::Heartbeat { ballot, .. }
            | Message::TakeOver { ballot } => Some(*ballot),
            _ => None,
        }
    }

    /// Whether a replica that is no member may say it: it changes nothing and votes for nothing.
    pub(crate) fn is_open_to_all(&self) -> bool {
        matches!(
            self,
            Message::AskStatus { .. }
                | Message::StatusIs { .. }
                | Message::Fetch { .. }
                | Message::Fetched { .. }
                | Message::Truncated { .. }
                | Message::FetchRefused { .. }
                | Message::Ignored { .. }
                | Message::Refused { .. }
        )
    }
}
