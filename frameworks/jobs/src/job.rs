//! A job and its runs, as the queue knows them and as they are kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{AgentId, Resources};

use crate::ids::JobId;
use crate::spec::Spec;

/// A job that was taken in.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What was submitted.
    pub spec: Arc<Spec>,
    /// When, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// Its runs, by their place in the array.
    pub runs: Vec<Run>,
    /// How many dependencies have not ended.
    pub(crate) blocked: u32,
    /// How many runs have not ended.
    pub(crate) open: u32,
    /// How many ended without success.
    pub(crate) failed: u32,
    /// How many are launched.
    pub(crate) active: u32,
}

/// One run of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which try it is: 0 is the first.
    pub attempt: u32,
    /// How many tries failed: these count against its retries.
    pub failures: u32,
    /// How many tries were lost with their agents: these do not.
    pub losses: u32,
    /// Where it stands.
    pub state: RunState,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum RunState {
    /// It waits: for what it depends on, or for its turn.
    #[default]
    Queued,
    /// A try failed; the next may begin at this time, in milliseconds since 1970.
    Retrying(u64),
    /// A try is launched.
    Active(Box<Active>),
    /// It has ended.
    Over(Box<Over>),
}

/// A try that is launched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// Where it is.
    pub place: Place,
    /// What it was given, ports included.
    pub used: Resources,
    /// When it was launched, in milliseconds since 1970.
    pub launched_ms: u64,
    /// When it ran, if that was heard.
    pub started_ms: Option<u64>,
    /// Somebody wants it ended.
    pub killing: bool,
    /// Its agent is out of sight since then, in milliseconds since 1970.
    #[serde(skip)]
    pub unseen_ms: Option<u64>,
}

/// An agent, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The agent.
    pub agent_id: AgentId,
    /// Its machine.
    pub hostname: String,
    /// Where it listens, `ip:port`.
    pub address: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// How.
    pub outcome: Outcome,
    /// What its command exited with: 128 and the signal if one ended it; none if it never ran or
    /// nobody knows.
    pub code: Option<i32>,
    /// Why, for people; none for success.
    pub reason: Option<String>,
    /// The end of what it wrote on its standard error, if it failed and its agent told.
    pub stderr: Option<String>,
    /// Where its last try was.
    pub place: Option<Place>,
    /// When its last try ran, in milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its command exited with 0.
    Succeeded,
    /// It did not, as often as it was tried.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// Somebody ended it.
    Killed,
    /// It was lost with its agent, and is not tried again.
    Lost,
    /// What it depends on ended another way than it wants.
    Skipped,
}

impl Run {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, RunState::Over(_))
    }

    /// How it ended, if it has.
    pub fn over(&self) -> Option<&Over> {
        match &self.state {
            RunState::Over(over) => Some(over),
            RunState::Queued | RunState::Retrying(_) | RunState::Active(_) => None,
        }
    }

    /// Its try that is launched, if one is.
    pub fn active(&self) -> Option<&Active> {
        match &self.state {
            RunState::Active(active) => Some(active),
            RunState::Queued | RunState::Retrying(_) | RunState::Over(_) => None,
        }
    }
}

impl Job {
    pub(crate) fn new(id: JobId, spec: Arc<Spec>, submitted_ms: u64) -> Job {
        let count = spec.runs();
        Job {
            id,
            spec,
            submitted_ms,
            runs: vec![Run::default(); count as usize],
            blocked: 0,
            open: count,
            failed: 0,
            active: 0,
        }
    }

    /// Whether all its runs have ended.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    /// Whether all its runs have succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.open == 0 && self.failed == 0
    }
}

/// What is kept of a job, once: its runs are there when something has become of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) spec: Arc<Spec>,
    pub(crate) submitted_ms: u64,
}

/// An application: what its jobs have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its name.
    #[serde(rename = "appid")]
    pub id: String,
    /// Whose it is.
    #[serde(default)]
    pub owner: String,
    /// What each of its jobs fetches first.
    #[serde(default)]
    pub files: Vec<String>,
    /// Variables each of its jobs has, unless it sets them itself.
    #[serde(default)]
    pub env: std::collections::BTreeMap<String, String>,
    /// The user of the operating system its jobs run as, unless they say.
    #[serde(default)]
    pub run_as: Option<String>,
}
