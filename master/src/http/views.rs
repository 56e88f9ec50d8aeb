//! The books as operators see them over HTTP.

use std::collections::BTreeMap;

use api::master::FrameworkState;
use api::v1::convert::{ResourceFormat, resources_for};
use api::v1::master::response::{Agent, Framework, GetMaster, GetRoles, GetWeights};
use api::v1::{AgentCapability, MasterInfo, Offer, Resource, Role as RoleView};
use api::v1::{DrainConfig, DrainInfo, DrainState, TimeInfo, WeightInfo};
use types::{AgentCapability as Capability, Resources, Role};

use super::snapshot::Snapshot;
use super::v0::agent::{offered_resources, pid_of, used_resources};
use crate::books;

/// What every agent can do.
const CAPABILITIES: [Capability; 4] = [
    Capability::MultiRole,
    Capability::HierarchicalRole,
    Capability::ReservationRefinement,
    Capability::AgentDraining,
];

/// The draining of an agent.
pub(super) fn drain_info(drain: books::Drain) -> DrainInfo {
    DrainInfo {
        state: match drain.drained {
            true => DrainState::Drained,
            false => DrainState::Draining,
        },
        config: DrainConfig {
            max_grace_period: drain.config.max_grace_period.map(Into::into),
            mark_gone: drain.config.mark_gone,
        },
    }
}

/// A time in milliseconds since 1970.
fn time(time_ms: u64) -> TimeInfo {
    let nanoseconds = i64::try_from(time_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    TimeInfo { nanoseconds }
}

fn allocated(by_role: &BTreeMap<Role, Resources>) -> Vec<Resource> {
    let resources = by_role.iter().flat_map(|(role, resources)| {
        resources_for(resources, ResourceFormat::Endpoint, Some(role))
    });
    resources.collect()
}

impl Snapshot {
    /// A framework, and what it has.
    pub(super) fn framework_message(&self, framework: &books::Framework) -> Framework {
        let offers: Vec<&types::Offer> = framework
            .offers()
            .filter_map(|id| self.books.offer(id))
            .collect();
        let mut offered: BTreeMap<Role, Resources> = BTreeMap::new();
        for offer in &offers {
            *offered.entry(offer.role.clone()).or_default() += &offer.resources;
        }
        let registered_ms = framework.registered_ms;
        Framework {
            framework_info: (&framework.info).into(),
            active: framework.is_active(),
            connected: framework.is_active(),
            recovered: framework.state == FrameworkState::Recovered,
            registered_time: Some(time(registered_ms)),
            reregistered_time: Some(time(framework.reregistered_ms.unwrap_or(registered_ms))),
            unregistered_time: framework.unregistered_ms.map(time),
            offers: offers
                .into_iter()
                .map(|offer| Offer::for_framework(offer, &framework.info))
                .collect(),
            offer_constraints: framework.terms.said.clone(),
            allocated_resources: allocated(&framework.sums().used),
            offered_resources: allocated(&offered),
            ..Framework::default()
        }
    }

    /// An agent, and what of it is used and offered.
    pub(super) fn agent_message(&self, agent: &books::Agent) -> Agent {
        let format = ResourceFormat::Endpoint;
        let aside = self.books.aside(&agent.id);
        let drain = aside.and_then(|aside| aside.drain);
        Agent {
            agent_info: (&agent.info).into(),
            active: agent.connected && aside.is_none(),
            deactivated: Some(aside.is_some()),
            drain_info: drain.map(drain_info),
            estimated_drain_start_time: drain.map(|drain| time(drain.since_ms)),
            version: api::v1::VERSION.to_owned(),
            pid: Some(pid_of(agent)),
            registered_time: Some(time(agent.registered_ms)),
            reregistered_time: agent.reregistered_ms.map(time),
            total_resources: resources_for(&agent.info.resources, format, None),
            allocated_resources: used_resources(agent, &self.books),
            offered_resources: offered_resources(agent, &self.books),
            capabilities: CAPABILITIES.map(AgentCapability::from).to_vec(),
            ..Agent::default()
        }
    }

    pub(super) fn get_roles(&self) -> GetRoles {
        let format = ResourceFormat::Endpoint;
        let roles = self.known_roles().into_iter();
        let roles = roles.map(|(role, known)| RoleView {
            name: role.to_string(),
            weight: known.weight,
            frameworks: known.frameworks.iter().map(Into::into).collect(),
            resources: resources_for(&known.allocated, format, None),
        });
        GetRoles {
            roles: roles.collect(),
        }
    }

    pub(super) fn get_weights(&self) -> GetWeights {
        let weights = self.weights.iter();
        let weights = weights.map(|(role, weight)| WeightInfo {
            weight: weight.thousandths() as f64 / 1_000.0,
            role: Some(role.to_string()),
        });
        GetWeights {
            weight_infos: weights.collect(),
        }
    }

    pub(super) fn get_master(&self) -> GetMaster {
        let start = self.started_ms as f64 / 1_000.0;
        GetMaster {
            master_info: Some(Box::new(MasterInfo {
                version: Some(api::v1::VERSION.to_owned()),
                ..MasterInfo::from(&self.info)
            })),
            start_time: Some(start),
            elected_time: Some(start),
        }
    }
}
