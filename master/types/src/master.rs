//! Masters: who keeps the books.

use serde::{Deserialize, Serialize};

/// Describes a master to agents, frameworks and its rivals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterInfo {
    /// Names one life of a master.
    pub id: String,
    /// Where it runs.
    pub hostname: String,
    /// The address it listens on, `ip:port`.
    pub address: String,
    /// The version of its program.
    pub version: String,
}
