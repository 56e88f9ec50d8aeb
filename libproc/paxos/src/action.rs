//! What is at a position of the log.

use crate::{Ballot, Config, Position};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What an entry does. As in Mesos's log, with the configuration beside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Nothing: fills a position of which a new leader found no trace.
    Nop,
    /// Data of whoever uses the log.
    Append(Bytes),
    /// Everything before `to` may be forgotten.
    Truncate {
        /// The first position that is kept. Not after the position of the entry itself.
        to: Position,
    },
    /// Who votes from the next position on.
    Configure(Config),
}

impl Action {
    /// Roughly what the action weighs in memory and on the wire, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Action::Append(data) => data.len() + 32,
            Action::Nop | Action::Truncate { .. } => 32,
            Action::Configure(config) => 64 + 16 * config.members().len(),
        }
    }
}

/// An action under the ballot it was accepted with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The ballot of the proposer. Of an entry known to be chosen: not below the first ballot it
    /// was chosen at.
    pub ballot: Ballot,
    /// What it does.
    pub action: Action,
}
