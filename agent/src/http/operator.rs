//! `POST /api/v1`: the operator API. What only reads is answered, all else with 501.

use api::v1::agent::{Call, CallBody, Response as Reply, ResponseBody, call, response};
use api::v1::body::Encoding;
use api::v1::convert::{executor_of, told};
use api::v1::negotiate::{Form, request_form, response_form};
use api::v1::verbosity::{LogFault, LogSwitch};
use api::v1::{Flag, Message as _, Metric, VersionInfo};
use libproc::http::{Answer, HeaderMap, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::*;
use tracing::level_filters::LevelFilter;

use super::files::{Found, later};
use super::{Refusal, containers, empty, only_post, text};
use crate::agent::Agent;

pub(super) fn serve(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    agent
        .operator_call(&request, ctx)
        .unwrap_or_else(Answer::from)
}

impl Agent {
    fn operator_call(
        &mut self,
        request: &Request,
        ctx: &mut Context<Self>,
    ) -> Result<Answer, Refusal> {
        only_post(request.method())?;
        let (call, form) = read(request)?;
        let kind = call.kind;
        let name = kind.map_or("UNKNOWN", |kind| kind.as_str());
        let Form::Message(encoding) = form else {
            let text = format!(
                "The response to {name} is no stream: expecting 'Accept' to allow \
                application/json or application/x-protobuf"
            );
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, text));
        };
        let body = call.into_body().map_err(|fault| Refusal::bad(fault.text))?;
        let reply = match body {
            CallBody::GetHealth => ResponseBody::GetHealth(response::GetHealth { healthy: true }),
            CallBody::GetFlags => ResponseBody::GetFlags(self.get_flags()),
            CallBody::GetVersion => ResponseBody::GetVersion(version()),
            CallBody::GetMetrics(call) => {
                check_timeout(&call)?;
                ResponseBody::GetMetrics(self.get_metrics(ctx))
            }
            CallBody::GetLoggingLevel => {
                let level = logging_level();
                ResponseBody::GetLoggingLevel(response::GetLoggingLevel { level })
            }
            CallBody::ListFiles(call) => {
                let found = self.found(&call.path)?;
                return Ok(later(self, ctx, move || list_files(&found, encoding)));
            }
            CallBody::ReadFile(call) => {
                let found = self.found(&call.path)?;
                return Ok(later(self, ctx, move || read_file(&found, &call, encoding)));
            }
            CallBody::GetState => ResponseBody::GetState(response::GetState {
                get_tasks: Some(self.get_tasks()),
                get_executors: Some(self.get_executors()),
                get_frameworks: Some(self.get_frameworks()),
            }),
            CallBody::GetContainers(_) => {
                let described = self.described_containers();
                return Ok(later(self, ctx, move || {
                    let containers = containers::measured(described)?;
                    let containers = response::GetContainers { containers };
                    Ok(encode(encoding, ResponseBody::GetContainers(containers)))
                }));
            }
            CallBody::GetFrameworks => ResponseBody::GetFrameworks(self.get_frameworks()),
            CallBody::GetExecutors => ResponseBody::GetExecutors(self.get_executors()),
            CallBody::GetTasks => ResponseBody::GetTasks(self.get_tasks()),
            // There are none.
            CallBody::GetOperations => ResponseBody::GetOperations(Default::default()),
            CallBody::GetResourceProviders => {
                ResponseBody::GetResourceProviders(Default::default())
            }
            CallBody::GetAgent => ResponseBody::GetAgent(response::GetAgent {
                agent_info: Some(Box::new((&self.info).into())),
                drain_config: self.draining.map(|draining| api::v1::DrainConfig {
                    max_grace_period: draining.config.max_grace_period.map(Into::into),
                    mark_gone: draining.config.mark_gone,
                }),
                estimated_drain_start_time: self.draining.map(|draining| api::v1::TimeInfo {
                    nanoseconds: i64::try_from(draining.since_ms.saturating_mul(1_000_000))
                        .unwrap_or(i64::MAX),
                }),
            }),
            CallBody::SetLoggingLevel(call) => {
                self.set_logging_level(call, ctx)?;
                return Ok(empty(StatusCode::OK).into());
            }
            CallBody::LaunchNestedContainer(_)
            | CallBody::WaitNestedContainer(_)
            | CallBody::KillNestedContainer(_)
            | CallBody::RemoveNestedContainer(_)
            | CallBody::LaunchNestedContainerSession(_)
            | CallBody::AttachContainerInput(_)
            | CallBody::AttachContainerOutput(_)
            | CallBody::LaunchContainer(_)
            | CallBody::WaitContainer(_)
            | CallBody::KillContainer(_)
            | CallBody::RemoveContainer(_)
            | CallBody::AddResourceProviderConfig(_)
            | CallBody::UpdateResourceProviderConfig(_)
            | CallBody::RemoveResourceProviderConfig(_)
            | CallBody::MarkResourceProviderGone(_)
            | CallBody::PruneImages(_) => {
                let text = format!("The 'type' {name} is not served by this agent yet");
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
            }
        };
        Ok(encode(encoding, reply).into())
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
                    let whole = "Failed to validate agent::Call: 'set_logging_level.duration'";
                    Refusal::bad(format!("{whole} {text}"))
                }
                LogFault::Fixed => {
                    let text = "The log of this agent cannot be turned up";
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

    fn get_flags(&self) -> response::GetFlags {
        let flags = self.flags().into_iter().map(|(name, value)| Flag {
            name: name.to_owned(),
            value: Some(value),
        });
        response::GetFlags {
            flags: flags.collect(),
        }
    }

    fn get_metrics(&self, ctx: &Context<Self>) -> response::GetMetrics {
        let readings = ctx.node().readings().into_iter();
        let mut metrics = self.metrics();
        metrics.extend(readings.filter_map(|(name, number)| Some((name, number.as_f64()?))));
        let metrics = metrics.into_iter().map(|(name, value)| Metric {
            name,
            value: Some(value),
        });
        response::GetMetrics {
            metrics: metrics.collect(),
        }
    }

    fn get_frameworks(&self) -> response::GetFrameworks {
        let framework = |info: &types::FrameworkInfo| response::Framework {
            framework_info: info.into(),
        };
        let living = self.books.frameworks();
        let past = self.books.history.frameworks();
        let past = past.filter(|past| self.books.framework(&past.framework_id).is_none());
        response::GetFrameworks {
            frameworks: living.map(|(_, living)| framework(&living.info)).collect(),
            completed_frameworks: past.map(|past| framework(&past.info)).collect(),
        }
    }

    fn get_executors(&self) -> response::GetExecutors {
        let executor = |info, role: &types::Role| response::Executor {
            executor_info: executor_of(info, role),
        };
        let living = self.books.frameworks();
        let living = living.flat_map(|(_, framework)| framework.executors.values());
        let ended = self.books.history.frameworks();
        let ended = ended.flat_map(|past| past.executors.iter());
        response::GetExecutors {
            executors: living
                .map(|living| executor(&living.info, &living.role()))
                .collect(),
            completed_executors: ended
                .map(|ended| executor(&ended.info, &ended.role()))
                .collect(),
        }
    }

    fn get_tasks(&self) -> response::GetTasks {
        let mut tasks = response::GetTasks::default();
        let executors = self.books.frameworks();
        for executor in executors.flat_map(|(_, framework)| framework.executors.values()) {
            for (task_id, task) in &executor.tasks {
                let queued = executor.queued.iter().any(|(_, batch)| batch.has(task_id));
                let message = told(&self.report(task));
                match (task.state.is_terminal(), queued) {
                    (true, _) => tasks.terminated_tasks.push(message),
                    (false, true) => tasks.queued_tasks.push(message),
                    (false, false) => tasks.launched_tasks.push(message),
                }
            }
            let ended = executor.ended.iter().map(told);
            tasks.completed_tasks.extend(ended);
        }
        let past = self.books.history.frameworks();
        for executor in past.flat_map(|past| past.executors.iter()) {
            let ended = executor.tasks.iter().map(told);
            tasks.completed_tasks.extend(ended);
        }
        tasks
    }
}

/// Reads the call of a request, and what its answer shall be in.
fn read(request: &Request) -> Result<(Call, Form), Refusal> {
    let headers = request.headers();
    let content_type = text(headers, header::CONTENT_TYPE);
    let encoding = match request_form(content_type, named(headers, "message-content-type")) {
        Ok(Form::Message(encoding)) => encoding,
        Ok(Form::Records(_)) => {
            let text = "No call that is a stream is served by this agent yet";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
        }
        // There is a third type here.
        Err(bad) if bad.status == 415 && named(headers, "message-content-type").is_none() => {
            let text = format!("{} or application/recordio", bad.text);
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        Err(bad) => return Err(bad.into()),
    };
    let call: Call = encoding.decode(request.body())?;
    call.check()?;
    let accept = text(headers, header::ACCEPT);
    let form = response_form(accept, named(headers, "message-accept"))?;
    Ok((call, form))
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn encode(encoding: Encoding, reply: ResponseBody) -> Response {
    let bytes = match encoding {
        Encoding::Json => Reply::from(reply).to_json(),
        Encoding::Protobuf => Reply::from(reply).to_protobuf(),
    };
    Response::with(StatusCode::OK, encoding.media_type(), bytes)
}

fn version() -> response::GetVersion {
    response::GetVersion {
        version_info: VersionInfo {
            version: api::v1::VERSION.to_owned(),
            ..VersionInfo::default()
        },
    }
}

/// The level that is logged, as glog counts: 0 is what an operator wants to know.
pub(super) fn logging_level() -> u32 {
    match LevelFilter::current() {
        LevelFilter::TRACE => 2,
        LevelFilter::DEBUG => 1,
        _ => 0,
    }
}

fn check_timeout(call: &call::GetMetrics) -> Result<(), Refusal> {
    match &call.timeout {
        Some(timeout) if timeout.nanoseconds < 0 => Err(Refusal::bad(
            "Failed to validate agent::Call: 'get_metrics.timeout' cannot be negative",
        )),
        // The numbers are at hand: nothing takes so long that it would be left out.
        Some(_) | None => Ok(()),
    }
}

fn list_files(found: &Found, encoding: Encoding) -> Result<Response, Refusal> {
    let file_infos = found.list()?;
    let list = ResponseBody::ListFiles(response::ListFiles { file_infos });
    Ok(encode(encoding, list))
}

fn read_file(
    found: &Found,
    call: &call::ReadFile,
    encoding: Encoding,
) -> Result<Response, Refusal> {
    let length = call
        .length
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let part = found.read(call.offset, length)?;
    let file = ResponseBody::ReadFile(response::ReadFile {
        size: part.size,
        data: part.data.into(),
    });
    Ok(encode(encoding, file))
}
