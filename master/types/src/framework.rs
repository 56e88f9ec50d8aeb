//! Frameworks: who asks for resources and launches tasks on them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::executor::MAX_NAME_BYTES;
use crate::{FrameworkId, InvalidInfo, Labels, Opaque, Role};

/// The time our frameworks have to come back before their tasks are killed: a week, so that a
/// weekend without a scheduler costs nothing.
pub const DEFAULT_FAILOVER_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Nobody waits for a framework longer than this: ten years.
pub const MAX_FAILOVER_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A framework has at most this many roles.
pub const MAX_ROLES: usize = 10_000;

/// What a framework can take, beyond the plainest offers and updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FrameworkCapability {
    /// It is offered resources that may be taken away.
    RevocableResources,
    /// It is told that a task is being killed.
    TaskKillingState,
    /// It is offered agents with graphics processors.
    GpuResources,
    /// It is offered volumes that others use.
    SharedResources,
    /// It is told of partitioned agents, rather than that tasks are lost.
    PartitionAware,
    /// It may have several roles.
    MultiRole,
    /// It is offered reservations that refine others.
    ReservationRefinement,
    /// It is offered agents of other regions.
    RegionAware,
    /// It filters offers by their quantities.
    OfferFilters,
}

/// Describes a framework to the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkInfo {
    /// Its id, once the master gave it one.
    pub id: Option<FrameworkId>,
    /// A name for people.
    pub name: String,
    /// The user its tasks run as; the agent's choice if none.
    pub user: Option<String>,
    /// The roles it gets offers for.
    pub roles: Vec<Role>,
    /// Where it runs, for people.
    pub hostname: Option<String>,
    /// As whom it authenticates.
    pub principal: Option<String>,
    /// How long its tasks go on without it.
    pub failover_timeout: Duration,
    /// Its tasks survive a restart of the agent.
    pub checkpoint: bool,
    /// What it can take.
    pub capabilities: BTreeSet<FrameworkCapability>,
    /// Where people can look at it.
    pub webui_url: Option<String>,
    /// Free words.
    pub labels: Labels,
    /// What only the public API understands of it: its offer filters.
    #[serde(default, skip_serializing_if = "Opaque::is_empty")]
    pub opaque: Opaque,
}

impl FrameworkInfo {
    /// Returns a framework of role `*`, without checkpoints, a week to come back, several roles if
    /// it likes, and word of partitions.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: None,
            name: name.into(),
            user: None,
            roles: vec![Role::any()],
            hostname: None,
            principal: None,
            failover_timeout: DEFAULT_FAILOVER_TIMEOUT,
            checkpoint: false,
            capabilities: BTreeSet::from([
                FrameworkCapability::MultiRole,
                FrameworkCapability::PartitionAware,
                FrameworkCapability::ReservationRefinement,
                FrameworkCapability::TaskKillingState,
            ]),
            webui_url: None,
            labels: Labels::new(),
            opaque: Opaque::new(),
        }
    }

    /// Sets the one role of the framework.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.roles = vec![role];
        self
    }

    /// Returns whether the framework can take something.
    pub fn has(&self, capability: FrameworkCapability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Checks what can be checked without knowing the cluster.
    ///
    /// # Errors
    ///
    /// Fails when a role comes twice, the roles do not fit the capabilities, the failover timeout
    /// is beyond ten years, or a text is too long.
    pub fn validate(&self) -> Result<(), InvalidInfo> {
        let texts = [&self.user, &self.hostname, &self.principal, &self.webui_url];
        for text in texts.into_iter().flatten().chain([&self.name]) {
            InvalidInfo::limit("a text of the framework", text.len(), MAX_NAME_BYTES)?;
        }
        if self.roles.len() > MAX_ROLES {
            let (what, length) = ("roles", self.roles.len());
            return Err(InvalidInfo::TooMany {
                what,
                length,
                max: MAX_ROLES,
            });
        }
        if self.roles.len() != 1 && !self.has(FrameworkCapability::MultiRole) {
            return Err(InvalidInfo::Roles(self.roles.len()));
        }
        let mut roles = BTreeSet::new();
        if let Some(twice) = self.roles.iter().find(|role| !roles.insert(*role)) {
            return Err(InvalidInfo::DuplicateRole(twice.to_string()));
        }
        if self.failover_timeout > MAX_FAILOVER_TIMEOUT {
            let max_seconds = MAX_FAILOVER_TIMEOUT.as_secs();
            return Err(InvalidInfo::TooLate {
                what: "the failover timeout",
                max_seconds,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(text: &str) -> Role {
        Role::new(text).unwrap()
    }

    #[test]
    fn a_framework_is_everybodys_and_has_a_week_by_default() {
        let info = FrameworkInfo::new("sleepers");
        assert_eq!(info.roles, [Role::any()]);
        assert_eq!(info.failover_timeout.as_secs(), 604_800);
        assert_eq!(info.validate(), Ok(()));
    }

    #[test]
    fn roles_are_distinct_and_fit_the_capabilities() {
        let mut info = FrameworkInfo::new("f").role(role("a"));
        info.roles.push(role("b"));
        assert_eq!(info.validate(), Ok(()));
        info.capabilities.remove(&FrameworkCapability::MultiRole);
        assert_eq!(info.validate(), Err(InvalidInfo::Roles(2)));
        let mut twice = FrameworkInfo::new("f").role(role("a"));
        twice.roles.push(role("a"));
        assert_eq!(
            twice.validate(),
            Err(InvalidInfo::DuplicateRole("a".into()))
        );
    }

    #[test]
    fn a_framework_is_bounded() {
        let info = FrameworkInfo::new("x".repeat(2_000));
        assert!(matches!(info.validate(), Err(InvalidInfo::TooLong { .. })));
        let failover_timeout = Duration::MAX;
        let info = FrameworkInfo {
            failover_timeout,
            ..FrameworkInfo::new("f")
        };
        assert!(matches!(info.validate(), Err(InvalidInfo::TooLate { .. })));
    }
}
