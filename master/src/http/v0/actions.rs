//! The pages by which tools change something, from before there were calls.

use api::v1::WeightInfo;
use api::v1::authentication::Realm;
use api::v1::master::call::{SetLoggingLevel, UpdateWeights};
use api::v1::target::parameter;
use api::v1::verbosity::toggled;
use bytes::Bytes;
use libproc::http::{self, Body, Method, Request, Respond as _, Response, Routes, StatusCode};
use libproc::prelude::Context;
use serde::Serialize;
use types::FrameworkId;

use super::json;
use crate::http::operator::{later, logging_level, weights_of};
use crate::http::refusal::{Refusal, only_post};
use crate::process::MasterProcess;

type Answer = Result<Response, Refusal>;
type Ctx = Context<MasterProcess>;

/// What the original has and this master has not yet.
const NOT_YET: [&str; 6] = [
    "reserve",
    "unreserve",
    "create-volumes",
    "destroy-volumes",
    "machine/up",
    "machine/down",
];

/// What there is none of yet: its page is an empty object.
const NONE_YET: [&str; 2] = ["maintenance/schedule", "maintenance/status"];

/// Adds the routes of these pages.
pub(super) fn routes(routes: &mut Routes<MasterProcess>) {
    routes.any("teardown", |master, request, ctx| {
        answered(master, &request, |master| teardown(master, &request, ctx))
    });
    routes.any("weights", |master, request, ctx| match *request.method() {
        Method::PUT => put_weights(master, &request, ctx),
        _ => answered(master, &request, |master| weights(master, &request)).into(),
    });
    routes.any("quota", |master, request, _| {
        answered(master, &request, |_| quota(&request))
    });
    routes.any("logging/toggle", |master, request, ctx| {
        answered(master, &request, |master| toggle(master, &request, ctx))
    });
    for path in NONE_YET {
        routes.any(path, |master, request, _| {
            answered(master, &request, |_| none(&request))
        });
    }
    for path in NOT_YET {
        routes.any(path, |master, request, _| {
            answered(master, &request, |_| Err(not_yet(request.uri().path())))
        });
    }
}

fn answered(
    master: &mut MasterProcess,
    request: &Request,
    act: impl FnOnce(&mut MasterProcess) -> Answer,
) -> Response {
    let admitted = master.admit_client(request, Realm::MasterReadWrite);
    let answer = admitted.and_then(|_| act(master));
    master.settle();
    answer.unwrap_or_else(Response::from)
}

fn not_yet(what: &str) -> Refusal {
    let text = format!("{what} is not implemented by this master yet");
    Refusal::new(StatusCode::NOT_IMPLEMENTED, text)
}

fn done() -> Response {
    Response::new(Body::Full(Bytes::new()))
}

/// POST /teardown, with a form that names the framework
fn teardown(master: &mut MasterProcess, request: &Request, ctx: &mut Ctx) -> Answer {
    only_post(request)?;
    let form = std::str::from_utf8(request.body()).unwrap_or_default();
    let named = parameter(form, "frameworkId")
        .ok_or_else(|| Refusal::bad("Missing 'frameworkId' query parameter in the request body"))?;
    master.teardown_named(FrameworkId::new(named.into_owned()).ok(), ctx)?;
    Ok(done())
}

#[derive(Serialize)]
struct Weight<'a> {
    role: &'a str,
    weight: f64,
}

/// PUT /weights, to change some of them
fn put_weights(master: &mut MasterProcess, request: &Request, ctx: &mut Ctx) -> http::Answer {
    let admitted = master.admit_client(request, Realm::MasterReadWrite);
    let weights = admitted.and_then(|_| {
        let weight_infos: Vec<WeightInfo> = serde_json::from_slice(request.body())
            .map_err(|error| Refusal::bad(format!("Failed to parse weights: {error}")))?;
        weights_of(UpdateWeights { weight_infos })
    });
    match weights {
        Ok(weights) => later(|done| master.update_weights(weights, done, ctx)),
        Err(refusal) => Response::from(refusal).into(),
    }
}

/// GET /weights
fn weights(master: &mut MasterProcess, request: &Request) -> Answer {
    let weights = master.options.weights.iter().map(|(role, weight)| Weight {
        role: role.as_str(),
        weight: weight.thousandths() as f64 / 1_000.0,
    });
    json(request, &weights.collect::<Vec<_>>())
}

/// /logging/toggle: what the level of the log is, or another for some time
fn toggle(master: &mut MasterProcess, request: &Request, ctx: &mut Ctx) -> Answer {
    let asked = toggled(request.uri().query().unwrap_or_default()).map_err(Refusal::bad)?;
    let Some((level, duration)) = asked else {
        return Ok(Response::text(format!("{}\n", logging_level())));
    };
    master.set_logging_level(SetLoggingLevel { level, duration }, ctx)?;
    Ok(done())
}

/// A page of what there is none of.
fn none(request: &Request) -> Answer {
    only_read(request)?;
    json(request, &serde_json::Map::new())
}

/// What there is none of can be read, and not yet be made.
fn only_read(request: &Request) -> Result<(), Refusal> {
    match [Method::GET, Method::HEAD].contains(request.method()) {
        true => Ok(()),
        false => Err(not_yet(&format!("a change of {}", request.uri().path()))),
    }
}

#[derive(Serialize)]
struct Quota {
    infos: [(); 0],
    configs: [(); 0],
}

/// GET /quota: there is none yet
fn quota(request: &Request) -> Answer {
    only_read(request)?;
    json(
        request,
        &Quota {
            infos: [],
            configs: [],
        },
    )
}
