//! `/help`: what a node and its processes answer, as text, HTML or JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::request::Parts;
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::route::{Call, RouteLine, What};
use super::super::{Respond, Response, StatusCode};
use super::processes::batches;
use super::query::{Query, Refusal, percent_decode, refused};
use super::{PAGES, Page, wants_html};
use crate::node::Node;

/// Processes of one kind whose routes are listed: all have the same.
const LISTED: usize = 100;
/// Longest time for the routes of a process that is being run.
const PATIENCE: Duration = Duration::from_secs(1);

/// A page of help, in any form.
#[derive(Serialize)]
struct HelpPage {
    title: String,
    /// What the node itself answers; not on the page of one process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node: Vec<RouteLine>,
    processes: Vec<ProcessHelp>,
    /// Processes with routes beyond those listed: of kinds that have many.
    processes_left_off: usize,
    /// The process that answers for paths that name none.
    front: Option<String>,
}

/// What one process answers.
#[derive(Serialize)]
struct ProcessHelp {
    id: String,
    kind: &'static str,
    /// The messages it accepts; only on its own page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepts: Vec<&'static str>,
    /// With whole paths.
    routes: Vec<RouteLine>,
}

pub(super) async fn all(node: &Node, query: &Query, request: &Parts) -> Page {
    let (kinds, processes_left_off) = kinds(node).await;
    let mut processes = Vec::new();
    for (kind, Kind { ids, routes, .. }) in kinds {
        let routes = routes.unwrap_or_default();
        let of = |id: String| ProcessHelp {
            routes: below(&id, &routes),
            accepts: Vec::new(),
            id,
            kind,
        };
        processes.extend(ids.into_iter().map(of));
    }
    processes.retain(|process| !process.routes.is_empty());
    processes.sort_by(|one, other| one.id.cmp(&other.id));
    let ours = |(path, help): (&str, &'static str)| RouteLine {
        method: "GET".to_owned(),
        path: format!("/{path}"),
        help,
    };
    let page = HelpPage {
        title: format!("Node {}", node.address()),
        node: PAGES.map(ours).into(),
        processes,
        processes_left_off,
        front: node.front_id(),
    };
    respond(&page, query, request)
}

/// The help of one process, or of one of its routes and those below.
pub(super) async fn one(node: &Node, rest: &str, query: &Query, request: &Parts) -> Page {
    let (id, route) = rest.split_once('/').unwrap_or((rest, ""));
    let id = percent_decode(id);
    let Some((kind, accepts)) = node.kind(&id) else {
        let text = "no such process; see /help";
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    };
    let mut routes = match node.route_list(&id) {
        Some(routes) => routes(),
        None => ask(node, &id).await.ok_or_else(|| {
            let text = "the process gave no answer; try again";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
        })?,
    };
    routes.retain(|line| {
        let below = line.path.strip_prefix(route);
        below.is_some_and(|below| route.is_empty() || below.is_empty() || below.starts_with('/'))
    });
    if routes.is_empty() && !route.is_empty() {
        let text = format!("no such route; see /help/{id}");
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    }
    let page = HelpPage {
        title: format!("Process {id}@{}", node.address()),
        node: Vec::new(),
        processes: vec![ProcessHelp {
            routes: below(&id, &routes),
            id,
            kind,
            accepts,
        }],
        processes_left_off: 0,
        front: None,
    };
    respond(&page, query, request)
}

/// The processes of one kind, and the routes that all of them have.
#[derive(Default)]
struct Kind {
    ids: Vec<String>,
    /// None while nobody has told.
    routes: Option<Vec<RouteLine>>,
}

/// Kinds of processes with routes, or with routes that are not known; and how many processes with
/// routes are not among their ids.
async fn kinds(node: &Node) -> (BTreeMap<&'static str, Kind>, usize) {
    let mut kinds: BTreeMap<&'static str, Kind> = BTreeMap::new();
    let mut left_off: BTreeMap<&'static str, usize> = BTreeMap::new();
    for batch in batches(node) {
        for (id, kind, list) in node.route_lists(batch) {
            let entry = kinds.entry(kind).or_default();
            if entry.routes.is_none() {
                entry.routes = list.map(|list| list());
            }
            if entry.routes.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            if entry.ids.len() < LISTED {
                entry.ids.push(id);
            } else {
                *left_off.entry(kind).or_default() += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    for kind in kinds.values_mut() {
        if let (None, Some(id)) = (&kind.routes, kind.ids.first()) {
            kind.routes = ask(node, id).await;
        }
    }
    let has_routes = |kind: &Kind| {
        kind.routes
            .as_ref()
            .is_some_and(|routes| !routes.is_empty())
    };
    kinds.retain(|_, kind| has_routes(kind));
    let left_off = left_off
        .iter()
        .filter(|(kind, _)| kinds.contains_key(*kind));
    let left_off = left_off.map(|(_, count)| count).sum();
    (kinds, left_off)
}

/// Asks a process that is being run, in its turn.
async fn ask(node: &Node, id: &str) -> Option<Vec<RouteLine>> {
    let (sender, list) = oneshot::channel();
    let call = Call {
        path: String::new(),
        what: What::List(sender),
        context: None,
    };
    node.call(node.find(id)?, call);
    tokio::time::timeout(PATIENCE, list).await.ok()?.ok()
}

fn below(id: &str, routes: &[RouteLine]) -> Vec<RouteLine> {
    let whole = |line: &RouteLine| RouteLine {
        path: format!("/{id}/{}", line.path),
        ..line.clone()
    };
    routes.iter().map(whole).collect()
}

fn respond(page: &HelpPage, query: &Query, request: &Parts) -> Page {
    let html = "text/html; charset=utf-8";
    match query.get("format") {
        Some("json") => Ok(Response::json(page)),
        Some("html") => Ok(Response::with(StatusCode::OK, html, page.html())),
        Some("text") => Ok(Response::text(page.text())),
        None if wants_html(request) => Ok(Response::with(StatusCode::OK, html, page.html())),
        None => Ok(Response::text(page.text())),
        Some(_) => Err(refused("`format` is text, html or json")),
    }
}

impl HelpPage {
    fn lines(&self) -> impl Iterator<Item = &RouteLine> {
        let of_processes = self.processes.iter().flat_map(|process| &process.routes);
        self.node.iter().chain(of_processes)
    }

    /// What there is to say beside the routes.
    fn notes(&self) -> Vec<String> {
        let accepts = self
            .processes
            .iter()
            .filter(|process| !process.accepts.is_empty());
        let accepts = accepts.map(
            |ProcessHelp {
                 id, kind, accepts, ..
             }| { format!("{id} is a {kind} and accepts {}.", accepts.join(", ")) },
        );
        let front = self
            .front
            .iter()
            .map(|id| format!("Paths that name no process are answered by {id}: /x is /{id}/x."));
        let more = (self.processes_left_off > 0).then(|| {
            let count = self.processes_left_off;
            format!("{count} more processes have the same routes as others of their kind.")
        });
        accepts.chain(front).chain(more).collect()
    }

    fn text(&self) -> String {
        let name = |line: &RouteLine| format!("{} {}", line.method, line.path);
        let width = self
            .lines()
            .map(|line| name(line).chars().count())
            .max()
            .unwrap_or(0);
        let mut text = format!("{}\n\n", self.title);
        for line in self.lines() {
            let whole = format!("{:width$}  {}", name(line), line.help);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", whole.trim_end());
        }
        for (index, note) in self.notes().iter().enumerate() {
            let _ = writeln!(text, "{}{note}", if index == 0 { "\n" } else { "" });
        }
        text
    }

    fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <h1>{title}</h1>\n<table>\n"
        );
        for RouteLine { method, path, help } in self.lines() {
            let shown = escaped(path);
            let path = if method == "GET" && !path.contains('<') {
                format!("<a href=\"{shown}\">{shown}</a>")
            } else {
                shown
            };
            let help = escaped(help);
            // Writing to a string cannot fail.
            let _ = writeln!(html, "<tr><td>{method}<td>{path}<td>{help}</tr>");
        }
        html.push_str("</table>\n");
        for note in self.notes() {
            let _ = writeln!(html, "<p>{}</p>", escaped(&note));
        }
        html
    }
}

/// Text that means nothing to a browser: ids come from anywhere.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
