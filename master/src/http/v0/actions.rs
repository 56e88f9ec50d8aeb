//! The pages by which tools change something, from before there were calls.

use api::v1::WeightInfo;
use api::v1::authentication::Realm;
use api::v1::master::call::UpdateWeights;
use api::v1::target::parameter;
use bytes::Bytes;
use libproc::http::{self, Body, Method, Request, Response, Routes, StatusCode};
use libproc::prelude::Context;
use serde::Serialize;
use types::FrameworkId;

use super::json;
use crate::http::operator::{later, weights_of};
use crate::http::refusal::{Refusal, only_post};
use crate::process::MasterProcess;

type Answer = Result<Response, Refusal>;
type Ctx = Context<MasterProcess>;

/// What the original has and this master has not yet.
const NOT_YET: [&str; 8] = [
    "reserve",
    "unreserve",
    "create-volumes",
    "destroy-volumes",
    "machine/up",
    "machine/down",
    "maintenance/schedule",
    "maintenance/status",
];

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

#[derive(Serialize)]
struct Quota {
    infos: [(); 0],
    configs: [(); 0],
}

/// GET /quota: there is none yet
fn quota(request: &Request) -> Answer {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Err(not_yet("a change of quota"));
    }
    json(
        request,
        &Quota {
            infos: [],
            configs: [],
        },
    )
}
