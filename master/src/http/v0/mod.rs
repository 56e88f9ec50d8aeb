//! The pages of the master that tools of Apache Mesos read, in the words they had before v1.
//!
//! Each is served with and without `/master` before it and `.json` behind it, by any method, and
//! as a script where `?jsonp=` names a function.

mod actions;
pub(super) mod agent;
mod flags;
mod flat;
mod framework;
mod metrics;
pub(super) mod roles;
mod state;
mod task;

use std::borrow::Cow;

use api::v1::authentication::Realm;
use api::v1::target::parameter;
use bytes::Bytes;
use libproc::http::{Request, Respond as _, Response, Routes, StatusCode, header};
use libproc::prelude::Context;
use serde::Serialize;

use super::page::Page;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::process::MasterProcess;

/// The name of a function of a script has at most this many bytes.
const MAX_JSONP_BYTES: usize = 256;

/// What the front page of a node serves though the node has a page of this name.
pub(crate) const FRONT: &[&str] = &["metrics/snapshot"];

type Answer = Result<Response, Refusal>;
type Serve = fn(&MasterProcess, &Request, &Context<MasterProcess>) -> Answer;

macro_rules! pages {
    ($($path:literal => $page:path, for $realm:expr),* $(,)?) => {
        /// Adds the routes of the pages.
        pub(super) fn routes(routes: &mut Routes<MasterProcess>) {
            actions::routes(routes); $(
            for path in [$path, concat!($path, ".json")] {
                routes.any(path, |master, request, ctx| {
                    let page: Serve = $page;
                    let realm: Option<Realm> = $realm;
                    let admitted = realm.map_or(Ok(None), |r| master.admit_client(&request, r));
                    let answer = admitted.and_then(|_| page(master, &request, ctx));
                    answer.unwrap_or_else(Response::from)
                });
            }
        )* }
    };
}

pages! {
    "state" => state::state, for TELLS,
    "state-summary" => state::summary, for TELLS,
    "slaves" => state::slaves, for TELLS,
    "frameworks" => state::frameworks, for TELLS,
    "tasks" => state::tasks, for TELLS,
    "roles" => state::roles, for TELLS,
    "flags" => state::flags, for TELLS,
    "version" => state::version, for None,
    "metrics/snapshot" => state::metrics, for TELLS,
    "health" => health, for None,
    "redirect" => redirect, for None,
}

/// The realm of pages that tell of the cluster.
const TELLS: Option<Realm> = Some(Realm::MasterReadOnly);

fn health(_: &MasterProcess, _: &Request, _: &Context<MasterProcess>) -> Result<Response, Refusal> {
    Ok(Response::new(libproc::http::Body::Full(Bytes::new())))
}

/// Where the master is that leads.
fn redirect(
    master: &MasterProcess,
    request: &Request,
    _: &Context<MasterProcess>,
) -> Result<Response, Refusal> {
    // Whatever lies below would lead here again.
    let path = request.uri().path().trim_end_matches('/');
    if !path.trim_end_matches(".json").ends_with("/redirect") {
        return Err(not_found());
    }
    let port = master.info.address.rsplit(':').next().unwrap_or_default();
    let location = format!("//{}:{port}", master.info.hostname);
    let mut response = Response::new(libproc::http::Body::Full(Bytes::new()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let location = header::HeaderValue::try_from(location)
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the hostname is no name"))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// There is no such page.
pub(super) fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "404 Not Found.")
}

/// Answers with a page of JSON that may be long, or with a script that calls a function with it.
fn page<F>(
    master: &MasterProcess,
    request: &Request,
    write: impl FnOnce(Snapshot, Page) -> F,
) -> Answer
where
    F: Future<Output = Page> + Send + 'static,
{
    let snapshot = master.snapshot();
    let clerk = &master.clerk;
    let Some(function) = function(request)? else {
        return clerk.answer(request, "application/json", |page| write(snapshot, page));
    };
    clerk.answer(request, "text/javascript", |mut page| {
        page.raw(format!("{function}(").as_bytes());
        let writing = write(snapshot, page);
        async move {
            let mut page = writing.await;
            page.end(')');
            page
        }
    })
}

/// Answers with JSON, or with a script that calls a function with it.
pub(super) fn json(request: &Request, value: &impl Serialize) -> Result<Response, Refusal> {
    let Some(function) = function(request)? else {
        return Ok(Response::json(value));
    };
    let failed = |error: serde_json::Error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    };
    let mut script = format!("{function}(").into_bytes();
    serde_json::to_writer(&mut script, value).map_err(failed)?;
    script.push(b')');
    Ok(Response::with(StatusCode::OK, "text/javascript", script))
}

/// The function of a script that is to be called with the page, if one is named.
fn function(request: &Request) -> Result<Option<Cow<'_, str>>, Refusal> {
    let Some(function) = argument(request, "jsonp") else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_$.[]".contains(c);
    if function.is_empty() || function.len() > MAX_JSONP_BYTES || !function.chars().all(plain) {
        let text = "Expecting 'jsonp' to be the name of a function";
        return Err(Refusal::bad(text));
    }
    Ok(Some(function))
}

/// What the query of a request says under this name.
fn argument<'r>(request: &'r Request, name: &str) -> Option<Cow<'r, str>> {
    parameter(request.uri().query()?, name)
}

/// A number the query of a request says under this name.
fn number(request: &Request, name: &str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = argument(request, name) else {
        return Ok(default);
    };
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Refusal::bad(format!("Failed to parse '{name}': '{shown}' is no count"))
    })
}
