//! What is stored of a registry: one record for each agent and framework, so that a change writes
//! what it changes and not all there is.

use std::collections::BTreeMap;

use libproc::Upid;
use serde::{Deserialize, Serialize};
use types::{AgentId, AgentInfo, FrameworkId, FrameworkInfo, Role};

use super::Edit;
use crate::books::{self, Aside};

/// The name of the record that is about roles.
const WEIGHTS: &str = "weights";

/// A part of the registry that is stored by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// An agent.
    Agent(AgentRecord),
    /// A framework.
    Framework(FrameworkRecord),
    /// How much roles count, in thousandths.
    Weights(BTreeMap<Role, u64>),
}

/// Whether an agent is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Presence {
    /// It is one of the cluster's.
    Admitted,
    /// It did not answer for too long.
    Unreachable {
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
    /// An operator said that it will not come back.
    Gone {
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
    },
}

/// What is kept of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) info: AgentInfo,
    /// Where it was when it was admitted.
    pub(crate) upid: Upid,
    pub(crate) presence: Presence,
    /// Whether an operator has set it aside.
    #[serde(default)]
    pub(crate) aside: Option<Aside>,
}

impl books::Record for AgentRecord {}

impl AgentRecord {
    /// Whether it will not come back.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.presence, Presence::Gone { .. })
    }

    pub(super) fn admitted(info: AgentInfo, upid: Upid) -> Self {
        let presence = Presence::Admitted;
        Self {
            info,
            upid,
            presence,
            aside: None,
        }
    }
}

/// What is kept of a framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FrameworkRecord {
    pub(crate) info: FrameworkInfo,
    /// Since when its scheduler is away, in milliseconds since 1970; it is there, if none.
    pub(crate) away_since_ms: Option<u64>,
    /// When it ended, in milliseconds since 1970.
    pub(crate) ended_ms: Option<u64>,
}

pub(super) fn agent(id: &AgentId, record: Option<&AgentRecord>) -> Edit {
    Edit {
        name: format!("agents/{id}"),
        record: record.cloned().map(Record::Agent),
    }
}

pub(super) fn framework(id: &FrameworkId, record: Option<&FrameworkRecord>) -> Edit {
    Edit {
        name: format!("frameworks/{id}"),
        record: record.cloned().map(Record::Framework),
    }
}

pub(super) fn weights(weights: &BTreeMap<Role, u64>) -> Edit {
    Edit {
        name: WEIGHTS.to_owned(),
        record: Some(Record::Weights(weights.clone())),
    }
}
