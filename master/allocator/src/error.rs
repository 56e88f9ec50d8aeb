//! What the allocator refuses.

use thiserror::Error;
use types::{AgentId, FrameworkId, ResourceError, Role};

/// Why the allocator refuses a change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The weight is not between a thousandth and a million.
    #[error("the weight {0:?} is not between 0.001 and 1000000")]
    Weight(String),
    /// Nobody added the agent, or it was removed.
    #[error("the agent {0} is unknown")]
    UnknownAgent(AgentId),
    /// The resources to convert are not allocated to the framework.
    #[error("{resources} on agent {agent} are not allocated to {framework} for {role}")]
    NotAllocated {
        /// The framework.
        framework: FrameworkId,
        /// Its role.
        role: Role,
        /// The agent.
        agent: AgentId,
        /// What should be converted.
        resources: String,
    },
    /// The resources to convert are not free.
    #[error("{resources} on agent {agent} are not free")]
    NotFree {
        /// The agent.
        agent: AgentId,
        /// What should be converted.
        resources: String,
    },
    /// The resources are impossible.
    #[error("the resources are invalid")]
    Resources(#[from] ResourceError),
}
