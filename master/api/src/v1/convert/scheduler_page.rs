//! The scheduler API and the pages of master and scheduler.

use types::{Filters, FrameworkId, FrameworkInfo, OfferId, Operation, Reason, Role, TaskId};

use super::{At, Unfit, all, optional};
use crate::executor::Exit;
use crate::master::{Acknowledge, Decline, Kill, Reconcile, ReconcileTask, Revive};
use crate::master::{ShutdownExecutor, Suppress, Teardown, ToExecutor};
use crate::scheduler as page;
use crate::v1::scheduler::{Call, CallBody, Event, EventBody, OfferConstraints, event};
use crate::v1::{Offer, OfferOperation};

/// A call of a scheduler in our own nouns.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub enum SchedulerCall {
    /// Make this framework one of the cluster's, or take it over when it has an id.
    Subscribe(Registration),
    /// Change what is known of the framework.
    UpdateFramework(Registration),
    /// The framework is done.
    Teardown(Teardown),
    /// Use these offers.
    Accept(Accept),
    /// Give these offers back.
    Decline(Decline),
    /// Forget filters and suppression.
    Revive(Revive),
    /// Make no offers.
    Suppress(Suppress),
    /// End this task.
    Kill(Kill),
    /// End this executor and its tasks.
    Shutdown(ShutdownExecutor),
    /// The framework has seen this update.
    Acknowledge(Acknowledge),
    /// Say what is known of these tasks.
    Reconcile(Reconcile),
    /// Words for an executor.
    Message(ToExecutor),
    /// A call for which there are no nouns: of inverse offers, operations, requests.
    Other(FrameworkId, CallBody),
}

/// What a framework says of itself when it subscribes, or changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The framework.
    pub info: FrameworkInfo,
    /// The roles that get no offers at first.
    pub suppressed: Vec<Role>,
    /// Which agents it wants to be offered.
    pub offer_constraints: Option<OfferConstraints>,
}

/// What a framework does with offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Accept {
    /// The framework.
    pub framework_id: FrameworkId,
    /// The offers, all of one agent and role.
    pub offer_ids: Vec<OfferId>,
    /// What to do with them, in order.
    pub operations: Vec<AskedOperation>,
    /// How long what is left over is refused.
    pub filters: Filters,
}

/// An operation, or why it cannot be one: one that is wrong does not spoil the others.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedOperation {
    /// Names it for the news of it that the framework wants to have.
    pub id: Option<String>,
    /// The tasks it would launch, as far as they can be named, for the news that they are not.
    pub tasks: Vec<TaskId>,
    /// Why they are not launched, should one of them be wrong.
    pub reason: Reason,
    /// The operation.
    pub operation: Result<Operation, Unfit>,
}

impl TryFrom<Call> for SchedulerCall {
    type Error = Unfit;

    fn try_from(call: Call) -> Result<Self, Unfit> {
        let named = call.framework_id.clone();
        let absent = || Unfit::new("framework_id", "Expecting 'framework_id' to be present");
        let framework_id = || {
            let id = named.clone().ok_or_else(absent)?;
            FrameworkId::try_from(id).at("framework_id")
        };
        let body = call
            .into_body()
            .map_err(|fault| Unfit::new(fault.field, fault.text))?;
        Ok(match body {
            CallBody::Subscribe(subscribe) => Self::Subscribe(Registration {
                info: subscribe
                    .framework_info
                    .try_into()
                    .at("subscribe.framework_info")?,
                suppressed: roles(subscribe.suppressed_roles, "subscribe.suppressed_roles")?,
                offer_constraints: subscribe.offer_constraints,
            }),
            CallBody::UpdateFramework(update) => Self::UpdateFramework(Registration {
                info: update
                    .framework_info
                    .try_into()
                    .at("update_framework.framework_info")?,
                suppressed: roles(update.suppressed_roles, "update_framework.suppressed_roles")?,
                offer_constraints: update.offer_constraints,
            }),
            CallBody::Teardown => Self::Teardown(Teardown {
                framework_id: framework_id()?,
            }),
            CallBody::Accept(accept) => Self::Accept(Accept {
                framework_id: framework_id()?,
                offer_ids: all(accept.offer_ids, OfferId::try_from).at("accept.offer_ids")?,
                operations: accept
                    .operations
                    .into_iter()
                    .enumerate()
                    .map(operation)
                    .collect(),
                filters: accept.filters.map(Filters::from).unwrap_or_default(),
            }),
            CallBody::Decline(decline) => Self::Decline(Decline {
                framework_id: framework_id()?,
                offer_ids: all(decline.offer_ids, OfferId::try_from).at("decline.offer_ids")?,
                filters: decline.filters.map(Filters::from).unwrap_or_default(),
            }),
            CallBody::Revive(revive) => Self::Revive(Revive {
                framework_id: framework_id()?,
                roles: roles(revive.roles, "revive.roles")?,
            }),
            CallBody::Suppress(suppress) => Self::Suppress(Suppress {
                framework_id: framework_id()?,
                roles: roles(suppress.roles, "suppress.roles")?,
            }),
            CallBody::Kill(kill) => Self::Kill(Kill {
                framework_id: framework_id()?,
                task_id: kill.task_id.try_into().at("kill.task_id")?,
                agent_id: optional(kill.agent_id, "kill.agent_id")?,
                kill_policy: super::command::kill_policy(kill.kill_policy).at("kill")?,
            }),
            CallBody::Shutdown(shutdown) => Self::Shutdown(ShutdownExecutor {
                framework_id: framework_id()?,
                agent_id: shutdown.agent_id.try_into().at("shutdown.agent_id")?,
                executor_id: shutdown.executor_id.try_into().at("shutdown.executor_id")?,
            }),
            CallBody::Acknowledge(acknowledge) => Self::Acknowledge(Acknowledge {
                framework_id: framework_id()?,
                agent_id: acknowledge.agent_id.try_into().at("acknowledge.agent_id")?,
                task_id: acknowledge.task_id.try_into().at("acknowledge.task_id")?,
                update_id: super::update_id(&acknowledge.uuid).at("acknowledge.uuid")?,
            }),
            CallBody::Reconcile(reconcile) => {
                let tasks = all(reconcile.tasks, |task| {
                    Ok::<_, Unfit>(ReconcileTask {
                        task_id: task.task_id.try_into().at("task_id")?,
                        agent_id: optional(task.agent_id, "agent_id")?,
                    })
                });
                let tasks = tasks.at("reconcile.tasks")?;
                Self::Reconcile(Reconcile {
                    framework_id: framework_id()?,
                    tasks,
                })
            }
            CallBody::Message(message) => Self::Message(ToExecutor {
                framework_id: framework_id()?,
                agent_id: message.agent_id.try_into().at("message.agent_id")?,
                executor_id: message.executor_id.try_into().at("message.executor_id")?,
                data: message.data.into(),
            }),
            other @ (CallBody::AcceptInverseOffers(_)
            | CallBody::DeclineInverseOffers(_)
            | CallBody::AcknowledgeOperationStatus(_)
            | CallBody::ReconcileOperations(_)
            | CallBody::Request(_)) => Self::Other(framework_id()?, other),
        })
    }
}

fn roles(roles: Vec<String>, field: &str) -> Result<Vec<Role>, Unfit> {
    all(roles, Role::new).at(field)
}

fn operation((i, message): (usize, OfferOperation)) -> AskedOperation {
    let launched = message.launch.iter().flat_map(|launch| &launch.task_infos);
    let grouped = message
        .launch_group
        .iter()
        .flat_map(|group| &group.task_group.tasks);
    let tasks = launched.chain(grouped);
    let tasks = tasks
        .filter_map(|task| task.task_id.value.parse().ok())
        .collect();
    let id = message.id.as_ref().map(|id| id.value.clone());
    let reason = match message.launch_group {
        Some(_) => Reason::TaskGroupInvalid,
        None => Reason::TaskInvalid,
    };
    let operation = Operation::try_from(message).at(&format!("accept.operations[{i}]"));
    AskedOperation {
        id,
        tasks,
        reason,
        operation,
    }
}

impl From<&page::Subscribed> for Event {
    fn from(subscribed: &page::Subscribed) -> Self {
        EventBody::Subscribed(event::Subscribed {
            framework_id: (&subscribed.framework_id).into(),
            heartbeat_interval_seconds: None,
            master_info: Some(Box::new((&subscribed.master).into())),
        })
        .into()
    }
}

impl Event {
    /// Returns offers as their framework shall see them.
    pub fn offers(offers: &page::Offers, framework: &FrameworkInfo) -> Self {
        let offers = offers
            .offers
            .iter()
            .map(|offer| Offer::for_framework(offer, framework));
        EventBody::Offers(event::Offers {
            offers: offers.collect(),
        })
        .into()
    }
}

impl From<&page::Rescind> for Event {
    fn from(rescind: &page::Rescind) -> Self {
        EventBody::Rescind(event::Rescind {
            offer_id: (&rescind.offer_id).into(),
        })
        .into()
    }
}

impl From<&page::Update> for Event {
    fn from(update: &page::Update) -> Self {
        EventBody::Update(event::Update {
            status: (&update.status).into(),
        })
        .into()
    }
}

impl From<&page::Failure> for Event {
    fn from(failure: &page::Failure) -> Self {
        EventBody::Failure(event::Failure {
            agent_id: Some((&failure.agent_id).into()),
            executor_id: failure.executor_id.as_ref().map(Into::into),
            status: failure.exit.and_then(wait_status),
        })
        .into()
    }
}

/// The status as `wait(2)` has it.
fn wait_status(exit: Exit) -> Option<i32> {
    match exit {
        Exit::Code(code) => Some((code & 0xff) << 8),
        Exit::Signal(signal) => Some(signal & 0x7f),
        Exit::Unknown => None,
    }
}

impl From<&page::FromExecutor> for Event {
    fn from(message: &page::FromExecutor) -> Self {
        EventBody::Message(event::Message {
            agent_id: (&message.agent_id).into(),
            executor_id: (&message.executor_id).into(),
            data: message.data.clone().into(),
        })
        .into()
    }
}

impl From<&page::Rejected> for Event {
    fn from(rejected: &page::Rejected) -> Self {
        EventBody::Error(event::Error {
            message: rejected.reason.clone(),
        })
        .into()
    }
}
