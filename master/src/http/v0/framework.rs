//! Frameworks as the pages have them.

use api::master::FrameworkState;
use api::v1;
use serde::Serialize;
use types::{FrameworkCapability, Label, Offer, Resources};

use super::flat::{Flat, seconds};
use crate::books::{Books, Executor, Framework};

/// What every page says of a framework.
#[derive(Debug, Serialize)]
pub(super) struct FrameworkSummary<'a> {
    id: &'a str,
    name: &'a str,
    /// Not there if its scheduler speaks HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<String>,
    #[serde(serialize_with = "flat")]
    used_resources: Resources,
    #[serde(serialize_with = "flat")]
    offered_resources: Resources,
    capabilities: Vec<String>,
    hostname: &'a str,
    webui_url: &'a str,
    active: bool,
    connected: bool,
    recovered: bool,
}

/// All that is known of a framework, but for its tasks.
#[derive(Debug, Serialize)]
pub(super) struct FrameworkView<'a> {
    #[serde(flatten)]
    summary: FrameworkSummary<'a>,
    user: &'a str,
    failover_timeout: f64,
    checkpoint: bool,
    registered_time: f64,
    unregistered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    /// What is used and what is offered.
    #[serde(serialize_with = "flat")]
    resources: Resources,
    /// Its one role, if it can have one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'a str>>,
    offers: Vec<OfferView<'a>>,
    executors: Vec<ExecutorView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a Label>,
    offer_constraints: Nothing,
}

/// An object without anything.
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
struct OfferView<'a> {
    id: &'a str,
    framework_id: &'a str,
    allocation_info: Allocation<'a>,
    slave_id: &'a str,
    resources: Flat<'a>,
}

#[derive(Debug, Serialize)]
struct Allocation<'a> {
    role: &'a str,
}

#[derive(Debug, Serialize)]
struct ExecutorView<'a> {
    executor_id: &'a str,
    name: &'a str,
    framework_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<v1::CommandInfo>,
    resources: Flat<'a>,
    role: &'a str,
    slave_id: &'a str,
}

fn flat<S: serde::Serializer>(resources: &Resources, serializer: S) -> Result<S::Ok, S::Error> {
    Flat(resources).serialize(serializer)
}

impl<'a> FrameworkSummary<'a> {
    pub(super) fn new(framework: &'a Framework, books: &Books) -> Self {
        let info = &framework.info;
        let message = v1::FrameworkInfo::from(info).capabilities;
        let names = message.iter().filter_map(|capability| capability.kind);
        let speaks_http = framework.stream.is_some();
        let pid = framework.pid.as_ref();
        // An anonymous process is the end of a stream that was.
        let pid = pid.filter(|pid| !speaks_http && !pid.upid().id().starts_with('~'));
        Self {
            id: framework.id.as_str(),
            name: &info.name,
            pid: pid.map(ToString::to_string),
            used_resources: framework.used(),
            offered_resources: books.offered_to(framework),
            capabilities: names.map(|name| name.as_str().to_owned()).collect(),
            hostname: info.hostname.as_deref().unwrap_or_default(),
            webui_url: info.webui_url.as_deref().unwrap_or_default(),
            active: framework.is_active(),
            connected: framework.is_active(),
            recovered: framework.state == FrameworkState::Recovered,
        }
    }
}

impl<'a> FrameworkView<'a> {
    pub(super) fn new(framework: &'a Framework, books: &'a Books) -> Self {
        let info = &framework.info;
        let summary = FrameworkSummary::new(framework, books);
        let several = info.has(FrameworkCapability::MultiRole);
        let offers = framework.offers().filter_map(|id| books.offer(id));
        Self {
            resources: &summary.used_resources + &summary.offered_resources,
            summary,
            user: info.user.as_deref().unwrap_or_default(),
            failover_timeout: info.failover_timeout.as_secs_f64(),
            checkpoint: info.checkpoint,
            registered_time: seconds(framework.registered_ms),
            unregistered_time: seconds(framework.unregistered_ms.unwrap_or(0)),
            reregistered_time: framework.reregistered_ms.map(seconds),
            principal: info.principal.as_deref(),
            role: (!several).then(|| info.roles.first().map_or("*", |role| role.as_str())),
            roles: several.then(|| info.roles.iter().map(|role| role.as_str()).collect()),
            offers: offers.map(OfferView::from).collect(),
            executors: framework
                .executors()
                .map(|(agent, executor)| ExecutorView::new(framework, agent.as_str(), executor))
                .collect(),
            labels: info.labels.iter().collect(),
            offer_constraints: Nothing {},
        }
    }
}

impl<'a> From<&'a Offer> for OfferView<'a> {
    fn from(offer: &'a Offer) -> Self {
        Self {
            id: offer.id.as_str(),
            framework_id: offer.framework_id.as_str(),
            allocation_info: Allocation {
                role: offer.role.as_str(),
            },
            slave_id: offer.agent_id.as_str(),
            resources: Flat(&offer.resources),
        }
    }
}

impl<'a> ExecutorView<'a> {
    fn new(framework: &'a Framework, agent: &'a str, executor: &'a Executor) -> Self {
        let info = &executor.info;
        Self {
            executor_id: info.executor_id.as_str(),
            name: &info.name,
            framework_id: framework.id.as_str(),
            command: info.command.as_ref().map(Into::into),
            resources: Flat(&info.resources),
            role: executor.role.as_str(),
            slave_id: agent,
        }
    }
}
