//! What the agent is: its version, its flags, and whether it is well.

use std::collections::BTreeMap;

use api::v1::agent::call::SetLoggingLevel;
use api::v1::authentication::Realm;
use api::v1::verbosity::toggled;
use libproc::http::{Answer, Request, Respond as _, Response, StatusCode};
use libproc::prelude::*;
use serde_json::{Value, json};
use types::format_duration;

use super::operator::logging_level;
use super::{Refusal, empty, page};
use crate::agent::Agent;

pub(super) fn health(_: &mut Agent, _: Request, _: &mut Context<Agent>) -> Answer {
    Response::text("").into()
}

pub(super) fn version(_: &mut Agent, request: Request, _: &mut Context<Agent>) -> Answer {
    page(
        &request,
        &json!({"version": api::v1::VERSION, "tepui_version": api::VERSION}),
    )
}

pub(super) fn flags(agent: &mut Agent, request: Request, _: &mut Context<Agent>) -> Answer {
    page(&request, &json!({"flags": agent.flags()}))
}

/// What the level of the log is, or another for some time.
pub(super) fn toggle(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let asked = toggled(request.uri().query().unwrap_or_default());
    let turned = match asked.map_err(Refusal::bad) {
        Ok(None) => return Response::text(format!("{}\n", logging_level())).into(),
        Ok(Some((level, duration))) => {
            agent.set_logging_level(SetLoggingLevel { level, duration }, ctx)
        }
        Err(refusal) => Err(refusal),
    };
    turned
        .map_or_else(Response::from, |()| empty(StatusCode::OK))
        .into()
}

impl Agent {
    /// What can be set of an agent and how it is set, in the words of its flags.
    pub(super) fn flags(&self) -> BTreeMap<&'static str, String> {
        let options = &self.options;
        let asks = |realm| options.authentication.requires(realm).to_string();
        BTreeMap::from([
            (
                "authenticate_http_executors",
                self.token_key.is_some().to_string(),
            ),
            ("authenticate_http_readonly", asks(Realm::AgentReadOnly)),
            ("authenticate_http_readwrite", asks(Realm::AgentReadWrite)),
            ("attributes", options.attributes.to_string()),
            (
                "executor_registration_timeout",
                format_duration(options.executor_registration_timeout),
            ),
            (
                "executor_shutdown_grace_period",
                format_duration(options.executor_shutdown_grace_period),
            ),
            ("gc_delay", format_duration(options.gc_delay)),
            ("hostname", self.info.hostname.clone()),
            ("master", options.master.upid().address().to_string()),
            ("port", self.info.port.to_string()),
            (
                "registration_backoff_factor",
                format_duration(options.registration_backoff_factor),
            ),
            ("resources", self.info.resources.to_string()),
            ("switch_user", options.switch_user.to_string()),
            ("work_dir", options.work_dir.display().to_string()),
        ])
    }
}

/// Attributes as an object: amounts as numbers, all else as text.
pub(super) fn attributes(attributes: &types::Attributes) -> Value {
    let entry = |attribute: &types::Attribute| {
        let value = match &attribute.value {
            types::AttributeValue::Text(text) => json!(text),
            types::AttributeValue::Scalar(amount) => json!(amount.as_f64()),
            types::AttributeValue::Ranges(ranges) => json!(ranges.to_string()),
        };
        (attribute.name.clone(), value)
    };
    Value::Object(attributes.iter().map(entry).collect())
}
