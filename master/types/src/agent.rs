//! Agents: who has resources and runs tasks on them.

use serde::{Deserialize, Serialize};

use crate::executor::MAX_NAME_BYTES;
use crate::{AgentId, Attributes, InvalidInfo, Resources};

/// What an agent can do, beyond the plainest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AgentCapability {
    /// It takes frameworks of several roles.
    MultiRole,
    /// It takes roles with slashes.
    HierarchicalRole,
    /// It takes reservations that refine others.
    ReservationRefinement,
    /// It tells of resource providers.
    ResourceProvider,
    /// It can change the size of volumes.
    ResizeVolume,
    /// It reports the outcome of operations.
    AgentOperationFeedback,
    /// It can be drained.
    AgentDraining,
    /// It enforces limits of tasks.
    TaskResourceLimits,
}

/// Describes an agent to the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Its id, once the master gave it one.
    pub id: Option<AgentId>,
    /// Where it runs.
    pub hostname: String,
    /// The port it listens on.
    pub port: u16,
    /// Everything it has.
    pub resources: Resources,
    /// What it tells about itself.
    pub attributes: Attributes,
    /// Where it stands, if somebody said.
    pub domain: Option<FaultDomain>,
    /// It remembers its tasks over a restart.
    pub checkpoint: bool,
}

/// Where a machine stands: what fails together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultDomain {
    /// The region: far from others.
    pub region: String,
    /// The zone: near others, but on its own power.
    pub zone: String,
}

impl AgentInfo {
    /// Returns an agent that has these resources.
    pub fn new(hostname: impl Into<String>, port: u16, resources: Resources) -> Self {
        Self {
            id: None,
            hostname: hostname.into(),
            port,
            resources,
            attributes: Attributes::new(),
            domain: None,
            checkpoint: true,
        }
    }

    /// Checks what can be checked without knowing the cluster.
    ///
    /// # Errors
    ///
    /// Fails when a text is too long or a resource impossible. Resources of one name may be
    /// revocable in part: an agent has what its tasks may not mix.
    pub fn validate(&self) -> Result<(), InvalidInfo> {
        InvalidInfo::limit("the hostname", self.hostname.len(), MAX_NAME_BYTES)?;
        if let Some(domain) = &self.domain {
            InvalidInfo::limit("the region", domain.region.len(), MAX_NAME_BYTES)?;
            InvalidInfo::limit("the zone", domain.zone.len(), MAX_NAME_BYTES)?;
        }
        self.resources.revocable().validate()?;
        Ok(self.resources.non_revocable().validate()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_bounded() {
        let agent = AgentInfo::new("host", 5051, Resources::new().cpus(4.0));
        assert_eq!(agent.validate(), Ok(()));
        let agent = AgentInfo::new("h".repeat(2_000), 5051, Resources::new());
        assert!(matches!(agent.validate(), Err(InvalidInfo::TooLong { .. })));
    }
}
