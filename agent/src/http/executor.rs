//! `POST /api/v1/executor`: executors of any language.
//!
//! SUBSCRIBE is answered with a stream of events, any other call with 202. A call is good while
//! its executor is subscribed; the connection it comes over does not matter.

use api::agent::ExecutorUpdate;
use api::v1::body::Encoding;
use api::v1::convert::{ExecutorCall, Subscription, Unfit};
use api::v1::executor::{Call, CallType, EventBody, call};
use api::v1::negotiate::response_encoding;
use api::v1::{StatusSource, TaskState};
use libproc::http::{Answer, Body, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::*;
use types::{ExecutorId, ExecutorKind, FrameworkId};

use super::gate::check_claims;
use super::{Refusal, empty, only_post, stream, text};
use crate::agent::Agent;
use crate::books::{Executor, NotExpected, Subscribed};

pub(super) fn serve(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    agent
        .executor_call(&request, ctx)
        .unwrap_or_else(Response::from)
        .into()
}

impl Agent {
    fn executor_call(
        &mut self,
        request: &Request,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        only_post(request.method())?;
        let content_type = text(request.headers(), header::CONTENT_TYPE);
        let call = Call::from_bytes(content_type, request.body())?;
        check(&call)?;
        let encoding = response_encoding(text(request.headers(), header::ACCEPT))?;
        let call = ExecutorCall::try_from(call).map_err(invalid)?;
        match call {
            ExecutorCall::Subscribe(subscription) => {
                let Subscription {
                    framework_id,
                    executor_id,
                    ..
                } = &subscription;
                self.own_executor(framework_id, executor_id, request)?;
                self.subscribe_executor(subscription, encoding, ctx)
            }
            ExecutorCall::Update(update) => {
                self.own_executor(&update.framework_id, &update.executor_id, request)?;
                self.subscribed_executor(&update.framework_id, &update.executor_id)?;
                match self.executor_update(update, ctx) {
                    true => Ok(empty(StatusCode::ACCEPTED)),
                    false => {
                        let text = "Too many updates of the task wait to be acknowledged";
                        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text))
                    }
                }
            }
            ExecutorCall::Message(message) => {
                self.own_executor(&message.framework_id, &message.executor_id, request)?;
                self.subscribed_executor(&message.framework_id, &message.executor_id)?;
                self.pass_to_framework(message, ctx);
                Ok(empty(StatusCode::ACCEPTED))
            }
            // It says nothing but that somebody is there.
            ExecutorCall::Heartbeat => Ok(empty(StatusCode::ACCEPTED)),
        }
    }

    /// The executor that a call names, if it is not another one that makes the call.
    fn own_executor(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let executor = self.known_executor(framework_id, executor_id)?;
        let (fid, eid) = (framework_id.as_str(), executor_id.as_str());
        let checked = check_claims(request, fid, eid, executor.container_id.as_str());
        checked.map_err(|text| Refusal::new(StatusCode::FORBIDDEN, text))
    }

    fn known_executor(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Result<&Executor, Refusal> {
        let framework = self.books.framework(framework_id);
        let framework = framework.ok_or_else(|| Refusal::bad("Framework cannot be found"))?;
        let executor = framework.executors.get(executor_id);
        let executor = executor.ok_or_else(|| Refusal::bad("Executor cannot be found"))?;
        match executor.info.kind {
            ExecutorKind::Custom => Ok(executor),
            ExecutorKind::Command | ExecutorKind::Default => {
                let text = "Executor is the agent's own, and speaks another way";
                Err(Refusal::new(StatusCode::FORBIDDEN, text))
            }
        }
    }

    fn subscribed_executor(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Result<(), Refusal> {
        match self.known_executor(framework_id, executor_id)?.over_http {
            true => Ok(()),
            false => {
                let text = "Executor is not subscribed";
                Err(Refusal::new(StatusCode::FORBIDDEN, text))
            }
        }
    }

    fn subscribe_executor(
        &mut self,
        subscription: Subscription,
        encoding: Encoding,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        let Subscription {
            framework_id,
            executor_id,
            tasks,
            updates,
        } = subscription;
        let (process, body) = stream::open(encoding, ctx.upid().clone());
        let process = ctx.node().spawn_anonymous(process);
        let subscribed = self
            .books
            .subscribe(&framework_id, &executor_id, process.clone());
        let subscribed = match subscribed {
            Ok(subscribed) => subscribed,
            Err(reason) => {
                tracing::warn!(
                    framework = %framework_id, executor = %executor_id, %reason,
                    "subscription of an executor refused"
                );
                ctx.node().terminate(process.upid());
                return match reason {
                    NotExpected::Ending => Ok(events(
                        encoding,
                        stream::only(encoding, EventBody::Shutdown),
                    )),
                    NotExpected::Taken => {
                        Err(Refusal::new(StatusCode::FORBIDDEN, reason.to_string()))
                    }
                    NotExpected::Unknown => Err(Refusal::bad("Executor cannot be found")),
                };
            }
        };
        tracing::info!(framework = %framework_id, executor = %executor_id, "executor subscribed");
        if let Subscribed::Again(Some(former)) = &subscribed {
            ctx.node().terminate(former.upid());
        }
        self.welcome(&framework_id, &executor_id, &process, ctx);
        let executor = self.books.executor(&framework_id, &executor_id);
        if let Some(container_id) = executor.map(|executor| executor.container_id.clone()) {
            self.came_back(&container_id, ctx);
        }
        for status in updates {
            let (framework_id, executor_id) = (framework_id.clone(), executor_id.clone());
            // What is not taken is not acknowledged, and comes again.
            self.executor_update(
                ExecutorUpdate {
                    framework_id,
                    executor_id,
                    status,
                },
                ctx,
            );
        }
        let known = tasks.into_iter().map(|task| task.task_id).collect();
        match subscribed {
            Subscribed::First(queued) => {
                let whose = (framework_id, executor_id);
                self.hand_over_once_written(whose, process, queued, known, ctx);
            }
            Subscribed::Again(_) => {
                self.drop_tasks_that_never_arrived(&framework_id, &executor_id, known, ctx);
            }
        }
        Ok(events(encoding, body))
    }
}

/// The answer to a subscription.
fn events(encoding: Encoding, body: tokio::sync::mpsc::Receiver<bytes::Bytes>) -> Response {
    let mut response = Response::with(StatusCode::OK, encoding.media_type(), "");
    *response.body_mut() = Body::Stream(body);
    response
}

/// Checks what an update needs, in the order and words of Apache Mesos.
fn check(call: &Call) -> Result<(), Refusal> {
    let refuse = |text: String| {
        Err(Refusal::bad(format!(
            "Failed to validate Executor::Call: {text}"
        )))
    };
    if let (Some(CallType::Subscribe), Some(subscribe)) = (call.kind, &call.subscribe) {
        let mut updates = subscribe.unacknowledged_updates.iter();
        if let Some(i) = updates.position(|update| update.status.uuid.is_none()) {
            let field = format!("subscribe.unacknowledged_updates[{i}].status.uuid");
            return refuse(format!("Expecting '{field}' to be present"));
        }
    }
    let (Some(CallType::Update), Some(call::Update { status })) = (call.kind, &call.update) else {
        return Ok(());
    };
    let (executor, framework) = (&call.executor_id.value, &call.framework_id.value);
    let from = format!("Received Call from executor {executor} of framework {framework}");
    if status.uuid.is_none() {
        return refuse("Expecting 'uuid' to be present".to_owned());
    }
    if let Some(own) = status
        .executor_id
        .as_ref()
        .filter(|own| own.value != *executor)
    {
        let text = "ExecutorID in Call: {} does not match ExecutorID in TaskStatus: {}";
        let text = text
            .replacen("{}", executor, 1)
            .replacen("{}", &own.value, 1);
        return refuse(text);
    }
    if status.source != Some(StatusSource::Executor) {
        return refuse(format!(
            "{from} with invalid source, expecting 'SOURCE_EXECUTOR'"
        ));
    }
    if status.state == TaskState::Staging {
        return refuse(format!("{from} with TASK_STAGING, which is not allowed"));
    }
    Ok(())
}

fn invalid(unfit: Unfit) -> Refusal {
    Refusal::bad(format!("Failed to validate Executor::Call: {unfit}"))
}
