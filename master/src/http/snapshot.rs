//! Snapshots: what the master knows at one moment, for pages that are written while it goes on.

use std::collections::{BTreeMap, BTreeSet};

use allocator::Weight;
use types::{AgentId, MasterInfo, Role};

use crate::books::{Books, Shelf};
use crate::process::MasterProcess;
use crate::registry::AgentRecord;

/// What the master knows at one moment. Taking it costs hardly more than a few reference counts:
/// the books are shared until they change.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(super) books: Books,
    /// Agents of an earlier master's that have not come back yet.
    pub(super) recovered: Shelf<AgentId, AgentRecord>,
    pub(super) info: MasterInfo,
    pub(super) cluster: Option<String>,
    pub(super) started_ms: u64,
    /// The roles that are allowed, if not all are.
    pub(super) roles: Option<BTreeSet<Role>>,
    pub(super) weights: BTreeMap<Role, Weight>,
}

impl MasterProcess {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let options = &self.options;
        Snapshot {
            books: self.books.clone(),
            recovered: self.recovered.clone(),
            info: self.info.clone(),
            cluster: options.cluster.clone(),
            started_ms: self.started_ms,
            roles: options.roles.clone(),
            weights: options.weights.clone(),
        }
    }
}
