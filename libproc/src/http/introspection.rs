//! The pages every node has: its processes, its counters, its routes.

use std::fmt::Write as _;

use serde::Serialize;
use tokio::sync::oneshot;

use super::route::{Call, What};
use super::{Respond, Response, StatusCode};
use crate::node::Node;

/// A process as `/processes` shows it.
#[derive(Serialize)]
pub(crate) struct ProcessPage {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// Letters that wait for it.
    pub(crate) mailbox: usize,
    /// Letters it has handled.
    pub(crate) handled: u64,
    /// Whether a worker runs it or is about to.
    pub(crate) scheduled: bool,
    /// Processes that are told when it exits.
    pub(crate) watchers: usize,
    /// Processes whose exit it is told of; unknown while it is being run.
    pub(crate) links: Option<usize>,
}

/// Answers the paths that belong to the node; none when `path` is a process's.
pub(crate) async fn answer(node: &Node, path: &str) -> Option<Response> {
    match path {
        _ if node.leaves(path) => None,
        "processes" | "__processes__" => Some(Response::json(&node.pages())),
        "metrics/snapshot" => Some(Response::json(&snapshot(node))),
        "metrics" => Some(openmetrics(node)),
        "help" => Some(help(node).await),
        _ => None,
    }
}

fn snapshot(node: &Node) -> serde_json::Map<String, serde_json::Value> {
    values(node)
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

fn openmetrics(node: &Node) -> Response {
    let mut text = String::new();
    for (name, value) in values(node) {
        let name = name.replace('/', "_");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
    }
    text.push_str("# EOF\n");
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Response::with(StatusCode::OK, content_type, text)
}

/// The numbers of a node, by name.
pub(crate) fn values(node: &Node) -> Vec<(String, u64)> {
    let counters = node.counters();
    let mut values = vec![
        ("libproc/processes".to_owned(), node.process_count()),
        ("libproc/bytes_sent".to_owned(), counters.bytes_sent.get()),
        (
            "libproc/bytes_received".to_owned(),
            counters.bytes_received.get(),
        ),
        ("libproc/bad_frames".to_owned(), counters.bad_frames.get()),
        (
            "libproc/refused_connections".to_owned(),
            counters.refused_connections.get(),
        ),
        (
            "libproc/http_requests".to_owned(),
            counters.http_requests.get(),
        ),
    ];
    for (reason, count) in node.dead_letters() {
        let reason = serde_json::to_value(reason).ok();
        let reason = reason
            .as_ref()
            .and_then(|reason| reason.as_str())
            .unwrap_or("Other");
        values.push((format!("libproc/dead_letters/{reason}"), count));
    }
    values
}

async fn help(node: &Node) -> Response {
    let mut text = String::from("GET /help\nGET /metrics\nGET /metrics/snapshot\nGET /processes\n");
    for page in node.pages() {
        let Some(process) = node.find(&page.id) else {
            continue;
        };
        let (sender, list) = oneshot::channel();
        node.call(
            process,
            Call {
                path: String::new(),
                what: What::List(sender),
            },
        );
        for line in list.await.unwrap_or_default() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", line.replacen('/', &format!("/{}/", page.id), 1));
        }
    }
    Response::text(text)
}
