//! The pages: what each puts together from the books.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use api::v1::AgentInfo;
use libproc::http::Request;
use libproc::prelude::Context;
use serde::Serialize;
use types::{AgentId, FrameworkId};

use super::agent::{AgentDetails, AgentView};
use super::flat::seconds;
use super::framework::{FrameworkSummary, FrameworkView};
use super::roles::Roles;
use super::task::{Counts, rendered};
use super::{Answer, argument, json, number, page};
use crate::books::{Entry, Form, Framework};
use crate::http::page::{LOOK, Page};
use crate::http::refusal::Refusal;
use crate::http::snapshot::Snapshot;
use crate::process::MasterProcess;

type Ctx = Context<MasterProcess>;

/// `/tasks` gives so many tasks unless asked for another number.
const TASKS: usize = 100;

/// What the state begins with, which is not much.
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
}

#[derive(Serialize)]
struct Leader<'a> {
    id: &'a str,
    pid: String,
    port: u16,
    hostname: &'a str,
}

/// Nothing, of which there may have been something once.
const NONE: [(); 0] = [];

/// GET /state
pub(super) fn state(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let flags = master.flags();
    page(master, request, |snapshot, page| {
        write_state(snapshot, flags, page)
    })
}

async fn write_state(
    snapshot: Snapshot,
    flags: BTreeMap<&'static str, String>,
    mut page: Page,
) -> Page {
    let (books, info) = (&snapshot.books, &snapshot.info);
    let pid = format!("{}@{}", api::MASTER, info.address);
    let port = info.address.rsplit(':').next();
    let active = books.agents().filter(|agent| agent.connected).count();
    page.object(&State {
        version: api::v1::VERSION,
        tepui_version: api::VERSION,
        start_time: seconds(snapshot.started_ms),
        elected_time: seconds(snapshot.started_ms),
        id: &info.id,
        pid: pid.clone(),
        hostname: &info.hostname,
        cluster: snapshot.cluster.as_deref(),
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
        flags,
    });
    page.list("slaves");
    for agent in books.agents() {
        if books.aside(&agent.id).is_some() {
            page.item(&AgentView::new(agent, books));
        } else {
            page.raw_item(agent.rendered(Form::Page, || {
                let view = AgentView::new(agent, books);
                serde_json::to_vec(&view).expect("an agent has text keys only")
            }));
        }
        page.pause().await;
    }
    page.end(']');
    write_recovered(&snapshot, &mut page);
    write_frameworks(&snapshot, |_| true, &mut page).await;
    page.field("orphan_tasks", &NONE);
    page.field("unregistered_frameworks", &NONE);
    page.end('}');
    page
}

/// The agents of an earlier master's that have not come back yet.
fn write_recovered(snapshot: &Snapshot, page: &mut Page) {
    page.list("recovered_slaves");
    for record in snapshot.recovered.values() {
        page.item(&AgentInfo::from(&record.info));
    }
    page.end(']');
}

/// The frameworks that are asked for, and those that have ended.
async fn write_frameworks(
    snapshot: &Snapshot,
    asked: impl Fn(&Framework) -> bool,
    page: &mut Page,
) {
    let books = &snapshot.books;
    page.list("frameworks");
    for framework in books.frameworks().filter(|framework| asked(framework)) {
        write_framework(framework, snapshot, page).await;
    }
    page.end(']');
    page.list("completed_frameworks");
    for framework in books.completed_frameworks().filter(|ended| asked(ended)) {
        write_framework(framework, snapshot, page).await;
    }
    page.end(']');
}

async fn write_framework(framework: &Framework, snapshot: &Snapshot, page: &mut Page) {
    page.work(LOOK * framework.tasks().len()).await;
    page.object(&FrameworkView::new(framework, &snapshot.books));
    page.list("tasks");
    write_tasks(framework.tasks(), page).await;
    page.list("unreachable_tasks");
    write_tasks(framework.unreachable_tasks(), page).await;
    page.list("completed_tasks");
    write_tasks(framework.completed_tasks(), page).await;
    page.end('}');
    page.pause().await;
}

/// The items of a list of tasks, and its end.
async fn write_tasks<'a>(tasks: impl Iterator<Item = &'a Entry>, page: &mut Page) {
    for entry in tasks {
        page.raw_item(rendered(entry));
        page.pause().await;
    }
    page.end(']');
}

#[derive(Serialize)]
struct Summary<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
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
    page(master, request, write_summary)
}

async fn write_summary(snapshot: Snapshot, mut page: Page) -> Page {
    let books = &snapshot.books;
    page.object(&Summary {
        hostname: &snapshot.info.hostname,
        cluster: snapshot.cluster.as_deref(),
    });
    let mut on: HashMap<&AgentId, (Counts, BTreeSet<&FrameworkId>)> = HashMap::new();
    page.list("frameworks");
    for framework in books.frameworks() {
        let (mut tasks, mut slave_ids) = (Counts::default(), HashSet::new());
        for entry in all_tasks(framework) {
            let (counts, framework_ids) = on.entry(&entry.task.agent_id).or_default();
            counts.add(entry.task.state);
            framework_ids.insert(&framework.id);
            tasks.add(entry.task.state);
            slave_ids.insert(&entry.task.agent_id);
            page.work(LOOK).await;
        }
        page.item(&FrameworkCounted {
            framework: FrameworkSummary::new(framework, books),
            tasks,
            slave_ids: slave_ids.into_iter().collect(),
        });
        page.pause().await;
    }
    page.end(']');
    page.list("slaves");
    for agent in books.agents() {
        let (tasks, framework_ids) = on.remove(&agent.id).unwrap_or_default();
        page.item(&AgentCounted {
            agent: AgentView::new(agent, books),
            tasks,
            framework_ids,
        });
        page.pause().await;
    }
    page.end(']');
    page.end('}');
    page
}

fn all_tasks(framework: &Framework) -> impl Iterator<Item = &Entry> {
    framework
        .tasks()
        .chain(framework.unreachable_tasks())
        .chain(framework.completed_tasks())
}

/// GET /slaves, or the one that `slave_id` names
pub(super) fn slaves(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let asked = argument(request, "slave_id").map(String::from);
    page(master, request, |snapshot, mut page| async move {
        page.raw(b"{");
        page.list("slaves");
        let agents = snapshot.books.agents();
        let asked =
            agents.filter(|agent| asked.as_deref().is_none_or(|id| agent.id.as_str() == id));
        for agent in asked {
            page.work(LOOK * agent.tasks().len()).await;
            page.item(&AgentDetails::new(agent, &snapshot.books));
            page.pause().await;
        }
        page.end(']');
        write_recovered(&snapshot, &mut page);
        page.end('}');
        page
    })
}

/// GET /frameworks, or the one that `framework_id` names
pub(super) fn frameworks(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let asked = argument(request, "framework_id").map(String::from);
    page(master, request, |snapshot, mut page| async move {
        page.raw(b"{");
        let asked = |framework: &Framework| {
            let id = framework.id.as_str();
            asked.as_deref().is_none_or(|asked| asked == id)
        };
        write_frameworks(&snapshot, asked, &mut page).await;
        page.field("unregistered_frameworks", &NONE);
        page.end('}');
        page
    })
}

/// Which tasks are asked for.
struct Asked {
    framework_id: Option<String>,
    task_id: Option<String>,
    oldest_first: bool,
    offset: usize,
    limit: usize,
}

/// GET /tasks: the newest first unless `order=asc`; of `framework_id`, of the name `task_id`; at
/// most `limit`, from `offset` on
pub(super) fn tasks(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    let asked = Asked {
        limit: number(request, "limit", TASKS)?,
        offset: number(request, "offset", 0)?,
        framework_id: argument(request, "framework_id").map(String::from),
        task_id: argument(request, "task_id").map(String::from),
        oldest_first: match argument(request, "order").as_deref() {
            Some("asc") => true,
            Some("des") | None => false,
            Some(_) => return Err(Refusal::bad("Expecting 'order' to be 'asc' or 'des'")),
        },
    };
    page(master, request, |snapshot, page| {
        write_asked(snapshot, asked, page)
    })
}

async fn write_asked(snapshot: Snapshot, asked: Asked, mut page: Page) -> Page {
    let books = &snapshot.books;
    let mut entries: Vec<&Entry> = Vec::new();
    for framework in books.frameworks().chain(books.completed_frameworks()) {
        let id = framework.id.as_str();
        if asked
            .framework_id
            .as_deref()
            .is_some_and(|asked| asked != id)
        {
            continue;
        }
        for entry in all_tasks(framework) {
            let id = entry.task.task_id.as_str();
            if asked.task_id.as_deref().is_none_or(|asked| asked == id) {
                entries.push(entry);
            }
            page.work(LOOK).await;
        }
    }
    entries.sort_by_key(|entry| entry.sequence);
    if !asked.oldest_first {
        entries.reverse();
    }
    page.raw(b"{");
    page.list("tasks");
    let entries = entries.into_iter().skip(asked.offset).take(asked.limit);
    write_tasks(entries, &mut page).await;
    page.end('}');
    page
}

/// GET /roles
pub(super) fn roles(master: &MasterProcess, request: &Request, _: &Ctx) -> Answer {
    page(master, request, |snapshot, mut page| async move {
        page.work(LOOK * snapshot.books.task_count()).await;
        page.item(&Roles::from(&snapshot.known_roles()));
        page
    })
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
    let metering = master.metering(ctx.node());
    page(master, request, |_, mut page| async move {
        let values = metering.values(&mut page).await;
        page.json(&values);
        page
    })
}
