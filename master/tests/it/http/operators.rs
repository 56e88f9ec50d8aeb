//! Calls of operators, and what they see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use state::{MemoryStorage, State};
use tokio::sync::Notify;
use types::TaskState;

use super::*;
use crate::registry::Slow;

const OPERATOR: &str = "/api/v1";

async fn call_at(address: SocketAddr, path: &str, call: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    let line = format!("POST {path}");
    request(address, &line, &headers, call.to_string().as_bytes()).await
}

/// The answer to a call that only asks.
async fn ask(address: SocketAddr, kind: &str) -> Value {
    let call = json!({"type": kind, "get_metrics": {}});
    let answer = call_at(address, OPERATOR, &call).await;
    assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = answer.json();
    assert_eq!(answer["type"], kind);
    answer[kind.to_lowercase()].clone()
}

#[test]
fn operators_see_what_is_in_the_books() {
    http(|world, address| async move {
        let running = Running::new(&world).await;
        let (agent, id) = (running.agent_id.as_str(), running.framework_id.as_str());
        assert_eq!(ask(address, "GET_HEALTH").await, json!({"healthy": true}));
        let version = ask(address, "GET_VERSION").await;
        assert_eq!(version["version_info"]["version"], api::v1::VERSION);
        let flags = ask(address, "GET_FLAGS").await;
        let flags = flags["flags"].as_array().unwrap();
        let ping = json!({"name": "agent_ping_timeout", "value": "15secs"});
        assert!(flags.contains(&ping), "{flags:?}");
        let metrics = ask(address, "GET_METRICS").await;
        let metrics = metrics["metrics"].as_array().unwrap();
        let active = json!({"name": "master/slaves_active", "value": 1.0});
        assert!(metrics.contains(&active));
        let state = ask(address, "GET_STATE").await;
        assert_eq!(state["get_tasks"], ask(address, "GET_TASKS").await);
        assert_eq!(state["get_executors"], ask(address, "GET_EXECUTORS").await);
        let task = &state["get_tasks"]["tasks"][0];
        assert_eq!(task["task_id"]["value"], "t");
        assert_eq!(task["state"], "TASK_RUNNING");
        assert_eq!(task["resources"][0]["allocation_info"]["role"], "*");
        let framework = &state["get_frameworks"]["frameworks"][0];
        assert_eq!(framework["framework_info"]["id"]["value"], id);
        assert_eq!(framework["active"], true);
        assert_eq!(framework["allocated_resources"][0]["scalar"]["value"], 1.0);
        let seen = &state["get_agents"]["agents"][0];
        assert_eq!(seen["agent_info"]["id"]["value"], agent);
        assert_eq!(seen["pid"], format!("slave(1)@{address}"));
        assert_eq!(seen["total_resources"][0]["role"], "*");
        let roles = ask(address, "GET_ROLES").await;
        assert_eq!(roles["roles"][0]["frameworks"], json!([{"value": id}]));
        let master = ask(address, "GET_MASTER").await;
        assert_eq!(master["master_info"]["port"], address.port());
        assert_eq!(ask(address, "GET_QUOTA").await, json!({"status": {}}));
        assert_eq!(
            ask(address, "GET_MAINTENANCE_STATUS").await,
            json!({"status": {}})
        );
        assert_eq!(
            ask(address, "GET_MAINTENANCE_SCHEDULE").await,
            json!({"schedule": {}})
        );
        for kind in [
            "GET_OPERATIONS",
            "GET_WEIGHTS",
            "GET_LOGGING_LEVEL",
            "GET_AGENTS",
            "GET_FRAMEWORKS",
        ] {
            ask(address, kind).await;
        }
        // The address some clients use.
        let health = json!({"type": "GET_HEALTH"});
        assert_eq!(
            call_at(address, "/api/v1/operator", &health).await.status,
            200
        );
        assert_eq!(
            call_at(address, "/master/api/v1", &health).await.status,
            200
        );
    });
}

#[test]
fn operators_see_the_same_in_protobuf() {
    use api::v1::Message as _;
    use api::v1::master::{Call, CallBody, Response, ResponseBody};

    http(|world, address| async move {
        let _running = Running::new(&world).await;
        let json: Value = ask(address, "GET_TASKS").await;
        const PROTOBUF: &str = "application/x-protobuf";
        let headers = [("Content-Type", PROTOBUF), ("Accept", PROTOBUF)];
        let call = Call::from(CallBody::GetTasks).to_protobuf();
        let answer = request(address, "POST /api/v1", &headers, &call).await;
        assert_eq!(
            (answer.status, answer.headers["content-type"].as_str()),
            (200, PROTOBUF)
        );
        let response = Response::from_protobuf(&answer.body).unwrap();
        let ResponseBody::GetTasks(tasks) = response.into_body().unwrap() else {
            panic!("tasks were asked for");
        };
        assert_eq!(serde_json::to_value(tasks).unwrap(), json);
    });
}

#[test]
fn an_operator_ends_a_framework_that_speaks_http() {
    http(|_, address| async move {
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let teardown = json!({"type": "TEARDOWN", "teardown": {"framework_id": scheduler.id}});
        let answer = call_at(address, OPERATOR, &teardown).await;
        assert_eq!((answer.status, answer.text()), (200, ""));
        let last = scheduler.events.rest().await.pop().unwrap();
        assert_eq!(last["error"]["message"], "Framework has been removed");
        let again = call_at(address, OPERATOR, &teardown).await;
        assert_eq!(
            (again.status, again.text()),
            (400, "No framework found with specified ID")
        );
    });
}

#[test]
fn weights_are_updated_all_or_none() {
    http(|_, address| async move {
        let update = |infos: Value| json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}});
        let good = json!([{"role": "dev", "weight": 2.5}]);
        let answer = call_at(address, OPERATOR, &update(good.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let weights = json!({"weight_infos": [{"weight": 2.5, "role": "dev"}]});
        assert_eq!(ask(address, "GET_WEIGHTS").await, weights);
        for (info, field) in [
            (
                json!({"role": "dev", "weight": -1}),
                "weight_infos[1].weight",
            ),
            (json!({"role": "a//b", "weight": 1}), "weight_infos[1].role"),
            (
                json!({"role": "x", "weight": 1e300}),
                "weight_infos[1].weight",
            ),
        ] {
            let both = json!([{"role": "other", "weight": 3}, info]);
            let answer = call_at(address, OPERATOR, &update(both)).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains(field), "{}", answer.text());
        }
        assert_eq!(ask(address, "GET_WEIGHTS").await, weights);
    });
}

#[test]
fn weights_are_answered_when_the_registry_has_them() {
    let ended = libproc::run_alone(async {
        let open = Arc::new((AtomicBool::new(true), Notify::new()));
        let slow = Slow {
            storage: MemoryStorage::default(),
            open: open.clone(),
        };
        let node = Node::bind("127.0.0.1:0").await?;
        let started = ::master::start_from(&node, options(), &State::new(slow)).await;
        started.expect("the registry is empty");
        let address = node.address();
        let none = ask(address, "GET_WEIGHTS").await;
        open.0.store(false, Ordering::SeqCst);
        let infos = json!({"weight_infos": [{"weight": 2.5, "role": "dev"}]});
        let update = json!({"type": "UPDATE_WEIGHTS", "update_weights": infos});
        let asked = tokio::task::spawn_local(async move {
            let answer = call_at(address, OPERATOR, &update).await;
            answer.status
        });
        // One after another, so that the first has come by then.
        for _ in 0..3 {
            assert_eq!(ask(address, "GET_WEIGHTS").await, none);
        }
        assert!(!asked.is_finished());
        open.0.store(true, Ordering::SeqCst);
        open.1.notify_waiters();
        assert_eq!(asked.await.unwrap(), 200);
        assert_eq!(ask(address, "GET_WEIGHTS").await, infos);
        node.shutdown().await;
        Ok(())
    });
    ended.expect("a free port");
}

#[test]
fn what_is_not_there_yet_says_so() {
    http(|_, address| async move {
        let id = json!({"value": "a"});
        for (kind, body) in [
            ("UPDATE_QUOTA", json!({})),
            ("START_MAINTENANCE", json!({})),
            ("RESERVE_RESOURCES", json!({"agent_id": id})),
        ] {
            let call = json!({"type": kind, kind.to_lowercase(): body});
            let answer = call_at(address, OPERATOR, &call).await;
            let text = format!("{kind} is not implemented by this master yet");
            assert_eq!((answer.status, answer.text()), (501, text.as_str()));
        }
        let list = json!({"type": "LIST_FILES", "list_files": {"path": "/no/such"}});
        assert_eq!(call_at(address, OPERATOR, &list).await.status, 404);
    });
}

#[test]
fn wrong_calls_of_operators_are_answered_as_apache_mesos_does() {
    http(|_, address| async move {
        let json_type = ("Content-Type", "application/json");
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);
        let cases: &[Case<'_>] = &[
            ("{", &[json_type], 400, "Failed to parse body into JSON: "),
            (
                r#"{"type": "BOGUS"}"#,
                &[json_type],
                400,
                "Failed to validate master::Call: Expecting 'type' to be present",
            ),
            (
                r#"{"type": "LIST_FILES"}"#,
                &[json_type],
                400,
                "Failed to validate master::Call: Expecting 'list_files' to be present",
            ),
            (
                r#"{"type": "GET_HEALTH"}"#,
                &[],
                400,
                "Expecting 'Content-Type' to be present",
            ),
            (
                r#"{"type": "GET_HEALTH"}"#,
                &[("Content-Type", "text/html")],
                415,
                "Expecting 'Content-Type' of application/json or application/x-protobuf",
            ),
            (
                r#"{"type": "GET_HEALTH"}"#,
                &[json_type, ("Accept", "text/html")],
                406,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
            ),
        ];
        for (body, headers, status, text) in cases {
            let answer = request(address, "POST /api/v1", headers, body.as_bytes()).await;
            assert_eq!(answer.status, *status, "{body}: {}", answer.text());
            assert!(answer.text().starts_with(text), "{body}: {}", answer.text());
        }
        let answer = request(address, "GET /api/v1", &[], b"").await;
        assert_eq!(
            (answer.status, answer.headers["allow"].as_str()),
            (405, "POST")
        );
    });
}

#[test]
fn an_operator_watches_what_changes() {
    http(|world, address| async move {
        let watch = json!({"type": "SUBSCRIBE"});
        let mut events = Events::subscribe(address, OPERATOR, &watch).await;
        let first = events.next().await.unwrap();
        assert_eq!(first["type"], "SUBSCRIBED");
        assert_eq!(first["subscribed"]["heartbeat_interval_seconds"], 15.0);
        assert_eq!(
            first["subscribed"]["get_state"]["get_agents"]["agents"],
            json!([])
        );
        assert_eq!(events.next().await.unwrap(), json!({"type": "HEARTBEAT"}));

        let (mut agent, agent_id) = world.agent("agent").await;
        let added = events.next().await.unwrap();
        let info = &added["agent_added"]["agent"]["agent_info"];
        assert_eq!(info["id"]["value"], agent_id.as_str());
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let added = events.next().await.unwrap();
        let info = &added["framework_added"]["framework"]["framework_info"];
        assert_eq!(info["id"], scheduler.id);
        let offer = scheduler.offer().await;
        let launch = accept(&offer, &[task_on(&offer, "t"), task_on(&offer, "u")]);
        scheduler.accepted("ACCEPT", launch).await;
        for task in ["t", "u"] {
            let added = events.next().await.unwrap();
            assert_eq!(added["task_added"]["task"]["task_id"]["value"], task);
            agent.expect::<api::agent::RunTask>().await;
        }
        let framework_id: types::FrameworkId =
            scheduler.id["value"].as_str().unwrap().parse().unwrap();
        world.update(&agent, &agent_id, (&framework_id, "t"), TaskState::Running);
        let updated = events.next().await.unwrap();
        assert_eq!(updated["task_updated"]["state"], "TASK_RUNNING");
        assert_eq!(updated["task_updated"]["status"]["task_id"]["value"], "t");
        assert_eq!(updated["task_updated"]["framework_id"], scheduler.id);
        scheduler.accepted("TEARDOWN", Value::Null).await;
        for task in ["t", "u"] {
            let updated = events.next().await.unwrap();
            assert_eq!(updated["task_updated"]["state"], "TASK_KILLED");
            assert_eq!(updated["task_updated"]["status"]["task_id"]["value"], task);
        }
        let removed = events.next().await.unwrap();
        assert_eq!(
            removed["framework_removed"]["framework_info"]["id"],
            scheduler.id
        );
        agent.say(
            &world.master,
            api::master::Unregister {
                agent_id: agent_id.clone(),
            },
        );
        let removed = events.next().await.unwrap();
        assert_eq!(
            removed["agent_removed"]["agent_id"]["value"],
            agent_id.as_str()
        );

        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(15)).await;
        tokio::time::resume();
        assert_eq!(events.next().await.unwrap(), json!({"type": "HEARTBEAT"}));
    });
}
