//! Calls of operators over HTTP.

use std::time::Duration;

use api::v1::authentication::Realm;
use api::v1::body::Encoding;
use api::v1::convert::Unfit;
use api::v1::master::{Call, CallBody, ResponseBody, call, response};
use api::v1::negotiate::response_encoding;
use api::v1::verbosity::{LogFault, LogSwitch};
use api::v1::{Flag, Metric, VersionInfo};
use bytes::Bytes;
use libproc::http::{Answer, Body, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::{Context, Later};
use tracing::level_filters::LevelFilter;
use types::{AgentId, DrainConfig, FrameworkId, MAX_TASK_DURATION, Role};

use super::files::beside;
use super::page::Page;
use super::reads::Read;
use super::refusal::{Refusal, header_text, only_post};
use crate::failover::Farewell;
use crate::maintenance::{Done, not_stored};
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
        if let CallBody::GetMetrics(_) = body {
            let page = self.get_metrics(request, encoding, ctx);
            return page.map(Answer::from);
        }
        match self.read(&body) {
            Some(answer) => Ok(encode(encoding, answer).into()),
            None => self.act(body, ctx),
        }
    }

    /// Answers a call that only asks; none if it does more.
    fn read(&self, body: &CallBody) -> Option<ResponseBody> {
        Some(match body {
            CallBody::GetHealth => ResponseBody::GetHealth(response::GetHealth { healthy: true }),
            CallBody::GetFlags => ResponseBody::GetFlags(self.get_flags()),
            CallBody::GetVersion => ResponseBody::GetVersion(response::GetVersion {
                version_info: VersionInfo {
                    version: api::v1::VERSION.to_owned(),
                    ..VersionInfo::default()
                },
            }),
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
            CallBody::UpdateWeights(update) => {
                let weights = weights_of(update)?;
                return Ok(later(|done| self.update_weights(weights, done, ctx)));
            }
            CallBody::SetLoggingLevel(call) => self.set_logging_level(call, ctx)?,
            other => {
                let text = format!("{} is not implemented by this master yet", other.kind());
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
            }
        }
        Ok(done().into())
    }

    /// Turns the log up for some time.
    pub(super) fn set_logging_level(
        &self,
        call: call::SetLoggingLevel,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refusal> {
        let log = self.options.log.as_ref();
        let turned = LogSwitch::turn_up(log, call.level, call.duration).map_err(|fault| {
            let text = fault.to_string();
            match fault {
                LogFault::Lasting(_) => {
                    let field = "set_logging_level.duration".to_owned();
                    Refusal::unfit(API, &Unfit { field, text })
                }
                LogFault::Fixed => {
                    let text = "The log of this master cannot be turned up";
                    Refusal::new(StatusCode::NOT_IMPLEMENTED, text)
                }
                LogFault::Failed(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text),
            }
        })?;
        tracing::info!(level = call.level, lasting = ?turned.lasting(), "logging level set");
        ctx.after(turned.lasting(), |_, _| {
            if let Err(error) = turned.end() {
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

    /// Changes weights, once the registry has them.
    pub(super) fn update_weights(&mut self, weights: Weights, done: Done, ctx: &mut Context<Self>) {
        let thousandths = weights
            .iter()
            .map(|(role, weight)| (role.clone(), weight.thousandths()));
        let operation = Operation::SetWeights(thousandths.collect());
        let stored = self.registrar.apply(operation);
        ctx.defer(stored, move |this, outcome, _| {
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            tracing::info!(?weights, "weights updated");
            this.options.weights.extend(weights.iter().cloned());
            this.orders
                .give(move |allocator, _| allocator.update_weights(weights));
            this.settle();
            done(Ok(()));
        });
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

    fn get_metrics(
        &self,
        request: &Request,
        encoding: Encoding,
        ctx: &Context<Self>,
    ) -> Result<Response, Refusal> {
        let metering = self.metering(ctx.node());
        let write = |mut page: Page| async move {
            let values = metering.values(&mut page).await.into_iter();
            let metrics = values.map(|(name, value)| Metric {
                name,
                value: Some(value),
            });
            let metrics = metrics.collect();
            let body = ResponseBody::GetMetrics(response::GetMetrics { metrics });
            page.raw(&encoded(encoding, body));
            page
        };
        self.clerk.answer(request, encoding.media_type(), write)
    }
}

/// What was asked for is done.
fn done() -> Response {
    Response::new(Body::Full(Bytes::new()))
}

/// Weights of roles.
pub(super) type Weights = Vec<(Role, allocator::Weight)>;

/// Reads what weights are to be.
pub(super) fn weights_of(update: call::UpdateWeights) -> Result<Weights, Refusal> {
    let infos = update.weight_infos.into_iter().enumerate();
    let read = infos.map(|(i, info)| {
        let wrong = |field: &str, text: String| {
            let field = format!("update_weights.weight_infos[{i}].{field}");
            Refusal::unfit(API, &Unfit { field, text })
        };
        let role = Role::new(info.role.unwrap_or_default());
        let role = role.map_err(|error| wrong("role", error.to_string()))?;
        let weight = allocator::Weight::from_f64(info.weight);
        let weight = weight.map_err(|error| wrong("weight", error.to_string()))?;
        Ok((role, weight))
    });
    read.collect()
}

/// Answers when something is done, or refused.
pub(super) fn later(act: impl FnOnce(Done)) -> Answer {
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
    Response::with(
        StatusCode::OK,
        encoding.media_type(),
        encoded(encoding, body),
    )
}

fn encoded(encoding: Encoding, body: ResponseBody) -> Bytes {
    encoding.encode(&api::v1::master::Response::from(body))
}
