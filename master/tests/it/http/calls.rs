//! Calls of schedulers, and what comes of them.

use api::agent;
use serde_json::json;
use types::TaskState;

use super::*;

#[test]
fn a_task_is_launched_updated_and_acknowledged() {
    http(|world, address| async move {
        let (mut agent, agent_id) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let launch = accept(&offer, &[task_on(&offer, "1:2:1")]);
        scheduler.accepted("ACCEPT", launch).await;
        let run = agent.expect::<agent::RunTask>().await;
        assert_eq!(run.task.task_id.as_str(), "1:2:1");
        assert_eq!(run.framework.user.as_deref(), Some("root"));
        let framework_id = run.framework.id.unwrap();

        let of = (&framework_id, "1:2:1");
        let update_id = world.update(&agent, &agent_id, of, TaskState::Finished);
        let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
        assert_eq!(status["state"], "TASK_FINISHED");
        assert_eq!(status["source"], "SOURCE_EXECUTOR");
        let acknowledge = json!({
            "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"],
        });
        scheduler.accepted("ACKNOWLEDGE", acknowledge).await;
        let acknowledged = agent.expect::<agent::AcknowledgeUpdate>().await;
        assert_eq!(acknowledged.update_id, update_id);
        assert!(world.get_tasks(false).await.is_empty());
    });
}

#[test]
fn calls_may_come_one_after_another_on_one_connection() {
    http(|_, address| async move {
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let mut connection = client::Connection::open(address).await;
        let call = json!({"type": "REVIVE", "framework_id": scheduler.id}).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Mesos-Stream-Id", &scheduler.stream_id),
        ];
        for path in [SCHEDULER, "/master/api/v1/scheduler", "/api/v1/scheduler/"] {
            let line = format!("POST {path}");
            connection.send(&line, &headers, call.as_bytes()).await;
        }
        for _ in 0..3 {
            assert_eq!(connection.answer().await.status, 202);
        }
    });
}

#[test]
fn offers_are_declined_and_come_again_when_the_framework_revives() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        // As some clients write it: one id without a list, and a year and more.
        let decline =
            json!({"offer_ids": offer["id"], "filters": {"refuse_seconds": 4294967295u32}});
        scheduler.accepted("DECLINE", decline).await;
        scheduler.accepted("DECLINE", json!({})).await;
        scheduler
            .accepted("SUPPRESS", json!({"roles": ["*"]}))
            .await;
        scheduler.accepted("REVIVE", Value::Null).await;
        let again = scheduler.offer().await;
        assert_ne!(again["id"], offer["id"]);
        assert_eq!(again["agent_id"], offer["agent_id"]);
    });
}

#[test]
fn a_wrong_task_is_refused_and_the_others_run() {
    http(|world, address| async move {
        let (mut agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let mut wrong = task_on(&offer, "wrong");
        wrong["resources"][0]["scalar"]["value"] = json!(-1.0);
        let mut huge = task_on(&offer, "huge");
        huge["resources"][0]["scalar"]["value"] = json!(1000);
        let tasks = [wrong, huge, task_on(&offer, "good")];
        scheduler.accepted("ACCEPT", accept(&offer, &tasks)).await;
        for (task, text) in [("wrong", "scalar.value"), ("huge", "cpus:1000")] {
            let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
            assert_eq!(status["task_id"]["value"], task);
            assert_eq!(status["state"], "TASK_ERROR");
            assert_eq!(status["reason"], "REASON_TASK_INVALID");
            assert!(status.get("uuid").is_none(), "nobody acknowledges this");
            let message = status["message"].as_str().unwrap();
            assert!(message.contains(text), "{message}");
        }
        let run = agent.expect::<agent::RunTask>().await;
        assert_eq!(run.task.task_id.as_str(), "good");
    });
}

#[test]
fn operations_that_are_not_carried_out_are_refused_with_a_reason() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let reserved = json!({
            "name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0},
            "reservations": [{"type": "DYNAMIC", "role": "dev"}],
        });
        let executor = json!({"type": "DEFAULT", "executor_id": {"value": "pod"}});
        let accept = json!({
            "offer_ids": [offer["id"]],
            "operations": [
                {"type": "RESERVE", "id": {"value": "op-1"}, "reserve": {"resources": [reserved]}},
                {"type": "LAUNCH_GROUP", "launch_group": {
                    "executor": executor, "task_group": {"tasks": [task_on(&offer, "in-a-pod")]},
                }},
            ],
        });
        scheduler.accepted("ACCEPT", accept).await;
        let (mut operation, mut task) = (Value::Null, Value::Null);
        while operation.is_null() || task.is_null() {
            let event = scheduler.events.next().await.unwrap();
            match event["type"].as_str().unwrap() {
                "UPDATE_OPERATION_STATUS" => {
                    operation = event["update_operation_status"]["status"].clone();
                }
                "UPDATE" => task = event["update"]["status"].clone(),
                _ => {}
            }
        }
        assert_eq!(operation["operation_id"]["value"], "op-1");
        assert_eq!(operation["state"], "OPERATION_ERROR");
        assert!(
            operation["message"]
                .as_str()
                .unwrap()
                .contains("not supported")
        );
        assert_eq!(task["task_id"]["value"], "in-a-pod");
        assert_eq!(task["state"], "TASK_ERROR");
        assert!(!task["message"].as_str().unwrap().is_empty());
        // What was offered is offered again.
        scheduler.accepted("REVIVE", Value::Null).await;
        assert_eq!(scheduler.offer().await["agent_id"], offer["agent_id"]);
    });
}

#[test]
fn an_offer_that_does_not_stand_drops_its_tasks() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let mut offer = scheduler.offer().await;
        offer["id"]["value"] = json!("nobody-O1");
        let launch = accept(&offer, &[task_on(&offer, "t")]);
        scheduler.accepted("ACCEPT", launch).await;
        let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
        assert_eq!(status["state"], "TASK_DROPPED");
        assert_eq!(status["reason"], "REASON_INVALID_OFFERS");
    });
}

#[test]
fn tasks_are_reconciled_killed_and_spoken_to() {
    http(|world, address| async move {
        let (mut agent, agent_id) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let launch = accept(&offer, &[task_on(&offer, "t")]);
        scheduler.accepted("ACCEPT", launch).await;
        agent.expect::<agent::RunTask>().await;

        let asked = json!({"tasks": [{"task_id": {"value": "t"}}, {"task_id": {"value": "u"}}]});
        scheduler.accepted("RECONCILE", asked).await;
        for (task, state) in [("t", "TASK_STAGING"), ("u", "TASK_UNKNOWN")] {
            let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
            assert_eq!(status["task_id"]["value"], task);
            assert_eq!(status["state"], state);
            assert_eq!(status["reason"], "REASON_RECONCILIATION");
        }
        scheduler.accepted("RECONCILE", json!({"tasks": []})).await;
        let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
        assert_eq!(status["task_id"]["value"], "t");

        let kill = json!({
            "task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": 5000000000u64}},
        });
        scheduler.accepted("KILL", kill).await;
        let kill = agent.expect::<agent::KillTask>().await;
        assert_eq!(kill.kill_policy.unwrap().grace_period.as_secs(), 5);

        let agent_id = json!({"value": agent_id.as_str()});
        let executor_id = json!({"value": "e"});
        let words = json!({"agent_id": agent_id, "executor_id": executor_id, "data": "aGVsbG8="});
        scheduler.accepted("MESSAGE", words).await;
        assert_eq!(agent.expect::<agent::ToExecutor>().await.data, b"hello");
        let shutdown = json!({"agent_id": agent_id, "executor_id": executor_id});
        scheduler.accepted("SHUTDOWN", shutdown).await;
        agent.expect::<agent::ShutdownExecutor>().await;
        scheduler.accepted("REQUEST", json!({"requests": []})).await;
        let unknown = json!({"operations": [{"operation_id": {"value": "op"}}]});
        scheduler.accepted("RECONCILE_OPERATIONS", unknown).await;
        let event = scheduler.events.skip_to("UPDATE_OPERATION_STATUS").await;
        let status = &event["update_operation_status"]["status"];
        assert_eq!(status["state"], "OPERATION_UNKNOWN");
    });
}

#[test]
fn a_framework_changes_what_can_change() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let mut info = framework();
        info["id"] = scheduler.id.clone();
        info["name"] = json!("renamed");
        info["roles"] = json!(["dev"]);
        let update = json!({"framework_info": info});
        let answer = scheduler.call("UPDATE_FRAMEWORK", update).await;
        assert_eq!((answer.status, answer.text()), (200, ""));
        let rescinded = scheduler.events.skip_to("RESCIND").await;
        assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
        assert_eq!(scheduler.offer().await["allocation_info"]["role"], "dev");
        let known = world.get_frameworks().await[0].info.clone();
        assert_eq!(known.name, "renamed");

        for (field, value, text) in [
            ("user", json!("nobody"), "'FrameworkInfo.user'"),
            ("checkpoint", json!(false), "'FrameworkInfo.checkpoint'"),
            ("principal", json!("else"), "principal"),
            ("roles", json!(["*", "*"]), "role"),
        ] {
            let mut info = info.clone();
            info[field] = value;
            let update = json!({"framework_info": info});
            let answer = scheduler.call("UPDATE_FRAMEWORK", update).await;
            assert_eq!(answer.status, 400, "{field}");
            assert!(answer.text().contains(text), "{field}: {}", answer.text());
        }
        assert_eq!(world.get_frameworks().await[0].info, known);
    });
}

#[test]
fn protobuf_says_the_same_as_json() {
    use api::v1::scheduler::{Call, CallBody, CallType, Event, EventBody, call};
    use api::v1::{FrameworkInfo, Message as _};

    http(|_, address| async move {
        const PROTOBUF: &str = "application/x-protobuf";
        let framework_info = FrameworkInfo {
            user: "root".into(),
            name: "protobuf".into(),
            ..FrameworkInfo::default()
        };
        let subscribe = Call::from(CallBody::Subscribe(call::Subscribe {
            framework_info,
            ..call::Subscribe::default()
        }));
        let mut connection = client::Connection::open(address).await;
        let line = format!("POST {SCHEDULER}");
        let headers = [("Content-Type", PROTOBUF), ("Accept", PROTOBUF)];
        connection
            .send(&line, &headers, &subscribe.to_protobuf())
            .await;
        let (status, headers) = connection.head().await;
        assert_eq!((status, headers["content-type"].as_str()), (200, PROTOBUF));
        let chunk = connection.chunk().await.unwrap();
        let newline = chunk.iter().position(|byte| *byte == b'\n').unwrap();
        let event = Event::from_protobuf(&chunk[newline + 1..]).unwrap();
        let EventBody::Subscribed(subscribed) = event.into_body().unwrap() else {
            panic!("the first event is SUBSCRIBED");
        };
        let revive = Call {
            framework_id: Some(subscribed.framework_id),
            kind: Some(CallType::Revive),
            ..Call::default()
        };
        let stream_id = headers["mesos-stream-id"].clone();
        let headers = [("Content-Type", PROTOBUF), ("Mesos-Stream-Id", &stream_id)];
        let answer = request(address, &line, &headers, &revive.to_protobuf()).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let garbage = request(address, &line, &headers, b"\xff\xff\xff\xff").await;
        assert_eq!(garbage.status, 400);
        assert!(
            garbage
                .text()
                .contains("Failed to parse body into Call protobuf")
        );
    });
}
