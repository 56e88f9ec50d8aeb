//! What the session tells the master, as calls of the v1 API.

use api::v1::scheduler::{Call, CallBody, call};
use api::v1::{AgentId, ExecutorId, Filters, OfferId, OfferOperation, TaskId};
use types::{FrameworkId, Role};

use crate::session::ToMaster;

/// The call that says what a message says.
pub(super) fn call(message: &ToMaster) -> Call {
    let (framework_id, body) = match message {
        ToMaster::Subscribe(info, suppressed) => {
            let subscribe = call::Subscribe {
                framework_info: (&**info).into(),
                suppressed_roles: roles(suppressed),
                offer_constraints: None,
            };
            (info.id.as_ref(), CallBody::Subscribe(subscribe))
        }
        ToMaster::Accept(accept) => {
            let operations = accept.operations.iter().map(OfferOperation::from);
            let body = call::Accept {
                offer_ids: accept.offer_ids.iter().map(OfferId::from).collect(),
                operations: operations.collect(),
                filters: Some(Filters::from(&accept.filters)),
            };
            (Some(&accept.framework_id), CallBody::Accept(body))
        }
        ToMaster::Decline(decline) => {
            let body = call::Decline {
                offer_ids: decline.offer_ids.iter().map(OfferId::from).collect(),
                filters: Some(Filters::from(&decline.filters)),
            };
            (Some(&decline.framework_id), CallBody::Decline(body))
        }
        ToMaster::Revive(revive) => {
            let roles = roles(&revive.roles);
            let body = CallBody::Revive(call::Revive { roles });
            (Some(&revive.framework_id), body)
        }
        ToMaster::Suppress(suppress) => {
            let roles = roles(&suppress.roles);
            let body = CallBody::Suppress(call::Suppress { roles });
            (Some(&suppress.framework_id), body)
        }
        ToMaster::Kill(kill) => {
            let body = call::Kill {
                task_id: (&kill.task_id).into(),
                agent_id: kill.agent_id.as_ref().map(AgentId::from),
                kill_policy: kill.kill_policy.as_ref().map(Into::into),
            };
            (Some(&kill.framework_id), CallBody::Kill(body))
        }
        ToMaster::ShutdownExecutor(shutdown) => {
            let body = call::Shutdown {
                executor_id: (&shutdown.executor_id).into(),
                agent_id: (&shutdown.agent_id).into(),
            };
            (Some(&shutdown.framework_id), CallBody::Shutdown(body))
        }
        ToMaster::Acknowledge(acknowledge) => {
            let body = call::Acknowledge {
                agent_id: (&acknowledge.agent_id).into(),
                task_id: (&acknowledge.task_id).into(),
                uuid: acknowledge.update_id.as_uuid().into_bytes().to_vec().into(),
            };
            (Some(&acknowledge.framework_id), CallBody::Acknowledge(body))
        }
        ToMaster::Reconcile(reconcile) => {
            let tasks = reconcile.tasks.iter().map(|task| call::ReconcileTask {
                task_id: TaskId::from(&task.task_id),
                agent_id: task.agent_id.as_ref().map(AgentId::from),
            });
            let body = call::Reconcile {
                tasks: tasks.collect(),
            };
            (Some(&reconcile.framework_id), CallBody::Reconcile(body))
        }
        ToMaster::ToExecutor(message) => {
            let body = call::Message {
                agent_id: AgentId::from(&message.agent_id),
                executor_id: ExecutorId::from(&message.executor_id),
                data: message.data.clone().into(),
            };
            (Some(&message.framework_id), CallBody::Message(body))
        }
    };
    named(framework_id, body)
}

/// The call that says that a framework is done.
pub(super) fn teardown(framework_id: &FrameworkId) -> Call {
    named(Some(framework_id), CallBody::Teardown)
}

fn named(framework_id: Option<&FrameworkId>, body: CallBody) -> Call {
    Call {
        framework_id: framework_id.map(Into::into),
        ..Call::from(body)
    }
}

fn roles(roles: &[Role]) -> Vec<String> {
    roles.iter().map(Role::to_string).collect()
}

#[cfg(test)]
mod tests {
    use api::master::{
        Accept, Acknowledge, Decline, Kill, Reconcile, ReconcileTask, Revive, ShutdownExecutor,
        Suppress, ToExecutor,
    };
    use api::v1::convert::SchedulerCall;
    use api::v1::{Encoding, Message as _};
    use types::{FrameworkInfo, KillPolicy, Operation, Resources, TaskInfo, UpdateId};

    use super::*;

    fn framework_id() -> FrameworkId {
        FrameworkId::new("framework").unwrap()
    }

    /// As the master reads it.
    fn heard(call: &Call) -> SchedulerCall {
        let body = Encoding::Protobuf.encode(call);
        assert!(call.check().is_ok(), "{call:?}");
        SchedulerCall::try_from(Call::from_protobuf(&body).unwrap()).unwrap()
    }

    #[test]
    fn the_master_hears_over_http_what_it_would_hear_by_letter() {
        let offer_ids = vec![types::OfferId::new("offer").unwrap()];
        let (agent_id, executor_id) = (
            types::AgentId::new("agent").unwrap(),
            types::ExecutorId::new("executor").unwrap(),
        );
        let task_id = types::TaskId::new("task").unwrap();
        let (framework_id, filters) = (framework_id(), types::Filters::default());

        let decline = Decline {
            framework_id: framework_id.clone(),
            offer_ids: offer_ids.clone(),
            filters,
        };
        let said = call(&ToMaster::Decline(decline.clone()));
        assert_eq!(heard(&said), SchedulerCall::Decline(decline));

        let roles = vec![Role::new("dev").unwrap()];
        let revive = Revive {
            framework_id: framework_id.clone(),
            roles: roles.clone(),
        };
        let said = call(&ToMaster::Revive(revive.clone()));
        assert_eq!(heard(&said), SchedulerCall::Revive(revive));

        let suppress = Suppress {
            framework_id: framework_id.clone(),
            roles,
        };
        let said = call(&ToMaster::Suppress(suppress.clone()));
        assert_eq!(heard(&said), SchedulerCall::Suppress(suppress));

        let kill = Kill {
            framework_id: framework_id.clone(),
            task_id: task_id.clone(),
            agent_id: Some(agent_id.clone()),
            kill_policy: Some(KillPolicy {
                grace_period: std::time::Duration::from_millis(1_500),
            }),
        };
        let said = call(&ToMaster::Kill(kill.clone()));
        assert_eq!(heard(&said), SchedulerCall::Kill(kill));

        let shutdown = ShutdownExecutor {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            executor_id: executor_id.clone(),
        };
        let said = call(&ToMaster::ShutdownExecutor(shutdown.clone()));
        assert_eq!(heard(&said), SchedulerCall::Shutdown(shutdown));

        let acknowledge = Acknowledge {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            task_id: task_id.clone(),
            update_id: UpdateId::random(),
        };
        let said = call(&ToMaster::Acknowledge(acknowledge.clone()));
        assert_eq!(heard(&said), SchedulerCall::Acknowledge(acknowledge));

        let reconcile = Reconcile {
            framework_id: framework_id.clone(),
            tasks: vec![ReconcileTask {
                task_id: task_id.clone(),
                agent_id: None,
            }],
        };
        let said = call(&ToMaster::Reconcile(reconcile.clone()));
        assert_eq!(heard(&said), SchedulerCall::Reconcile(reconcile));

        let message = ToExecutor {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            executor_id,
            data: vec![0, 1, 255],
        };
        let said = call(&ToMaster::ToExecutor(message.clone()));
        assert_eq!(heard(&said), SchedulerCall::Message(message));

        let teardown = teardown(&framework_id);
        let expected = SchedulerCall::Teardown(api::master::Teardown { framework_id });
        assert_eq!(heard(&teardown), expected);
    }

    #[test]
    fn what_is_launched_over_http_is_what_is_launched_by_letter() {
        let offer = crate::testing::offer("agent", Resources::new().cpus(2.0).mem_mib(64));
        let task: TaskInfo = crate::Calls::default().describe(
            crate::Task::command("sleep 1", &Resources::new().cpus(0.5).mem_mib(32)).data("words"),
            &offer,
        );
        let accept = Accept {
            framework_id: framework_id(),
            offer_ids: vec![offer.id],
            operations: vec![Operation::Launch {
                tasks: vec![task.clone()],
            }],
            filters: types::Filters::default(),
        };
        let SchedulerCall::Accept(heard) = heard(&call(&ToMaster::Accept(accept))) else {
            panic!("it is no ACCEPT");
        };
        let operation = heard.operations[0].operation.clone();
        assert_eq!(operation, Ok(Operation::Launch { tasks: vec![task] }));
    }

    #[test]
    fn who_comes_back_says_so_twice() {
        let info = FrameworkInfo {
            id: Some(framework_id()),
            ..FrameworkInfo::new("framework")
        };
        let suppressed = vec![Role::any()];
        let said = call(&ToMaster::Subscribe(Box::new(info.clone()), suppressed));
        assert_eq!(said.framework_id, Some((&framework_id()).into()));
        let SchedulerCall::Subscribe(heard) = heard(&said) else {
            panic!("it is no SUBSCRIBE");
        };
        assert_eq!(
            (heard.info.id, heard.suppressed),
            (info.id, vec![Role::any()])
        );
    }
}
