//! Agents as the pages have them, where they are called slaves.

use std::collections::BTreeMap;

use api::v1;
use api::v1::convert::{ResourceFormat, resources_for};
use serde::Serialize;
use types::{Resources, Role};

use super::flat::{Flat, Said, seconds};
use crate::books::{Agent, Books};
use crate::http::views::drain_info;

/// What every agent can do.
const CAPABILITIES: [&str; 4] = [
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "AGENT_DRAINING",
];

/// What every page says of an agent.
#[derive(Debug, Serialize)]
pub(super) struct AgentView<'a> {
    id: &'a str,
    hostname: &'a str,
    port: u16,
    attributes: Said<'a>,
    pid: String,
    registered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    resources: Flat<'a>,
    used_resources: Flat<'a>,
    offered_resources: Flat<'a>,
    #[serde(serialize_with = "by_role")]
    reserved_resources: BTreeMap<Role, Resources>,
    #[serde(serialize_with = "flat")]
    unreserved_resources: Resources,
    active: bool,
    deactivated: bool,
    version: &'a str,
    capabilities: [&'static str; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_info: Option<v1::DrainInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_drain_start_time_seconds: Option<f64>,
}

/// The same, with every resource in all detail.
#[derive(Debug, Serialize)]
pub(super) struct AgentDetails<'a> {
    #[serde(flatten)]
    view: AgentView<'a>,
    reserved_resources_full: BTreeMap<String, Vec<v1::Resource>>,
    unreserved_resources_full: Vec<v1::Resource>,
    used_resources_full: Vec<v1::Resource>,
    offered_resources_full: Vec<v1::Resource>,
}

fn flat<S: serde::Serializer>(resources: &Resources, serializer: S) -> Result<S::Ok, S::Error> {
    Flat(resources).serialize(serializer)
}

fn by_role<S: serde::Serializer>(
    resources: &BTreeMap<Role, Resources>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let flat = |(role, resources)| (Role::as_str(role), Flat(resources));
    serializer.collect_map(resources.iter().map(flat))
}

/// The address of an agent as clients of the original take it for granted.
pub(in crate::http) fn pid_of(agent: &Agent) -> String {
    format!("slave(1)@{}", agent.pid.upid().address())
}

/// What is used of an agent, allocated to whom it is.
pub(in crate::http) fn used_resources(agent: &Agent, books: &Books) -> Vec<v1::Resource> {
    let mut by_role: BTreeMap<Role, Resources> = BTreeMap::new();
    for (role, resources) in books.used_by(&agent.id).into_values().flatten() {
        *by_role.entry(role).or_default() += &resources;
    }
    allocated(&by_role)
}

/// What is offered of an agent, allocated to whom it is offered.
pub(in crate::http) fn offered_resources(agent: &Agent, books: &Books) -> Vec<v1::Resource> {
    let mut by_role: BTreeMap<Role, Resources> = BTreeMap::new();
    for offer in agent.offers().filter_map(|id| books.offer(id)) {
        *by_role.entry(offer.role.clone()).or_default() += &offer.resources;
    }
    allocated(&by_role)
}

fn allocated(by_role: &BTreeMap<Role, Resources>) -> Vec<v1::Resource> {
    let format = ResourceFormat::Endpoint;
    let of_role = |(role, resources)| resources_for(resources, format, Some(role));
    by_role.iter().flat_map(of_role).collect()
}

impl<'a> AgentView<'a> {
    pub(super) fn new(agent: &'a Agent, books: &Books) -> Self {
        let info = &agent.info;
        let aside = books.aside(&agent.id);
        let drain = aside.and_then(|aside| aside.drain);
        Self {
            id: agent.id.as_str(),
            hostname: &info.hostname,
            port: info.port,
            attributes: Said(&info.attributes),
            pid: pid_of(agent),
            registered_time: seconds(agent.registered_ms),
            reregistered_time: agent.reregistered_ms.map(seconds),
            resources: Flat(&info.resources),
            used_resources: Flat(agent.used()),
            offered_resources: Flat(agent.offered()),
            reserved_resources: info.resources.reservations(),
            unreserved_resources: info.resources.unreserved(),
            active: agent.connected && aside.is_none(),
            deactivated: aside.is_some(),
            drain_info: drain.map(drain_info),
            estimated_drain_start_time_seconds: drain.map(|drain| seconds(drain.since_ms)),
            version: api::v1::VERSION,
            capabilities: CAPABILITIES,
        }
    }
}

impl<'a> AgentDetails<'a> {
    pub(super) fn new(agent: &'a Agent, books: &Books) -> Self {
        let view = AgentView::new(agent, books);
        let detailed =
            |resources: &Resources| resources_for(resources, ResourceFormat::Endpoint, None);
        let reserved = view.reserved_resources.iter();
        Self {
            reserved_resources_full: reserved
                .map(|(role, resources)| (role.to_string(), detailed(resources)))
                .collect(),
            unreserved_resources_full: detailed(&view.unreserved_resources),
            used_resources_full: used_resources(agent, books),
            offered_resources_full: offered_resources(agent, books),
            view,
        }
    }
}
