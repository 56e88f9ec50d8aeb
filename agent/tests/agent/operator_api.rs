//! What operators ask over the v1 API, and what they are answered.

use api::v1::Message as _;
use api::v1::agent::{Call, Response, ResponseBody};
use serde_json::{Value, json};

use crate::client::{Ask, JSON, PROTOBUF};
use crate::executor_api::real;
use crate::rig::Rig;

#[test]
fn operators_read_what_there_is() {
    real(async {
        let (rig, executor) = Rig::busy().await;
        std::fs::write(executor.sandbox.join("out"), "0123456789").unwrap();
        let ask = async |call: Value| rig.ask_operator(&call).await.json();
        let health = ask(json!({"type": "GET_HEALTH"})).await;
        assert_eq!(
            health,
            json!({"type": "GET_HEALTH", "get_health": {"healthy": true}})
        );
        let version = ask(json!({"type": "GET_VERSION"})).await;
        assert_eq!(
            version["get_version"]["version_info"]["version"],
            api::v1::VERSION
        );
        let level = ask(json!({"type": "GET_LOGGING_LEVEL"})).await;
        assert!(level["get_logging_level"]["level"].is_u64());
        let flags = ask(json!({"type": "GET_FLAGS"})).await;
        let flag = json!({"name": "hostname", "value": "host"});
        assert!(
            flags["get_flags"]["flags"]
                .as_array()
                .unwrap()
                .contains(&flag)
        );
        let agent = ask(json!({"type": "GET_AGENT"})).await;
        assert_eq!(agent["get_agent"]["agent_info"]["id"]["value"], "S1");
        let tasks = ask(json!({"type": "GET_TASKS"})).await["get_tasks"].clone();
        for (list, id) in [
            ("launched_tasks", "runs"),
            ("terminated_tasks", "ended"),
            ("completed_tasks", "over"),
        ] {
            assert_eq!(tasks[list].as_array().unwrap().len(), 1, "{list}");
            assert_eq!(tasks[list][0]["task_id"]["value"], id);
        }
        // What its framework has not acknowledged.
        assert_eq!(
            tasks["terminated_tasks"][0]["status_update_state"],
            "TASK_FAILED"
        );
        assert_eq!(tasks["queued_tasks"], json!([]));
        let executors = ask(json!({"type": "GET_EXECUTORS"})).await["get_executors"].clone();
        assert_eq!(
            executors["executors"][0]["executor_info"]["executor_id"]["value"],
            "e"
        );
        let frameworks = ask(json!({"type": "GET_FRAMEWORKS"})).await["get_frameworks"].clone();
        assert_eq!(frameworks["frameworks"][0]["framework_info"]["name"], "f");
        let state = ask(json!({"type": "GET_STATE"})).await["get_state"].clone();
        assert_eq!(state["get_tasks"], tasks);
        assert_eq!(state["get_executors"], executors);
        assert_eq!(state["get_frameworks"], frameworks);
        let path = "/frameworks/F1/executors/e/runs/latest";
        let list = ask(json!({"type": "LIST_FILES", "list_files": {"path": path}})).await;
        let file = &list["list_files"]["file_infos"][0];
        assert_eq!(
            (&file["path"], &file["size"]),
            (&json!(format!("{path}/out")), &json!(10))
        );
        let read = json!({"path": format!("{path}/out"), "offset": 1, "length": 3});
        let read = ask(json!({"type": "READ_FILE", "read_file": read})).await;
        assert_eq!(read["read_file"], json!({"size": 10, "data": "MTIz"}));
        // The same by the names that clients use, and in protobuf.
        let call = Call::from_json(br#"{"type":"GET_TASKS"}"#)
            .unwrap()
            .to_protobuf();
        for path in ["/api/v1", "/api/v1/operator", "/slave(1)/api/v1"] {
            let ask = Ask::post(path, PROTOBUF, &call);
            let answer = ask.answer(rig.node.address()).await;
            assert_eq!(answer.status, 200);
            let response = Response::from_protobuf(&answer.body).unwrap().into_body();
            let ResponseBody::GetTasks(tasks) = response.unwrap() else {
                panic!("these are no tasks");
            };
            assert_eq!(tasks.launched_tasks[0].task_id.value, "runs");
        }
    });
}

#[test]
fn what_operators_cannot_ask_is_refused_with_a_reason() {
    real(async {
        let rig = Rig::registered().await;
        let missing = json!({"type": "LIST_FILES", "list_files": {"path": "/no/such"}});
        let negative = json!({"type": "GET_METRICS",
            "get_metrics": {"timeout": {"nanoseconds": -1}}});
        let kill = json!({"type": "KILL_CONTAINER",
            "kill_container": {"container_id": {"value": "c"}}});
        let level = json!({"type": "SET_LOGGING_LEVEL",
            "set_logging_level": {"level": 1, "duration": {"nanoseconds": 1}}});
        for (call, status, text) in [
            (
                json!({"type": "BOGUS"}),
                400,
                "Expecting 'type' to be present",
            ),
            (
                json!({"type": "LIST_FILES"}),
                400,
                "Expecting 'list_files' to be present",
            ),
            (
                json!({"type": "READ_FILE", "read_file": {"path": "x"}}),
                400,
                "offset",
            ),
            (negative, 400, "get_metrics.timeout"),
            (missing, 404, "/no/such"),
            (kill, 501, "KILL_CONTAINER"),
            (level, 501, "cannot be turned up"),
            (json!({"type": "PRUNE_IMAGES"}), 501, "PRUNE_IMAGES"),
            (json!({"type": "UNKNOWN"}), 501, "UNKNOWN"),
        ] {
            let answer = rig.ask_operator(&call).await;
            assert_eq!(answer.status, status, "{call}: {}", answer.text());
            assert!(answer.text().contains(text), "{call}: {}", answer.text());
        }
        let good = Ask::post("/api/v1", JSON, br#"{"type":"GET_HEALTH"}"#);
        let refused = async |ask: Ask<'_>, status: u16, text: &str| {
            let answer = ask.answer(rig.node.address()).await;
            assert_eq!((answer.status, answer.text()), (status, text));
        };
        let get = Ask {
            method: "GET",
            ..good
        };
        let text = "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.";
        refused(get, 405, text).await;
        let typed = Ask {
            content_type: Some("text/plain"),
            ..good
        };
        let text = "Expecting 'Content-Type' of application/json or application/x-protobuf or \
            application/recordio";
        refused(typed, 415, text).await;
        let html = Ask {
            accept: Some("text/html"),
            ..good
        };
        let text = "Expecting 'Accept' to allow application/json or application/x-protobuf or \
            application/recordio";
        refused(html, 406, text).await;
        let untyped = Ask {
            content_type: None,
            ..good
        };
        refused(untyped, 400, "Expecting 'Content-Type' to be present").await;
    });
}
