//! Roles: whose they are, and what they have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use types::{FrameworkId, Resources, Role};

use super::flat::Amounts;
use crate::http::snapshot::Snapshot;

/// A role that is known: of a framework, by a weight, or of reservations.
#[derive(Debug, Default)]
pub(in crate::http) struct KnownRole {
    pub(in crate::http) weight: f64,
    pub(in crate::http) frameworks: BTreeSet<FrameworkId>,
    pub(in crate::http) allocated: Resources,
    pub(in crate::http) offered: Resources,
    pub(in crate::http) reserved: Resources,
}

#[derive(Serialize)]
pub(super) struct Roles<'a> {
    roles: Vec<RoleView<'a>>,
}

#[derive(Serialize)]
struct RoleView<'a> {
    name: &'a str,
    weight: f64,
    resources: Amounts<'a>,
    allocated: Amounts<'a>,
    offered: Amounts<'a>,
    reserved: Amounts<'a>,
    frameworks: &'a BTreeSet<FrameworkId>,
}

impl Snapshot {
    /// The roles that are known, and what they have.
    pub(in crate::http) fn known_roles(&self) -> BTreeMap<Role, KnownRole> {
        let mut roles: BTreeMap<Role, KnownRole> = BTreeMap::new();
        let listed = self.roles.iter().flatten();
        for role in listed.chain(self.weights.keys()).chain([&Role::any()]) {
            roles.entry(role.clone()).or_default();
        }
        for framework in self.books.frameworks() {
            for role in &framework.info.roles {
                let known = roles.entry(role.clone()).or_default();
                known.frameworks.insert(framework.id.clone());
            }
            for (role, used) in &framework.sums().used {
                roles.entry(role.clone()).or_default().allocated += used;
            }
        }
        for offer in self.books.offers() {
            roles.entry(offer.role.clone()).or_default().offered += &offer.resources;
        }
        for agent in self.books.agents() {
            for (role, resources) in agent.info.resources.reservations() {
                roles.entry(role).or_default().reserved += &resources;
            }
        }
        for (role, known) in &mut roles {
            let weight = self.weights.get(role).copied().unwrap_or_default();
            known.weight = weight.thousandths() as f64 / 1_000.0;
        }
        roles
    }
}

impl<'a> From<&'a BTreeMap<Role, KnownRole>> for Roles<'a> {
    fn from(known: &'a BTreeMap<Role, KnownRole>) -> Self {
        let view = |(role, known): (&'a Role, &'a KnownRole)| RoleView {
            name: role.as_str(),
            weight: known.weight,
            resources: Amounts(&known.allocated),
            allocated: Amounts(&known.allocated),
            offered: Amounts(&known.offered),
            reserved: Amounts(&known.reserved),
            frameworks: &known.frameworks,
        };
        let roles = known.iter().map(view).collect();
        Self { roles }
    }
}
