//! What a replica says and hears, as letters.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use libproc::prelude::*;
use paxos::{Ballot, ClusterId, Envelope, Epoch, Member, NodeId, Position, Quorums, Span, Status};
use serde::{Deserialize, Serialize};

use crate::error::Refused;

protocol! {
    /// What a replica of a log accepts: from other replicas, and from whoever uses the log.
    pub protocol Replication {
        /// What one replica says to another.
        message Told { envelope: Envelope };
        /// Where replicas are that others may not know of yet.
        message Introduced { cluster: ClusterId, book: BTreeMap<NodeId, SocketAddr> };
        /// Begin to write, to the exclusion of whoever wrote before. With `campaign`, a replica
        /// that does not lead stands for election first.
        message StartWriting { campaign: bool } -> Result<Started, Refused>;
        /// Append data.
        message Append { writer: WriterId, data: Bytes } -> Result<Position, Refused>;
        /// Forget everything before `to`. The reply is the position of that order.
        message Truncate { writer: WriterId, to: Position } -> Result<Position, Refused>;
        /// The entries from `from` to `to` that this replica knows to be chosen, as many as fit
        /// into a letter.
        message ReadEntries { from: Position, to: Position } -> Result<Entries, Refused>;
        /// Answered as soon as this replica knows more to be chosen than `known`.
        message AwaitMore { known: Position } -> Position;
        /// The end of the log, as of when this was asked; answered when this replica has learned
        /// everything up to it.
        message AskEnd {} -> Result<Bounds, Refused>;
        /// Who leads, as soon as that differs from `known`.
        message AwaitLeader { known: Option<Leadership> } -> Leadership;
        /// How is it?
        message Look {} -> ReplicaStatus;
        /// Give up leading, if that is so, to the replica that is best prepared.
        message Resign {} -> ();
        /// Change who votes; answered when it is done.
        message Reconfigure { change: Reconfiguration } -> Result<(), Refused>;
    }
}

/// A writer, in the term of a leader: it counts until another starts, or another leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterId {
    /// The ballot of the leader.
    pub ballot: Ballot,
    /// Counts the writers of that leader.
    pub number: u64,
}

/// The answer to who starts to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Who it is.
    pub writer: WriterId,
    /// The last position that others may have written at. What is appended goes behind it.
    pub end: Position,
}

/// Data that was appended, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// Its position. Positions grow, and are not dense: the log has entries of its own.
    pub position: Position,
    /// What was appended.
    pub data: Bytes,
}

/// A stretch of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// What was appended there.
    pub appended: Vec<Appended>,
    /// The position to read on from: everything before it, from the first wanted, is in here.
    pub next: Position,
}

/// Where a log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The first position that was not truncated.
    pub begin: Position,
    /// The last position that something is at; before `begin` when nothing is.
    pub end: Position,
}

/// Who leads, as a replica sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// The replica that leads, when one is known.
    pub leader: Option<NodeId>,
    /// Where it is.
    pub address: Option<SocketAddr>,
    /// The ballot, when it is the replica itself that leads.
    pub leading: Option<Ballot>,
}

/// How a replica is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The log.
    pub cluster: ClusterId,
    /// Which replica, in which life.
    pub member: Member,
    /// Whether it votes, and if not, why.
    pub status: Status,
    /// Who leads.
    pub leadership: Leadership,
    /// The first position that is kept.
    pub begin: Position,
    /// Everything up to here is known to be chosen.
    pub commit: Position,
    /// The last position something was accepted at.
    pub end: Position,
    /// The number of the configuration.
    pub epoch: Epoch,
    /// Who votes.
    pub members: Vec<Member>,
    /// Where replicas are.
    pub book: BTreeMap<NodeId, SocketAddr>,
    /// Positions it lost and has not been given again.
    pub damaged: Vec<Span>,
    /// Its disk has no space.
    pub full: bool,
    /// Records that wait for the disk.
    pub unwritten: u64,
}

/// A change of who votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconfiguration {
    /// Another replica votes: it must be running.
    Add {
        /// Which.
        node: NodeId,
        /// Where it is.
        address: SocketAddr,
    },
    /// A replica votes no longer.
    Remove {
        /// Which.
        node: NodeId,
    },
    /// One takes the place of another.
    Replace {
        /// Who goes.
        old: NodeId,
        /// Who comes: it must be running.
        new: NodeId,
        /// Where that is.
        address: SocketAddr,
    },
    /// Other sizes of quorums.
    Quorums(Quorums),
}
