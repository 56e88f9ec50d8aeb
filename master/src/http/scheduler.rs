//! Calls of schedulers over HTTP: checked, put into our own words, and handled as if an actor had
//! said them.

use api::v1::OperationStatus;
use api::v1::authentication::{Principal, Realm};
use api::v1::convert::{Registration, SchedulerCall, Unfit};
use api::v1::negotiate::response_encoding;
use api::v1::scheduler::{Call, CallBody, CallType, Event, EventBody, event};
use libproc::http::{Request, Response, StatusCode, header};
use libproc::prelude::*;
use rand::Rng as _;
use types::{FrameworkId, MAX_DATA_BYTES};

use super::accept::{split_launches, tell_of_operation};
use super::gate::not_yours;
use super::refusal::{Refusal, header_text, only_post};
use super::sink::Sink;
use super::stream::{SchedulerStream, Shown, Stream};
use super::terms::Terms;
use crate::process::MasterProcess;

/// Names the stream of a scheduler: in the answer to SUBSCRIBE, and in every other call.
const STREAM_ID: &str = "mesos-stream-id";
/// So much of a wrong one is said, in characters.
const STREAM_ID_SHOWN: usize = 64;
/// What the calls are called in what is said of them.
const API: &str = "scheduler::Call";

/// POST /api/v1/scheduler
pub(crate) fn serve(
    master: &mut MasterProcess,
    request: Request,
    ctx: &mut Context<MasterProcess>,
) -> Response {
    let response = master.scheduler_call(&request, ctx);
    master.settle();
    response.unwrap_or_else(Response::from)
}

/// Who calls.
pub(super) struct Caller {
    pub(super) framework_id: FrameworkId,
    pub(super) upid: Upid,
    pub(super) stream: Stream,
}

impl MasterProcess {
    fn scheduler_call(
        &mut self,
        request: &Request,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        let principal = self.admit_client(request, Realm::MasterScheduler)?;
        only_post(request)?;
        let content_type = header_text(request, header::CONTENT_TYPE);
        let mut call = Call::from_bytes(content_type, request.body())?;
        same_framework(&call)?;
        if call.kind == Some(CallType::Subscribe) {
            claim(&mut call, principal)?;
            return self.open_stream(call, request, ctx);
        }
        let caller = self.caller(&call, request, principal)?;
        split_launches(&mut call);
        let call = SchedulerCall::try_from(call).map_err(|unfit| Refusal::unfit(API, &unfit))?;
        self.hear(call, &caller, ctx)
    }

    /// Who calls, if the call is of its stream.
    fn caller(
        &self,
        call: &Call,
        request: &Request,
        principal: Option<Principal>,
    ) -> Result<Caller, Refusal> {
        let named = call.framework_id.as_ref().map(|id| id.value.as_str());
        let id = named.and_then(|id| FrameworkId::new(id).ok());
        let framework = id.as_ref().and_then(|id| self.books.framework(id));
        let framework = framework.ok_or_else(|| Refusal::bad("Framework cannot be found"))?;
        let named = framework.info.principal.as_deref().unwrap_or_default();
        if let Some(other) = principal.filter(|shown| shown.0 != named) {
            return Err(Refusal::bad(not_yours(&other, named)));
        }
        let forbidden = |text: &str| Refusal::new(StatusCode::FORBIDDEN, text);
        let Some(pid) = framework.pid.as_ref().filter(|_| framework.is_active()) else {
            return Err(forbidden("Framework is not subscribed"));
        };
        let Some(stream) = &framework.stream else {
            return Err(forbidden("Framework is not connected via HTTP"));
        };
        let Some(named) = header_text(request, STREAM_ID) else {
            let text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
            return Err(Refusal::bad(text));
        };
        if named != stream.id {
            let named: String = named.chars().take(STREAM_ID_SHOWN).collect();
            return Err(Refusal::bad(format!(
                "The stream ID '{named}' included in this request didn't match the stream ID \
                 currently associated with framework ID {}",
                framework.id
            )));
        }
        Ok(Caller {
            framework_id: framework.id.clone(),
            upid: pid.upid().clone(),
            stream: stream.clone(),
        })
    }

    /// Carries out a call whose caller is known.
    fn hear(
        &mut self,
        call: SchedulerCall,
        caller: &Caller,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        self.speaker = Some(caller.upid.clone());
        let heard = self.carry_out_call(call, caller, ctx);
        self.speaker = None;
        heard.map(|status| {
            let mut response = Response::new(http::Body::Full(bytes::Bytes::new()));
            *response.status_mut() = status;
            response
        })
    }

    fn carry_out_call(
        &mut self,
        call: SchedulerCall,
        caller: &Caller,
        ctx: &mut Context<Self>,
    ) -> Result<StatusCode, Refusal> {
        match call {
            SchedulerCall::Subscribe(_) => {
                return Err(Refusal::bad("A subscription is a stream of its own"));
            }
            SchedulerCall::UpdateFramework(registration) => {
                self.update_registration(registration, caller, ctx)?;
                return Ok(StatusCode::OK);
            }
            SchedulerCall::Teardown(message) => {
                self.handle(message, ctx);
                ctx.node().terminate(&caller.upid);
            }
            SchedulerCall::Accept(message) => self.accept_over_http(message, caller, ctx),
            SchedulerCall::Decline(message) => self.handle(message, ctx),
            SchedulerCall::Revive(message) => self.handle(message, ctx),
            SchedulerCall::Suppress(message) => self.handle(message, ctx),
            SchedulerCall::Kill(message) => self.handle(message, ctx),
            SchedulerCall::Shutdown(message) => self.handle(message, ctx),
            SchedulerCall::Acknowledge(message) => self.handle(message, ctx),
            SchedulerCall::Reconcile(message) => self.handle(message, ctx),
            SchedulerCall::Message(message) => {
                let length = message.data.len();
                if length > MAX_DATA_BYTES {
                    let text = format!("{length} bytes, more than {MAX_DATA_BYTES}");
                    let unfit = unfit("message.data", text);
                    return Err(Refusal::unfit(API, &unfit));
                }
                self.handle(message, ctx);
            }
            SchedulerCall::Other(_, body) => self.hear_other(body, caller, ctx),
        }
        Ok(StatusCode::ACCEPTED)
    }

    /// Calls about what this master never told of: inverse offers, operations it carries out.
    fn hear_other(&mut self, body: CallBody, caller: &Caller, ctx: &Context<Self>) {
        let framework = &caller.framework_id;
        if let CallBody::ReconcileOperations(reconcile) = body {
            for asked in reconcile.operations {
                let (state, text) = self.word_on_operation(asked.agent_id.as_ref());
                let status = OperationStatus {
                    operation_id: Some(asked.operation_id),
                    state,
                    message: Some(text.to_owned()),
                    agent_id: asked.agent_id,
                    resource_provider_id: asked.resource_provider_id,
                    ..OperationStatus::default()
                };
                tell_of_operation(status, caller, ctx);
            }
        } else {
            tracing::debug!(%framework, call = %body.kind(), "call without effect");
        }
    }

    fn update_registration(
        &mut self,
        registration: Registration,
        caller: &Caller,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refusal> {
        check_suppressed(&registration, "update_framework").map_err(Refusal::bad)?;
        let Registration {
            info,
            suppressed,
            offer_constraints,
        } = registration;
        let terms = Terms::new(offer_constraints, &info).map_err(Refusal::bad)?;
        let id = &caller.framework_id;
        self.update_framework(id, info, suppressed, terms, ctx)
            .map_err(|refused| Refusal::bad(refused.to_string()))?;
        if let Some(framework) = self.books.framework(id) {
            caller.stream.shown.set(framework.info.clone());
        }
        Ok(())
    }

    /// SUBSCRIBE: a stream of events, of which the first says whether the framework is one of the
    /// cluster's.
    fn open_stream(
        &mut self,
        call: Call,
        request: &Request,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        let encoding = response_encoding(header_text(request, header::ACCEPT))?;
        if request.headers().contains_key(STREAM_ID) {
            let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
            return Err(Refusal::bad(text));
        }
        let random = libproc::env::rng().random();
        let stream_id = uuid::Builder::from_random_bytes(random).into_uuid();
        let stream_id = stream_id.to_string();
        let (events, body) = Sink::open(encoding);
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        let media_type = header::HeaderValue::from_static(encoding.media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
        let value = header::HeaderValue::try_from(&stream_id).expect("a UUID is a header");
        headers.insert(STREAM_ID, value);

        let registration = registration(call).and_then(|registration| {
            let terms = Terms::new(registration.offer_constraints.clone(), &registration.info)?;
            Ok((registration, terms))
        });
        match registration {
            Ok((registration, terms)) => {
                self.connect_stream(registration, terms, stream_id, events, ctx);
            }
            Err(message) => {
                tracing::info!(message, "subscription refused");
                // There is room for the first event of a stream, and nobody to tell if there is
                // no reader any more.
                let _ = events.send(&Event::from(EventBody::Error(event::Error { message })));
            }
        }
        Ok(response)
    }

    fn connect_stream(
        &mut self,
        registration: Registration,
        terms: Terms,
        stream_id: String,
        events: Sink,
        ctx: &mut Context<Self>,
    ) {
        let Registration {
            info, suppressed, ..
        } = registration;
        let shown = Shown::new(info.clone());
        let weak = events.downgrade();
        let process = SchedulerStream::new(ctx.upid().clone(), events, shown.clone());
        let scheduler = ctx.node().spawn_anonymous(process);
        let subscribe = api::master::Subscribe {
            info,
            suppressed,
            scheduler: scheduler.clone(),
        };
        match self.subscribe(subscribe, terms, ctx) {
            Ok(id) => {
                if let Some(framework) = self.books.framework_mut(&id) {
                    framework.stream = Some(Stream {
                        id: stream_id,
                        events: weak,
                        shown,
                    });
                }
            }
            Err(refused) => {
                let reason = refused.to_string();
                tracing::info!(%scheduler, reason, "subscription refused");
                ctx.tell(&scheduler, api::scheduler::Rejected { reason });
            }
        }
    }
}

/// A framework that names itself twice has to name the same.
fn same_framework(call: &Call) -> Result<(), Refusal> {
    let (field, info) = match (&call.subscribe, &call.update_framework) {
        (Some(subscribe), _) if call.kind == Some(CallType::Subscribe) => {
            ("subscribe.framework_info.id", &subscribe.framework_info)
        }
        (_, Some(update)) if call.kind == Some(CallType::UpdateFramework) => {
            ("update_framework.framework_info.id", &update.framework_info)
        }
        _ => return Ok(()),
    };
    let named = |id: &Option<api::v1::FrameworkId>| id.as_ref().map(|id| id.value.clone());
    if named(&call.framework_id).unwrap_or_default() == named(&info.id).unwrap_or_default() {
        return Ok(());
    }
    let text = format!("Failed to validate {API}: 'framework_id' differs from '{field}'");
    Err(Refusal::bad(text))
}

/// A framework is its principal's: one that does not name any is the client's who has shown who it
/// is.
fn claim(call: &mut Call, principal: Option<Principal>) -> Result<(), Refusal> {
    let (Some(shown), Some(subscribe)) = (principal, &mut call.subscribe) else {
        return Ok(());
    };
    let named = subscribe.framework_info.principal.get_or_insert_with(|| {
        tracing::warn!(principal = %shown, "framework without a principal is its client's");
        shown.0.clone()
    });
    if *named == shown.0 {
        return Ok(());
    }
    let text = not_yours(&shown, named);
    Err(Refusal::bad(format!("Failed to validate {API}: {text}")))
}

/// What a framework says of itself in SUBSCRIBE.
fn registration(call: Call) -> Result<Registration, String> {
    match SchedulerCall::try_from(call).map_err(|unfit| unfit.to_string())? {
        SchedulerCall::Subscribe(registration) => {
            check_suppressed(&registration, "subscribe")?;
            Ok(registration)
        }
        _ => Err("the call is no subscription".to_owned()),
    }
}

/// Only roles of the framework can be suppressed.
fn check_suppressed(registration: &Registration, field: &str) -> Result<(), String> {
    let Registration {
        info, suppressed, ..
    } = registration;
    let strange = suppressed.iter().find(|role| !info.roles.contains(role));
    strange.map_or(Ok(()), |role| {
        Err(format!(
            "Suppressed role '{role}' is not contained in the list of roles \
             (in '{field}.suppressed_roles')"
        ))
    })
}

fn unfit(field: &str, text: String) -> Unfit {
    let field = field.to_owned();
    Unfit { field, text }
}
