//! What can be wrong with a log, for those who use it.

use std::net::SocketAddr;

use libproc::{AskError, SpawnError};
use paxos::{NodeId, Position};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Why a replica did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It does not lead, and only the leader can do it.
    #[error("the replica does not lead the log")]
    NotLeader {
        /// Who does, if that is known.
        leader: Option<NodeId>,
        /// Where that is.
        address: Option<SocketAddr>,
    },
    /// Another writer has started since: nothing was written.
    #[error("another writer has taken over")]
    Superseded,
    /// The leader changed in between: it may have been done, or may yet be, or never.
    #[error("the leader changed while it was under way: nobody knows whether it was done")]
    Unknown,
    /// There is no space on the disk: nothing was written.
    #[error("the disk of the replica is full")]
    Full,
    /// The data does not fit into an entry: nothing was written.
    #[error("an entry can have {max} bytes")]
    TooLarge {
        /// Bytes there may be.
        max: u64,
    },
    /// Too much waits already: nothing was written.
    #[error("too much waits to be appended")]
    Busy,
    /// It was truncated.
    #[error("the log begins at {begin}: what was before is truncated")]
    Truncated {
        /// The first position that is kept.
        begin: Position,
    },
    /// This replica lost it, and the others have not given it back yet.
    #[error("position {position} is damaged on this replica, and not repaired yet")]
    Damaged {
        /// Which position.
        position: Position,
    },
    /// The log says no.
    #[error("{0}")]
    Impossible(String),
}

/// Why something could not be done with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The replica refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The replica could not be asked. What it was asked to write may have been written.
    #[error("could not ask the replica")]
    Ask(#[source] AskError),
    /// Its files cannot be used.
    #[error("could not open the log")]
    Store(#[source] StoreError),
    /// Its options contradict each other.
    #[error("{0}")]
    Options(String),
    /// The node takes no process of its name.
    #[error("could not start the replica")]
    Spawn(#[source] SpawnError),
}
