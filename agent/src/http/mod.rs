//! The doors of the agent for HTTP: the pages of Apache Mesos's agent, under its names.
//!
//! Every page is found with the name of the process before it (`/slave(1)/state`, or our own
//! `/agent/state`) and without, and may end in `.json`. Which page serves a path is decided by its
//! parts, whatever the method: see [`target::route`].

mod about;
mod amounts;
mod containers;
mod executor;
mod files;
pub(crate) mod gate;
mod metrics;
mod operator;
mod state;
mod stream;

pub(crate) use files::PAGES_AT_ONCE;

use std::time::Duration;

use api::v1::authentication::Realm;
use api::v1::target;
use libproc::http::{Answer, Body, HeaderMap, Request, Respond, Response, Routes, StatusCode};
use libproc::http::{Method, header};
use libproc::prelude::Context;
use serde_json::Value;

use crate::agent::Agent;

/// What the agent's process is called at Apache Mesos.
pub(crate) const PROCESS: &str = "slave(1)";

/// A page, and what serves it.
struct Page {
    path: &'static str,
    /// Whom it is for; anybody, if none.
    realm: Option<Realm>,
    serve: fn(&mut Agent, Request, &mut Context<Agent>) -> Answer,
}

/// The realm of pages that tell what the agent knows.
const TELLS: Option<Realm> = Some(Realm::AgentReadOnly);
/// The realm of pages that change something.
const ACTS: Option<Realm> = Some(Realm::AgentReadWrite);
/// That of the calls of operators.
const OPERATES: Option<Realm> = Some(Realm::AgentReadWrite);
/// That of the calls of executors.
const EXECUTES: Option<Realm> = Some(Realm::AgentExecutor);

const PAGES: &[Page] = &[
    Page::new("api/v1", OPERATES, operator::serve),
    Page::new("api/v1/executor", EXECUTES, executor::serve),
    Page::new("containers", TELLS, containers::containers),
    Page::new("files/browse", TELLS, files::browse),
    Page::new("files/debug", TELLS, files::debug),
    Page::new("files/download", TELLS, files::download),
    Page::new("files/read", TELLS, files::read),
    Page::new("flags", TELLS, about::flags),
    Page::new("health", None, about::health),
    Page::new("logging/toggle", ACTS, about::toggle),
    Page::new(METRICS, TELLS, metrics::serve),
    Page::new("monitor/statistics", TELLS, containers::statistics),
    Page::new("state", TELLS, state::serve),
    Page::new("system/stats", TELLS, metrics::system_stats),
    Page::new("version", None, about::version),
];

/// The page that nodes have themselves, and the agent's one is in place of.
pub(crate) const METRICS: &str = "metrics/snapshot";
/// The longest name of a function that a page is wrapped in, in bytes.
const JSONP_BYTES_MAX: usize = 128;

impl Page {
    const fn new(
        path: &'static str,
        realm: Option<Realm>,
        serve: fn(&mut Agent, Request, &mut Context<Agent>) -> Answer,
    ) -> Page {
        Page { path, realm, serve }
    }
}

pub(crate) fn routes(routes: &mut Routes<Agent>) {
    for page in PAGES {
        routes.any(page.path, serve);
    }
    // With the other names of the process, and `.json`.
    routes.any("", serve);
}

fn serve(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let paths: Vec<&str> = PAGES.iter().map(|page| page.path).collect();
    let asked = request.uri().path();
    let path = [PROCESS, api::AGENT]
        .iter()
        .find_map(|process| target::route(asked, process, &paths));
    let page = PAGES.iter().find(|page| Some(page.path) == path);
    let realm = page.map_or(TELLS, |page| page.realm);
    if let Some(Err(refusal)) = realm.map(|realm| agent.admit_client(&request, realm)) {
        return refusal.into();
    }
    match page {
        Some(page) => (page.serve)(agent, request, ctx),
        None => Refusal::new(StatusCode::NOT_FOUND, "404 Not Found.").into(),
    }
}

/// Why a request is not answered, for people.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    text: String,
    /// How to say who one is, where that was not said.
    challenge: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            text: text.into(),
            challenge: None,
        }
    }

    /// The client has not said who it is, or not as somebody who may come.
    fn challenge(realm: Realm) -> Refusal {
        Refusal {
            challenge: Some(realm.challenge()),
            ..Refusal::new(StatusCode::UNAUTHORIZED, "401 Unauthorized.")
        }
    }

    fn bad(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, text)
    }

    /// The machine did not do what it was asked to.
    fn failed(error: &std::io::Error) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<api::v1::BadCall> for Refusal {
    fn from(bad: api::v1::BadCall) -> Refusal {
        let status = StatusCode::from_u16(bad.status).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal::new(status, bad.text)
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let mut response = Response::error(refusal.status, refusal.text);
        let challenge = refusal.challenge.map(header::HeaderValue::try_from);
        if let Some(Ok(challenge)) = challenge {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
            let post = header::HeaderValue::from_static("POST");
            response.headers_mut().insert(header::ALLOW, post);
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        Response::from(refusal).into()
    }
}

/// What follows the question mark.
#[derive(Debug, Clone)]
struct Query(String);

impl Query {
    fn of(request: &Request) -> Query {
        Query(request.uri().query().unwrap_or_default().to_owned())
    }

    /// A parameter that is there and not empty.
    fn get(&self, name: &str) -> Option<String> {
        let value = target::parameter(&self.0, name)?.into_owned();
        (!value.is_empty()).then_some(value)
    }

    fn needed(&self, name: &str) -> Result<String, Refusal> {
        let missing = || Refusal::bad(format!("Expecting '{name}=value' in query.\n"));
        self.get(name).ok_or_else(missing)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let wrong = |error| Refusal::bad(format!("Failed to parse {name}: {error}.\n"));
        let number = self.get(name).map(|text| text.parse::<i64>());
        number.transpose().map_err(wrong)
    }

    fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let wrong = |error| Refusal::bad(format!("Failed to parse {name}: {error}.\n"));
        let duration = self.get(name).map(|text| types::parse_duration(&text));
        duration.transpose().map_err(wrong)
    }

    /// A page, as a call of a function if the query names one.
    fn json(&self, value: &Value) -> Result<Response, Refusal> {
        let Some(function) = self.get("jsonp") else {
            return Ok(Response::json(value));
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
        if function.len() > JSONP_BYTES_MAX || !function.chars().all(letter) {
            return Err(Refusal::bad("'jsonp' is not the name of a function.\n"));
        }
        let script = format!("{function}({value})");
        Ok(Response::with(StatusCode::OK, "text/javascript", script))
    }
}

/// A page of JSON.
fn page(request: &Request, value: &Value) -> Answer {
    let page = Query::of(request).json(value);
    page.unwrap_or_else(Response::from).into()
}

/// The calls of the API are made with POST.
fn only_post(method: &Method) -> Result<(), Refusal> {
    if method == Method::POST {
        return Ok(());
    }
    let text =
        format!("405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'.");
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text))
}

/// A header that is text.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A response without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::Full(Default::default()));
    *response.status_mut() = status;
    response
}
