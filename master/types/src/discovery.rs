//! Discovery: how others find a task, once it runs.

use serde::{Deserialize, Serialize};

use crate::Labels;

/// Who should find a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Visibility {
    /// Others of its framework.
    Framework,
    /// Everybody in the cluster.
    Cluster,
    /// Everybody.
    External,
}

/// What tools that name services tell about a task. Nothing here is checked or enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryInfo {
    /// Who should find it.
    pub visibility: Visibility,
    /// The name of the service.
    pub name: Option<String>,
    /// Test, production, and so on.
    pub environment: Option<String>,
    /// Where in the world.
    pub location: Option<String>,
    /// Which version of the service.
    pub version: Option<String>,
    /// The ports it answers on.
    pub ports: Vec<Port>,
    /// Free words.
    pub labels: Labels,
}

/// A port a task answers on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The number.
    pub number: u16,
    /// What it is for.
    pub name: Option<String>,
    /// `tcp`, `udp`, or what is spoken on it.
    pub protocol: Option<String>,
    /// Who should find it; like the task if none.
    pub visibility: Option<Visibility>,
    /// Free words.
    pub labels: Labels,
}
