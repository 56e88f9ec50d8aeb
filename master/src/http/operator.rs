//! Calls of operators over HTTP.

use std::time::Duration;

use api::v1::authentication::Realm;
use api::v1::body::Encoding;
use api::v1::convert::Unfit;
use api::v1::master::{Call, CallBody, ResponseBody, call, response};
use api::v1::negotiate::response_encoding;
use api::v1::verbosity::lasting;
use api::v1::{Flag, Message as _, Metric, VersionInfo};
use bytes::Bytes;
use libproc::http::{Answer, Body, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::{Context, Later};
use tracing::level_filters::LevelFilter;
use types::{AgentId, DrainConfig, FrameworkId, MAX_TASK_DURATION, Role};

use super::files::beside;
use super::reads::Read;
use super::refusal::{Refusal, header_text, only_post};
use crate::failover::Farewell;
use crate::maintenance::Done;
use crate::process::MasterProcess;
use crate::registry::Operation;

/// What the calls are called in what is said of them.
const API: &str = "master::Call";

/// POST /api/v1
pub(crate) fn serve(
    master: &mut MasterProcess,
    request: Request,
    ctx: &mut Context<MasterProcess>,
) -> Answer {
    let admitted = master.admit_client(&request, Realm::MasterReadWrite);
    let response = admitted.and_then(|_| master.operator_call(&request, ctx));
    master.settle();
    response.unwrap_or_else(|refusal| Response::from(refusal).into())
}

impl MasterProcess {
    fn operator_call(
        &mut self,
        request: &Request,
        ctx: &mut Context<Self>,
    ) -> Result<Answer, Refusal> {
        only_post(request)?;
        let content_type = header_text(request, header::CONTENT_TYPE);
        let call = Call::from_bytes(content_type, request.body())?;
        let encoding = response_encoding(header_text(request, header::ACCEPT))?;
        let body = call.into_body().map_err(|fault| {
            let (field, text) = (fault.field, fault.text);
            Refusal::unfit(API, &Unfit { field, text })
        })?;
        if body == CallBody::Subscribe {
            return self.open_watch(encoding, ctx).map(Answer::from);
        }
        if let Some(read) = Read::of(&body) {
            let snapshot = self.snapshot();
            let page = read.answer(&self.clerk, request, encoding, snapshot);
            return page.map(Answer::from);
        }
        match &body {
            CallBody::ListFiles(call::ListFiles { path }) => {
                let shown = self.shown(path)?;
                return Ok(beside(ctx, move || {
                    let file_infos = shown.list()?;
                    let list = response::ListFiles { file_infos };
                    Ok(encode(encoding, ResponseBody::ListFiles(list)))
                }));
            }
            CallBody::ReadFile(call::ReadFile {
                path,
                offset,
                length,
            }) => {
                let (shown, offset, length) = (self.shown(path)?, *offset, *length);
                return Ok(beside(ctx, move || {
                    let part = shown.read(offset, length)?;
                    let read = response::ReadFile {
                        size: part.size,
                        data: part.data.into(),
                    };
                    Ok(encode(encoding, ResponseBody::ReadFile(read)))
                }));
            }
            _ => {}
        }
        match self.read(&body, ctx) {
            Some(answer) => Ok(encode(encoding, answer).into()),
            None => self.act(body, ctx),
        }
    }

    /// Answers a call that only asks; none if it does more.
    fn read(&self, body: &CallBody, ctx: &Context<Self>) -> Option<ResponseBody> {
        Some(match body {
            CallBody::GetHealth => ResponseBody::GetHealth(response::GetHealth { healthy: true }),
            CallBody::GetFlags => ResponseBody::GetFlags(self.get_flags()),
            CallBody::GetVersion => ResponseBody::GetVersion(response::GetVersion {
                version_info: VersionInfo {
                    version: api::v1::VERSION.to_owned(),
                    ..VersionInfo::default()
                },
            }),
            CallBody::GetMetrics(_) => ResponseBody::GetMetrics(self.get_metrics(ctx)),
            CallBody::GetLoggingLevel => {
                let level = logging_level();
                ResponseBody::GetLoggingLevel(response::GetLoggingLevel { level })
            }
            CallBody::GetRoles => ResponseBody::GetRoles(self.snapshot().get_roles()),
            CallBody::GetWeights => ResponseBody::GetWeights(self.snapshot().get_weights()),
            CallBody::GetMaster => ResponseBody::GetMaster(self.snapshot().get_master()),
            // There are none of these here yet.
            CallBody::GetOperations => ResponseBody::GetOperations(Default::default()),
            CallBody::GetQuota => ResponseBody::GetQuota(Default::default()),
            CallBody::GetMaintenanceStatus => {
                ResponseBody::GetMaintenanceStatus(Default::default())
            }
            CallBody::GetMaintenanceSchedule => {
                ResponseBody::GetMaintenanceSchedule(Default::default())
            }
            _ => return None,
        })
    }

    fn act(&mut self, body: CallBody, ctx: &mut Context<Self>) -> Result<Answer, Refusal> {
        match body {
            CallBody::DeactivateAgent(call) => {
                let id = agent_id(call.agent_id, "deactivate_agent")?;
                return Ok(later(|done| self.deactivate_agent(id, done, ctx)));
            }
            CallBody::ReactivateAgent(call) => {
                let id = agent_id(call.agent_id, "reactivate_agent")?;
                return Ok(later(|done| self.reactivate_agent(id, done, ctx)));
            }
            CallBody::MarkAgentGone(call) => {
                let id = agent_id(call.agent_id, "mark_agent_gone")?;
                return Ok(later(|done| self.mark_agent_gone(id, done, ctx)));
            }
            CallBody::DrainAgent(call) => {
                let id = agent_id(call.agent_id, "drain_agent")?;
                let config = DrainConfig {
                    max_grace_period: call.max_grace_period.map(grace).transpose()?,
                    mark_gone: call.mark_gone,
                };
                return Ok(later(|done| self.drain_agent(id, config, done, ctx)));
            }
            CallBody::Teardown(teardown) => {
                self.teardown_named(FrameworkId::new(teardown.framework_id.value).ok(), ctx)?;
            }
            CallBody::UpdateWeights(update) => self.update_weights(update)?,
            CallBody::SetLoggingLevel(call) => self.set_logging_level(call, ctx)?,
            other => {
                let text = format!("{} is not implemented by this master yet", other.kind());
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
            }
        }
        Ok(done().into())
    }

    /// Turns the log up for some time.
    fn set_logging_level(
        &mut self,
        call: call::SetLoggingLevel,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refusal> {
        let lasting = lasting(call.duration).map_err(|text| {
            let field = "set_logging_level.duration".to_owned();
            Refusal::unfit(API, &Unfit { field, text })
        })?;
        self.turn_log(call.level, lasting, ctx)
    }

    /// Logs as much as this level says, for so long.
    pub(super) fn turn_log(
        &mut self,
        level: u32,
        lasting: Duration,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refusal> {
        let Some(log) = self.options.log.clone() else {
            let text = "The log of this master cannot be turned up";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
        };
        let failed = |text: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text);
        log.set(level).map_err(failed)?;
        tracing::info!(level, ?lasting, "logging level set");
        self.log_turns += 1;
        let turn = self.log_turns;
        ctx.after(lasting, move |this, _| {
            if this.log_turns == turn
                && let Err(error) = log.revert()
            {
                tracing::error!(error, "logging level could not be reverted");
            }
        });
        Ok(())
    }

    /// Ends a framework, if the id is one, and of a framework that is there.
    pub(super) fn teardown_named(
        &mut self,
        id: Option<FrameworkId>,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refusal> {
        let id = id.filter(|id| self.books.framework(id).is_some());
        let id = id.ok_or_else(|| Refusal::bad("No framework found with specified ID"))?;
        self.remove_framework(&id, Farewell::Told, ctx);
        Ok(())
    }

    /// Weights are kept in the registry.
    pub(super) fn update_weights(&mut self, update: call::UpdateWeights) -> Result<(), Refusal> {
        let mut weights = Vec::new();
        for (i, info) in update.weight_infos.into_iter().enumerate() {
            let wrong = |field: &str, text: String| {
                let field = format!("update_weights.weight_infos[{i}].{field}");
                Refusal::unfit(API, &Unfit { field, text })
            };
            let role = Role::new(info.role.unwrap_or_default());
            let role = role.map_err(|error| wrong("role", error.to_string()))?;
            let weight = allocator::Weight::from_f64(info.weight);
            let weight = weight.map_err(|error| wrong("weight", error.to_string()))?;
            weights.push((role, weight));
        }
        tracing::info!(?weights, "weights updated");
        self.options.weights.extend(weights.iter().cloned());
        let thousandths = weights
            .iter()
            .map(|(role, weight)| (role.clone(), weight.thousandths()));
        let operation = Operation::SetWeights(thousandths.collect());
        drop(self.registrar.apply(operation));
        self.orders
            .give(move |allocator, _| allocator.update_weights(weights));
        Ok(())
    }

    fn get_flags(&self) -> response::GetFlags {
        let flags = self.flags().into_iter();
        let flags = flags.map(|(name, value)| Flag {
            name: name.to_owned(),
            value: Some(value),
        });
        response::GetFlags {
            flags: flags.collect(),
        }
    }

    fn get_metrics(&self, ctx: &Context<Self>) -> response::GetMetrics {
        let values = self.metric_values(ctx.node()).into_iter();
        let metrics = values.map(|(name, value)| Metric {
            name,
            value: Some(value),
        });
        response::GetMetrics {
            metrics: metrics.collect(),
        }
    }
}

/// What was asked for is done.
fn done() -> Response {
    Response::new(Body::Full(Bytes::new()))
}

/// Answers when something is done, or refused.
fn later(act: impl FnOnce(Done)) -> Answer {
    let (answer, later) = Later::new();
    act(Box::new(move |outcome| {
        answer.send(outcome.map_or_else(Response::from, |()| done()));
    }));
    later.into()
}

fn agent_id(id: api::v1::AgentId, call: &str) -> Result<AgentId, Refusal> {
    AgentId::new(id.value).map_err(|error| {
        let field = format!("{call}.agent_id.value");
        let text = error.to_string();
        Refusal::unfit(API, &Unfit { field, text })
    })
}

/// A length of time as protobuf has it: seconds and nanoseconds of one sign, which is no minus.
fn grace(time: api::v1::Duration) -> Result<Duration, Refusal> {
    let seconds = u64::try_from(time.seconds);
    let nanos = u32::try_from(time.nanos)
        .ok()
        .filter(|n| *n < 1_000_000_000);
    let time = seconds.ok().zip(nanos);
    let time = time.map(|(seconds, nanos)| Duration::new(seconds, nanos));
    time.filter(|time| *time <= MAX_TASK_DURATION)
        .ok_or_else(|| {
            let field = "drain_agent.max_grace_period".to_owned();
            let text = "is negative, or longer than anybody waits".to_owned();
            Refusal::unfit(API, &Unfit { field, text })
        })
}

/// How much the master says in its log, as the original counts: 0 is what it says of itself, more
/// is for those who search for a fault.
pub(super) fn logging_level() -> u32 {
    match LevelFilter::current() {
        LevelFilter::TRACE => 2,
        LevelFilter::DEBUG => 1,
        _ => 0,
    }
}

fn encode(encoding: Encoding, body: ResponseBody) -> Response {
    let message = api::v1::master::Response::from(body);
    let bytes = match encoding {
        Encoding::Json => message.to_json(),
        Encoding::Protobuf => message.to_protobuf(),
    };
    Response::with(StatusCode::OK, encoding.media_type(), bytes)
}
