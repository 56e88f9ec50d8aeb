//! ACCEPT over HTTP: what can be put into our words is carried out, all else is refused one by one.

use api::v1::convert::Accept;
use api::v1::scheduler::{Call, Event, EventBody, event};
use api::v1::{
    Launch, OfferOperation, OfferOperationType, OperationState, OperationStatus, TaskInfo,
};
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{Reason, Source, TaskId, TaskState, TaskStatus};

use super::scheduler::Caller;
use crate::process::MasterProcess;

impl MasterProcess {
    /// What is said of an operation, none of which are kept: it depends on where it would be.
    pub(super) fn word_on_operation(
        &self,
        agent_id: Option<&api::v1::AgentId>,
    ) -> (OperationState, &'static str) {
        let id = agent_id.and_then(|id| types::AgentId::new(id.value.as_str()).ok());
        match id {
            Some(id) if self.books.is_gone(&id) => {
                let text = "Reconciliation: Agent marked gone by operator";
                (OperationState::GoneByOperator, text)
            }
            Some(id) if self.books.unreachable_agent(&id).is_some() => {
                let text = "Reconciliation: Agent is unreachable";
                (OperationState::Unreachable, text)
            }
            Some(id) if self.is_learning() && self.books.agent(&id).is_none() => {
                let text = "Reconciliation: Agent is recovered but has not re-registered";
                match self.ids.gave(id.as_str()) {
                    true => (
                        OperationState::Unknown,
                        "Reconciliation: Operation is unknown",
                    ),
                    false => (OperationState::Recovering, text),
                }
            }
            Some(_) | None => (
                OperationState::Unknown,
                "Reconciliation: Operation is unknown",
            ),
        }
    }

    pub(super) fn accept_over_http(
        &mut self,
        accept: Accept,
        caller: &Caller,
        ctx: &mut Context<Self>,
    ) {
        let Accept {
            framework_id,
            offer_ids,
            operations: asked,
            filters,
        } = accept;
        let mut operations = Vec::new();
        for asked in asked {
            let feedback =
                asked.operation.as_ref().is_ok_and(|o| !o.launches()) || asked.tasks.is_empty();
            let fault = match asked.operation {
                Ok(operation) if operation.launches() && asked.id.is_none() => {
                    operations.push(operation);
                    continue;
                }
                Ok(operation) if operation.launches() => {
                    let name = operation.name();
                    format!("The `id` field cannot be set on {name} operations")
                }
                Ok(operation) => {
                    let text = format!("{} is not supported yet", operation.name());
                    operations.push(operation);
                    text
                }
                Err(unfit) => unfit.to_string(),
            };
            tracing::info!(framework = %framework_id, fault, "operation refused");
            let first = offer_ids.first().and_then(|id| self.books.offer(id));
            let ours = first.filter(|offer| offer.framework_id == framework_id);
            let agent_id = ours.map(|offer| offer.agent_id.clone());
            for task_id in asked.tasks {
                let fault = (asked.reason, fault.as_str());
                self.refuse_task(task_id, agent_id.clone(), fault, caller, ctx);
            }
            if let Some(value) = asked.id.filter(|_| feedback) {
                let status = OperationStatus {
                    operation_id: Some(api::v1::OperationId { value }),
                    state: OperationState::Error,
                    message: Some(fault),
                    agent_id: agent_id.as_ref().map(Into::into),
                    ..OperationStatus::default()
                };
                tell_of_operation(status, caller, ctx);
            }
        }
        let message = api::master::Accept {
            framework_id,
            offer_ids,
            operations,
            filters,
        };
        self.handle(message, ctx);
    }

    /// A task that cannot be put into our words is as wrong as any other wrong one.
    fn refuse_task(
        &mut self,
        task_id: TaskId,
        agent_id: Option<types::AgentId>,
        (reason, fault): (Reason, &str),
        caller: &Caller,
        ctx: &Context<Self>,
    ) {
        self.metrics.tasks_refused += 1;
        self.metrics.ended(TaskState::Error);
        let (state, source) = (TaskState::Error, Source::Master);
        let mut status = TaskStatus::new(task_id, state, source, unix_ms()).because(reason, fault);
        status.agent_id = agent_id;
        self.update(&caller.framework_id, status, ctx);
    }
}

/// Tells a scheduler of an operation. One that does not read loses its stream.
pub(super) fn tell_of_operation(
    status: OperationStatus,
    caller: &Caller,
    ctx: &Context<MasterProcess>,
) {
    let event = EventBody::UpdateOperationStatus(event::UpdateOperationStatus { status });
    let events = caller.stream.events.upgrade();
    if events.is_some_and(|events| events.send(&Event::from(event)).is_err()) {
        ctx.node().terminate(&caller.upid);
    }
}

/// Makes an operation of each task that is launched: one that is wrong does not spoil the others.
pub(super) fn split_launches(call: &mut Call) {
    let Some(accept) = &mut call.accept else {
        return;
    };
    let several = |operation: &OfferOperation| {
        let launch = operation.launch.as_ref();
        operation.kind == Some(OfferOperationType::Launch)
            && operation.id.is_none()
            && launch.is_some_and(|launch| launch.task_infos.len() > 1)
    };
    let operations = std::mem::take(&mut accept.operations);
    accept.operations = operations
        .into_iter()
        .flat_map(|operation| {
            if !several(&operation) {
                return vec![operation];
            }
            let tasks = operation.launch.map(|launch| launch.task_infos);
            tasks.into_iter().flatten().map(launch_of).collect()
        })
        .collect();
}

fn launch_of(task: TaskInfo) -> OfferOperation {
    let task_infos = vec![task];
    OfferOperation {
        kind: Some(OfferOperationType::Launch),
        launch: Some(Launch { task_infos }),
        ..OfferOperation::default()
    }
}
