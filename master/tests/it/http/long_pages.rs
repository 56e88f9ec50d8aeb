//! Pages that are longer than what is written in one turn of the master.

use std::io::Read as _;

use types::{AgentId, CommandInfo, FrameworkId, FrameworkInfo, Resources, Role};
use types::{Task, TaskInfo, TaskState};

use super::client::Connection;
use super::*;

/// Enough for several parts of every page.
const TASKS: usize = 2_000;
/// Of this framework they are.
const FRAMEWORK: &str = "long";

/// An agent that comes back with many tasks.
async fn many_tasks(world: &World) -> Agent {
    let id = AgentId::new("busy").unwrap();
    let framework_id = FrameworkId::new(FRAMEWORK).unwrap();
    let task = |number: usize| {
        let info = TaskInfo::command(
            format!("task-{number:05}").parse().unwrap(),
            id.clone(),
            CommandInfo::shell("sleep 60"),
            Resources::new().cpus(0.001),
        );
        let mut task = Task::staging(&info, framework_id.clone(), Role::any(), None);
        task.state = TaskState::Running;
        task
    };
    let info = FrameworkInfo {
        id: Some(framework_id.clone()),
        ..framework_info(FRAMEWORK)
    };
    let report = Report {
        frameworks: vec![info],
        executors: Vec::new(),
        tasks: (0..TASKS).map(task).collect(),
    };
    let mut agent = AgentStand::start(&world.node, "busy", Mute::No).await;
    world.reregister(&agent, &id, report);
    agent.skip_to::<api::agent::Reregistered>().await;
    agent
}

fn tasks_of(state: &Value) -> &Vec<Value> {
    state["frameworks"][0]["tasks"].as_array().unwrap()
}

async fn read(address: SocketAddr, kind: &str, accept: &str) -> client::Answer {
    let headers = [("Content-Type", "application/json"), ("Accept", accept)];
    let body = json!({"type": kind}).to_string();
    request(address, "POST /api/v1", &headers, body.as_bytes()).await
}

#[test]
fn a_long_page_comes_in_parts_and_is_whole() {
    http(|world, address| async move {
        let _agent = many_tasks(&world).await;
        let answer = get(address, "/state").await;
        assert_eq!(answer.headers["transfer-encoding"], "chunked");
        assert_eq!(answer.headers["content-type"], "application/json");
        let state = answer.json();
        let tasks = tasks_of(&state);
        assert_eq!(tasks.len(), TASKS);
        for path in ["/state.json", "/master/state"] {
            assert_eq!(get(address, path).await.json(), state, "{path}");
        }
        let frameworks = get(address, "/frameworks?framework_id=long").await.json();
        assert_eq!(tasks_of(&frameworks), tasks);
        let listed = get(address, "/tasks?order=asc&limit=5000").await.json();
        assert_eq!(listed["tasks"].as_array().unwrap(), tasks);
        let summary = get(address, "/state-summary").await.json();
        assert_eq!(summary["slaves"][0]["TASK_RUNNING"], TASKS);
    });
}

#[test]
fn a_long_page_is_a_script_or_compressed_where_that_is_asked_for() {
    http(|world, address| async move {
        let _agent = many_tasks(&world).await;
        let plain = get(address, "/state").await.json();
        let script = get(address, "/state?jsonp=cb").await;
        assert_eq!(script.headers["content-type"], "text/javascript");
        let inner = script.text().strip_prefix("cb(").unwrap();
        let inner: Value = serde_json::from_str(inner.strip_suffix(')').unwrap()).unwrap();
        assert_eq!(inner, plain);
        let headers = [("Accept-Encoding", "gzip")];
        let short = request(address, "GET /state", &headers, b"").await;
        assert_eq!(short.headers["content-encoding"], "gzip");
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(short.body.as_slice());
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain);
        assert!(short.body.len() < text.len() / 4);
    });
}

#[test]
fn long_reads_say_the_same_in_both_encodings() {
    use api::v1::Message as _;
    use api::v1::master::Response;

    http(|world, address| async move {
        let _agent = many_tasks(&world).await;
        for kind in ["GET_STATE", "GET_TASKS", "GET_FRAMEWORKS", "GET_AGENTS"] {
            let json = read(address, kind, "application/json").await.json();
            let protobuf = read(address, kind, "application/x-protobuf").await;
            let message = Response::from_protobuf(&protobuf.body).unwrap();
            let as_json: Value = serde_json::from_slice(&message.to_json()).unwrap();
            assert_eq!(as_json, json, "{kind}");
        }
        let state = read(address, "GET_STATE", "application/json").await.json();
        let tasks = state["get_state"]["get_tasks"]["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), TASKS);
    });
}

#[test]
fn a_page_is_true_to_the_moment_it_was_asked_for() {
    http(|world, address| async move {
        let _agent = many_tasks(&world).await;
        let mut connection = Connection::open(address).await;
        connection.send("GET /state", &[], b"").await;
        let (status, _) = connection.head().await;
        assert_eq!(status, 200);
        let mut body = connection.chunk().await.unwrap();
        // Everything the page tells of ends before the rest of it is written.
        let teardown = json!({"type": "TEARDOWN",
            "teardown": {"framework_id": {"value": FRAMEWORK}}});
        let headers = [("Content-Type", "application/json")];
        let text = teardown.to_string();
        let ended = request(address, "POST /api/v1", &headers, text.as_bytes()).await;
        assert_eq!(ended.status, 200);
        let after = get(address, "/state").await.json();
        assert!(after["frameworks"].as_array().unwrap().is_empty());
        while let Some(chunk) = connection.chunk().await {
            body.extend(chunk);
        }
        let before: Value = serde_json::from_slice(&body).unwrap();
        let running = |task: &&Value| task["state"] == "TASK_RUNNING";
        assert_eq!(tasks_of(&before).iter().filter(running).count(), TASKS);
    });
}

#[test]
fn readers_that_go_or_do_not_read_hold_nobody_up() {
    http(|world, address| async move {
        let _agent = many_tasks(&world).await;
        let mut idle = Vec::new();
        for number in 0..50 {
            let mut connection = Connection::open(address).await;
            connection.send("GET /state", &[], b"").await;
            // Every other one hangs up.
            if number % 2 == 0 {
                idle.push(connection);
            }
        }
        let state = get(address, "/state").await.json();
        assert_eq!(tasks_of(&state).len(), TASKS);
    });
}
