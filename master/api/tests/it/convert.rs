//! Our nouns and the public API: what goes out comes back, and what comes in is kept.

use api::v1::convert::{ExecutorCall, ResourceFormat, SchedulerCall, resources_for};
use api::v1::scheduler::{Call, Event};
use api::v1::{
    self, Encoding, ExecutorInfo, FrameworkInfo, Message, Offer, OfferOperation, Resource, Task,
    TaskInfo, TaskStatus,
};
use api::{agent, executor, scheduler};
use proptest::prelude::*;
use types::{FrameworkCapability, Operation, Role};

use crate::corpus;
use crate::nouns;

/// Out into the public API, through both encodings, and back.
fn returns<N, M>(noun: N) -> Result<(), TestCaseError>
where
    N: Clone + PartialEq + std::fmt::Debug + TryFrom<M>,
    <N as TryFrom<M>>::Error: std::fmt::Debug,
    M: Message + for<'a> From<&'a N>,
{
    let message = M::from(&noun);
    for encoding in Encoding::ALL {
        let read: M = encoding.decode(&encoding.encode(&message)).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(&N::try_from(read).unwrap(), &noun);
    }
    Ok(())
}

proptest! {
    #[test]
    fn tasks_to_launch_return(task in nouns::task_info()) {
        returns::<_, TaskInfo>(task)?;
    }

    #[test]
    fn tasks_return(task in nouns::task()) {
        returns::<_, Task>(task)?;
    }

    #[test]
    fn statuses_return(status in nouns::status()) {
        returns::<_, TaskStatus>(status)?;
    }

    #[test]
    fn executors_return(executor in nouns::executor()) {
        returns::<_, ExecutorInfo>(executor)?;
    }

    #[test]
    fn frameworks_return(framework in nouns::framework()) {
        returns::<_, FrameworkInfo>(framework)?;
    }

    #[test]
    fn agents_return(agent in nouns::agent()) {
        returns::<_, v1::AgentInfo>(agent)?;
    }

    #[test]
    fn masters_return(master in nouns::master()) {
        returns::<_, v1::MasterInfo>(master)?;
    }

    #[test]
    fn operations_return(operation in nouns::operation()) {
        returns::<_, OfferOperation>(operation)?;
    }

    #[test]
    fn offers_return(offer in nouns::offer(), framework in nouns::framework()) {
        let mut framework = framework;
        framework.capabilities.insert(FrameworkCapability::MultiRole);
        framework.capabilities.insert(FrameworkCapability::ReservationRefinement);
        let message = Offer::for_framework(&offer, &framework);
        prop_assert_eq!(types::Offer::try_from(message), Ok(offer));
    }

    #[test]
    fn resources_return_in_every_format(resources in nouns::resources()) {
        for format in [ResourceFormat::PostRefinement, ResourceFormat::Endpoint] {
            let messages = resources_for(&resources, format, Some(&Role::any()));
            prop_assert_eq!(&read_resources(messages), &resources);
        }
        let refined = resources.iter().any(|resource| resource.has_refined_reservation());
        if !refined {
            let messages = resources_for(&resources, ResourceFormat::PreRefinement, None);
            prop_assert!(messages.iter().all(|message| message.reservations.is_empty()));
            prop_assert_eq!(&read_resources(messages), &resources);
        }
    }
}

fn read_resources(messages: Vec<Resource>) -> types::Resources {
    let resources = messages
        .into_iter()
        .map(|message| types::Resource::try_from(message).unwrap());
    types::Resources::try_from(resources.collect::<Vec<_>>()).unwrap()
}

/// The tasks of the corpus: with containers, checks and all.
fn tasks() -> Vec<TaskInfo> {
    let launches = corpus::calls().into_iter().filter_map(|call| call.accept);
    let operations = launches.flat_map(|accept| accept.operations);
    operations
        .filter_map(|operation| operation.launch)
        .flat_map(|l| l.task_infos)
        .collect()
}

#[test]
fn what_no_noun_has_goes_through_our_nouns_unchanged() {
    let tasks = tasks();
    assert!(
        tasks
            .iter()
            .any(|task| task.health_check.is_some() && task.check.is_some())
    );
    assert!(tasks.iter().any(|task| {
        task.executor
            .as_ref()
            .is_some_and(|e| e.container.is_some())
    }));
    for task in tasks {
        let mut expected = task.clone();
        // A limit that is infinite is none.
        expected.limits.retain(|_, limit| limit.value.is_finite());
        if let Some(uri) = expected
            .command
            .as_mut()
            .and_then(|command| command.uris.first_mut())
        {
            uri.executable = Some(uri.executable.unwrap_or_default());
        }
        let noun = types::TaskInfo::try_from(task).unwrap();
        assert_eq!(TaskInfo::from(&noun), expected);
        // And through the memory of master and agent.
        let framework_id = types::FrameworkId::new("f").unwrap();
        let task = types::Task::staging(&noun, framework_id, Role::any(), None);
        let message = Task::from(&task);
        assert_eq!(message.container, expected.container);
        assert_eq!(message.health_check, expected.health_check);
        assert_eq!(message.discovery, expected.discovery);
        assert_eq!(message.kill_policy, expected.kill_policy);
        assert_eq!(message.limits, expected.limits);
    }
}

#[test]
fn a_status_keeps_its_networks_its_checks_and_its_limitation() {
    let events = include_str!("../fixtures/scheduler_events.jsonl").lines();
    let updates = events.filter_map(|line| Event::from_json(line.as_bytes()).unwrap().update);
    let mut seen = 0;
    for update in updates {
        let noun = types::TaskStatus::try_from(update.status.clone()).unwrap();
        assert_eq!(TaskStatus::from(&noun), update.status);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn a_framework_keeps_its_offer_filters() {
    let call = corpus::calls().remove(0);
    let message = call.subscribe.clone().unwrap().framework_info;
    assert!(!message.offer_filters.is_empty());
    let SchedulerCall::Subscribe(registration) = SchedulerCall::try_from(call).unwrap() else {
        panic!("the first of the corpus subscribes");
    };
    assert_eq!(FrameworkInfo::from(&registration.info), message);
    assert_eq!(registration.suppressed, [Role::new("web/front").unwrap()]);
}

#[test]
fn every_call_of_a_scheduler_is_one_of_ours() {
    for call in corpus::calls() {
        let kind = call.kind.unwrap();
        match SchedulerCall::try_from(call).unwrap() {
            SchedulerCall::Accept(accept) => {
                for asked in accept.operations {
                    match asked.operation {
                        Ok(Operation::Launch { tasks }) => {
                            let ids: Vec<_> = tasks.into_iter().map(|task| task.task_id).collect();
                            assert_eq!(asked.tasks, ids);
                        }
                        Ok(_) => {}
                        Err(unfit) => {
                            let place = unfit.field.strip_prefix("accept.operations[").unwrap();
                            let field = place.split_once("].").unwrap().1;
                            assert!(["type", "reserve.source"].contains(&field), "{unfit}");
                        }
                    }
                }
            }
            SchedulerCall::Kill(kill) => assert_eq!(kill.task_id.as_str(), "t1"),
            SchedulerCall::Other(_, body) => assert_eq!(body.kind(), kind),
            _ => {}
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_field() {
    let call = |text: &str| {
        let call = Call::from_json(text.as_bytes()).unwrap();
        SchedulerCall::try_from(call).unwrap_err().to_string()
    };
    assert_eq!(
        call(
            r#"{"framework_id":{"value":"f"},"type":"ACKNOWLEDGE","acknowledge":{"uuid":"c2hvcnQ=",
                "agent_id":{"value":"a"},"task_id":{"value":"t"}}}"#
        ),
        "'acknowledge.uuid': Not a valid UUID"
    );
    assert_eq!(
        call(r#"{"framework_id":{"value":"f"},"type":"KILL","kill":{"task_id":{"value":"../t"}}}"#),
        "'kill.task_id.value': an id may not contain '/'"
    );
    let subscribe = |info: &str| {
        call(&format!(
            r#"{{"type":"SUBSCRIBE","subscribe":{{"framework_info":{info}}}}}"#
        ))
    };
    assert_eq!(
        subscribe(
            r#"{"user":"u","name":"n","capabilities":{"type":"MULTI_ROLE"},"roles":["a","/b"]}"#
        ),
        "'subscribe.framework_info.roles[1]': a role may not be empty, nor begin, end or double \
         its slashes"
    );
    assert_eq!(
        subscribe(r#"{"user":"u","name":"n","failover_timeout":-1}"#),
        "'subscribe.framework_info.failover_timeout': -1 is no time to wait"
    );
    let task = TaskInfo::from_json(
        br#"{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},
             "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]}"#,
    );
    let unfit = types::TaskInfo::try_from(task.unwrap()).unwrap_err();
    assert_eq!(unfit.field, "resources[0].scalar.value");
    let command = r#"{"environment":{"variables":[{"name":"A","value":"a"},
                      {"name":"S","type":"SECRET","secret":{"type":"VALUE"}}]}}"#;
    let command = v1::CommandInfo::from_json(command.as_bytes()).unwrap();
    let unfit = types::CommandInfo::try_from(command).unwrap_err();
    assert_eq!(unfit.field, "environment.variables[1].secret");
}

#[test]
fn resources_of_no_amount_and_without_a_role_are_taken() {
    let task = TaskInfo::from_json(
        br#"{"name":"t","task_id":{"value":"1:2:1"},"agent_id":{"value":"a"},"resources":[
             {"name":"gpus","type":"SCALAR","scalar":{"value":0.0}},
             {"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"*"},
             {"name":"mem","type":"SCALAR","scalar":{"value":32},"role":"web",
              "reservation":{"principal":"p"}}]}"#,
    );
    let noun = types::TaskInfo::try_from(task.unwrap()).unwrap();
    let expected = "cpus:1; mem(reservations: [(DYNAMIC,web,p)]):32";
    assert_eq!(noun.resources.to_string(), expected);
}

#[test]
fn an_offer_is_told_as_its_framework_knows_offers() {
    let offer = types::Offer {
        id: types::OfferId::new("o").unwrap(),
        framework_id: types::FrameworkId::new("f").unwrap(),
        agent_id: types::AgentId::new("a").unwrap(),
        hostname: "node1".to_owned(),
        role: Role::new("web").unwrap(),
        resources: "cpus:1;mem(web):5".parse().unwrap(),
        attributes: types::Attributes::new(),
        executor_ids: Vec::new(),
        agent_address: "10.0.0.1:5051".to_owned(),
    };
    let mut framework = types::FrameworkInfo::new("f");
    framework.capabilities.clear();
    let old = serde_json::to_value(Offer::for_framework(&offer, &framework)).unwrap();
    assert_eq!(old.get("allocation_info"), None);
    assert_eq!(
        old["resources"],
        serde_json::json!([
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "role": "*"},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 5.0}, "role": "web"},
        ])
    );
    assert_eq!(old["url"]["address"]["port"], 5051);
    assert_eq!(old["url"]["path"], "/slave(1)");

    let framework = types::FrameworkInfo::new("f");
    let new = serde_json::to_value(Offer::for_framework(&offer, &framework)).unwrap();
    let web = serde_json::json!({"role": "web"});
    assert_eq!(new["allocation_info"], web);
    assert_eq!(new["resources"][0].get("role"), None);
    assert_eq!(new["resources"][1]["allocation_info"], web);
    let reservation = serde_json::json!([{"type": "STATIC", "role": "web"}]);
    assert_eq!(new["resources"][1]["reservations"], reservation);
}

#[test]
fn what_the_master_says_is_an_event() {
    let agent_id = types::AgentId::new("a").unwrap();
    let exit = Some(executor::Exit::Code(3));
    let failure = scheduler::Failure {
        agent_id,
        executor_id: None,
        exit,
    };
    assert_eq!(
        Event::from(&failure).to_json(),
        r#"{"type":"FAILURE","failure":{"agent_id":{"value":"a"},"status":768}}"#
    );
    let rejected = scheduler::Rejected {
        reason: "no".to_owned(),
    };
    assert_eq!(
        Event::from(&rejected).to_json(),
        r#"{"type":"ERROR","error":{"message":"no"}}"#
    );
    let master = types::MasterInfo {
        id: "m".to_owned(),
        hostname: "localhost".to_owned(),
        address: "127.0.0.1:5050".to_owned(),
        version: "1.2.3".to_owned(),
    };
    let framework_id = types::FrameworkId::new("f").unwrap();
    let subscribed = scheduler::Subscribed {
        framework_id,
        master,
    };
    let subscribed = serde_json::to_value(Event::from(&subscribed)).unwrap();
    let info = &subscribed["subscribed"]["master_info"];
    assert_eq!(
        (&info["ip"], &info["pid"]),
        (&16_777_343.into(), &"master@127.0.0.1:5050".into())
    );
}

#[test]
fn the_calls_of_an_executor_are_ours() {
    let calls = include_str!("../fixtures/executor_calls.jsonl").lines();
    let calls = calls.map(|line| v1::executor::Call::from_json(line.as_bytes()).unwrap());
    let calls: Vec<_> = calls
        .map(|call| ExecutorCall::try_from(call).unwrap())
        .collect();
    let [
        ExecutorCall::Subscribe(again),
        ExecutorCall::Subscribe(first),
        rest @ ..,
    ] = &calls[..]
    else {
        panic!("two subscriptions come first: {calls:?}");
    };
    assert_eq!((again.tasks.len(), again.updates.len()), (1, 1));
    assert_eq!((first.tasks.len(), first.updates.len()), (0, 0));
    let [
        ExecutorCall::Update(update),
        ExecutorCall::Message(message),
        ExecutorCall::Heartbeat,
    ] = rest
    else {
        panic!("an update, a message and a heartbeat follow: {rest:?}");
    };
    let agent::ExecutorUpdate {
        executor_id,
        status,
        ..
    } = update;
    assert_eq!(
        (executor_id.as_str(), status.task_id.as_str()),
        ("exec-1", "t1")
    );
    assert_eq!(message.data, b"hi");
}
