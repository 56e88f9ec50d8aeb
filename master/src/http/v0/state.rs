//! The pages: what each puts together from the books.

use std::collections::{BTreeMap, BTreeSet};

use libproc::http::{Request, Response};
use libproc::prelude::Context;
use serde::Serialize;
use types::{AgentId, FrameworkId};

use super::agent::{AgentDetails, AgentView};
use super::flat::seconds;
use super::framework::{FrameworkSummary, FrameworkView};
use super::roles::Roles;
use super::task::{Counts, TaskView};
use super::{argument, json, number};
use crate::books::{Entry, Framework};
use crate::http::refusal::Refusal;
use crate::process::MasterProcess;

type Answer = Result<Response, Refusal>;
type Ctx = Context<MasterProcess>;

/// `/tasks` gives so many tasks unless asked for another number.
const TASKS: usize = 100;

#[derive(Serialize)]
struct State<'a> {
    version: &'static str,
    tepui_version: &'static str,
    start_time: f64,
    elected_time: f64,
    id: &'a str,
    pid: String,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    capabilities: [&'static str; 0],
    activated_slaves: f64,
    deactivated_slaves: f64,
    unreachable_slaves: f64,
    leader: String,
    leader_info: Leader<'a>,
    flags: BTreeMap<&'static str, String>,
    slaves: Vec<AgentView<'a>>,
    recovered_slaves: [(); 0],
    frameworks: Vec<FrameworkView<'a>>,
    completed_frameworks: Vec<FrameworkView<'a>>,
    orphan_tasks: [(); 0],
    unregistered_frameworks: [(); 0],
}

#[derive(Serialize)]
struct Leader<'a> {
    id: &'a str,
    pid: String,
    port: u16,
    hostname: &'a str,
}

/// GET /state
pub(super) fn state(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let (books, info) = (&master.books, &master.info);
    let pid = format!("{}@{}", api::MASTER, info.address);
    let port = info.address.rsplit(':').next();
    let active = books.agents().filter(|agent| agent.connected).count();
    json(
        request,
        &State {
            version: api::v1::VERSION,
            tepui_version: api::VERSION,
            start_time: seconds(master.started_ms),
            elected_time: seconds(master.started_ms),
            id: &info.id,
            pid: pid.clone(),
            hostname: &info.hostname,
            cluster: master.options.cluster.as_deref(),
            capabilities: [],
            activated_slaves: active as f64,
            deactivated_slaves: (books.agents().count() - active) as f64,
            unreachable_slaves: books.unreachable_agents().count() as f64,
            leader: pid.clone(),
            leader_info: Leader {
                id: &info.id,
                pid,
                port: port.and_then(|port| port.parse().ok()).unwrap_or(0),
                hostname: &info.hostname,
            },
            flags: master.flags(),
            slaves: books
                .agents()
                .map(|agent| AgentView::new(agent, books))
                .collect(),
            recovered_slaves: [],
            frameworks: views(master, books.frameworks()),
            completed_frameworks: views(master, books.completed_frameworks()),
            orphan_tasks: [],
            unregistered_frameworks: [],
        },
    )
}

fn views<'a>(
    master: &'a MasterProcess,
    frameworks: impl Iterator<Item = &'a Framework>,
) -> Vec<FrameworkView<'a>> {
    frameworks
        .map(|framework| FrameworkView::new(framework, &master.books))
        .collect()
}

#[derive(Serialize)]
struct Summary<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    slaves: Vec<AgentCounted<'a>>,
    frameworks: Vec<FrameworkCounted<'a>>,
}

#[derive(Serialize)]
struct AgentCounted<'a> {
    #[serde(flatten)]
    agent: AgentView<'a>,
    #[serde(flatten)]
    tasks: Counts,
    framework_ids: BTreeSet<&'a FrameworkId>,
}

#[derive(Serialize)]
struct FrameworkCounted<'a> {
    #[serde(flatten)]
    framework: FrameworkSummary<'a>,
    #[serde(flatten)]
    tasks: Counts,
    slave_ids: BTreeSet<&'a AgentId>,
}

/// GET /state-summary
pub(super) fn summary(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let books = &master.books;
    let mut on: BTreeMap<&AgentId, (Counts, BTreeSet<&FrameworkId>)> = BTreeMap::new();
    let mut frameworks = Vec::new();
    for framework in books.frameworks() {
        let (mut tasks, mut slave_ids) = (Counts::default(), BTreeSet::new());
        for entry in all_tasks(framework) {
            let (counts, framework_ids) = on.entry(&entry.task.agent_id).or_default();
            counts.add(entry.task.state);
            framework_ids.insert(&framework.id);
            tasks.add(entry.task.state);
            slave_ids.insert(&entry.task.agent_id);
        }
        frameworks.push(FrameworkCounted {
            framework: FrameworkSummary::new(framework, books),
            tasks,
            slave_ids,
        });
    }
    let slaves = books.agents().map(|agent| {
        let (tasks, framework_ids) = on.remove(&agent.id).unwrap_or_default();
        AgentCounted {
            agent: AgentView::new(agent, books),
            tasks,
            framework_ids,
        }
    });
    json(
        request,
        &Summary {
            hostname: &master.info.hostname,
            cluster: master.options.cluster.as_deref(),
            slaves: slaves.collect(),
            frameworks,
        },
    )
}

fn all_tasks(framework: &Framework) -> impl Iterator<Item = &Entry> {
    framework
        .tasks()
        .chain(framework.unreachable_tasks())
        .chain(framework.completed_tasks())
}

#[derive(Serialize)]
struct Slaves<'a> {
    slaves: Vec<AgentDetails<'a>>,
    recovered_slaves: [(); 0],
}

/// GET /slaves, or the one that `slave_id` names
pub(super) fn slaves(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let asked = argument(request, "slave_id");
    let agents = master.books.agents();
    let asked = agents.filter(|agent| asked.as_deref().is_none_or(|id| agent.id.as_str() == id));
    let slaves = asked.map(|agent| AgentDetails::new(agent, &master.books));
    json(
        request,
        &Slaves {
            slaves: slaves.collect(),
            recovered_slaves: [],
        },
    )
}

#[derive(Serialize)]
struct Frameworks<'a> {
    frameworks: Vec<FrameworkView<'a>>,
    completed_frameworks: Vec<FrameworkView<'a>>,
    unregistered_frameworks: [(); 0],
}

/// GET /frameworks, or the one that `framework_id` names
pub(super) fn frameworks(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let asked = argument(request, "framework_id");
    let asked = |framework: &&Framework| {
        asked
            .as_deref()
            .is_none_or(|id| framework.id.as_str() == id)
    };
    let books = &master.books;
    json(
        request,
        &Frameworks {
            frameworks: views(master, books.frameworks().filter(asked)),
            completed_frameworks: views(master, books.completed_frameworks().filter(asked)),
            unregistered_frameworks: [],
        },
    )
}

#[derive(Serialize)]
struct Tasks<'a> {
    tasks: Vec<TaskView<'a>>,
}

/// GET /tasks: the newest first unless `order=asc`; of `framework_id`, of the name `task_id`; at
/// most `limit`, from `offset` on
pub(super) fn tasks(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let limit = number(request, "limit", TASKS)?;
    let offset = number(request, "offset", 0)?;
    let (framework_id, task_id) = (
        argument(request, "framework_id"),
        argument(request, "task_id"),
    );
    let oldest_first = match argument(request, "order").as_deref() {
        Some("asc") => true,
        Some("des") | None => false,
        Some(_) => return Err(Refusal::bad("Expecting 'order' to be 'asc' or 'des'")),
    };
    let books = &master.books;
    let frameworks = books.frameworks().chain(books.completed_frameworks());
    let asked = frameworks.filter(|framework| {
        framework_id
            .as_deref()
            .is_none_or(|id| framework.id.as_str() == id)
    });
    let mut entries: Vec<&Entry> = asked
        .flat_map(all_tasks)
        .filter(|entry| {
            let id = entry.task.task_id.as_str();
            task_id.as_deref().is_none_or(|asked| id == asked)
        })
        .collect();
    entries.sort_by_key(|entry| entry.sequence);
    if !oldest_first {
        entries.reverse();
    }
    let tasks = entries.into_iter().skip(offset).take(limit);
    let tasks = tasks.map(|entry| TaskView::from(&entry.task)).collect();
    json(request, &Tasks { tasks })
}

/// GET /roles
pub(super) fn roles(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    json(request, &Roles::from(&master.known_roles()))
}

#[derive(Serialize)]
struct Flags {
    flags: BTreeMap<&'static str, String>,
}

/// GET /flags
pub(super) fn flags(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let flags = master.flags();
    json(request, &Flags { flags })
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    tepui_version: &'static str,
}

/// GET /version
pub(super) fn version(_: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    json(
        request,
        &Version {
            version: api::v1::VERSION,
            tepui_version: api::VERSION,
        },
    )
}

/// GET /metrics/snapshot
pub(super) fn metrics(master: &MasterProcess, request: &Request, ctx: &Ctx) -> Answer {
    json(request, &master.metric_values(ctx.node()))
}
