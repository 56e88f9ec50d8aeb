//! Draining: an agent is emptied, to be looked after or to go for good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an agent is drained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainConfig {
    /// No task has longer than this to stop, whatever its own policy; as long as that says if none.
    pub max_grace_period: Option<Duration>,
    /// Once empty, the agent is gone for good.
    pub mark_gone: bool,
}
