//! The pages every node has: its processes, its metrics, its routes.

mod help;
mod processes;
mod query;

use std::time::Duration;

use http::request::Parts;
use tokio::time::Instant;

use super::{Method, Respond, Response, StatusCode, header};
use crate::metrics::{gather, openmetrics, snapshot};
use crate::node::Node;
use query::{Query, Refusal};

pub(crate) use processes::{LETTERS_SEEN, OnePage, ProcessPage, State};
pub(crate) use query::percent_decode;

/// Longest time a page waits for numbers that processes are asked for, unless it is told another.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time it can be told.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// A page, or why it cannot be had.
type Page = Result<Response, Refusal>;

/// What there is, for the help page.
const PAGES: [(&str, &str); 6] = [
    (
        "help",
        "What this node answers; /help/<process> for one process, ?format=json for programs",
    ),
    ("metrics", "All metrics as OpenMetrics text"),
    (
        "metrics/snapshot",
        "All metrics as flat JSON; ?prefix=, ?timeout=5secs",
    ),
    (
        "processes",
        "All processes; ?prefix=, ?limit=, ?sort=busy|mailbox|handled",
    ),
    (
        "processes/<id>",
        "One process, and the letters that wait for it by name",
    ),
    ("__processes__", "The same as /processes"),
];

/// Whether a path belongs to the node.
pub(crate) fn is_page(path: &str) -> bool {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "processes" | "__processes__" | "help" => true,
        "metrics" => matches!(rest, "" | "snapshot"),
        _ => false,
    }
}

/// Answers the paths that belong to the node; none when `path` is a process's.
pub(crate) async fn answer(node: &Node, path: &str, request: &Parts) -> Option<Response> {
    if !is_page(path) {
        return None;
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if request.method != Method::GET && request.method != Method::HEAD {
        let text = "use GET here\n";
        return Some(Response::error(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let query = Query::of(request);
    let page = match (first, rest) {
        ("metrics", "") => metrics(node, &query).await,
        ("metrics", _) => numbers(node, &query).await,
        ("help", "") => help::all(node, &query, request).await,
        ("help", rest) => help::one(node, rest, &query, request).await,
        (_, "") => processes::all(node, &query).await,
        (_, id) => processes::one(node, &percent_decode(id)),
    };
    Some(page.unwrap_or_else(Refusal::into_response))
}

async fn metrics(node: &Node, query: &Query) -> Page {
    let deadline = Instant::now() + query.duration("timeout", PATIENCE, PATIENCE_MAX)?;
    let page = openmetrics::page(&gather(node, query.text("prefix"), deadline).await);
    Ok(Response::with(
        StatusCode::OK,
        openmetrics::CONTENT_TYPE,
        page,
    ))
}

async fn numbers(node: &Node, query: &Query) -> Page {
    let deadline = Instant::now() + query.duration("timeout", PATIENCE, PATIENCE_MAX)?;
    let all = gather(node, query.text("prefix"), deadline).await;
    Ok(Response::json(&snapshot::flat(&all)))
}

/// The type of content that the client prefers of those that a page for people has.
fn wants_html(request: &Parts) -> bool {
    let accept = request.headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
