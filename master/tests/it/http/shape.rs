//! What pages say, whole: as it was recorded when each page was still put together in one piece.
//! Times, ports and random ids are scrubbed.
//!
//! `TEPUI_RECORD=1` records anew, for whoever changes what a page says and means to.

use std::path::PathBuf;

use types::{AgentId, ExecutorId, ExecutorInfo, FrameworkCapability, FrameworkId, FrameworkInfo};
use types::{CommandInfo, Labels, Resources, Role, Source, Task, TaskInfo, TaskState, TaskStatus};

use super::*;

const PAGES: [&str; 6] = [
    "state",
    "state-summary",
    "slaves",
    "frameworks",
    "tasks",
    "roles",
];
const CALLS: [&str; 6] = [
    "GET_STATE",
    "GET_TASKS",
    "GET_EXECUTORS",
    "GET_FRAMEWORKS",
    "GET_AGENTS",
    "GET_ROLES",
];

/// An agent that comes back with a custom executor and two tasks of a framework nobody knew.
fn report(agent_id: &AgentId) -> Report {
    let framework_id = FrameworkId::new("recovered-framework").unwrap();
    let mut info = FrameworkInfo {
        id: Some(framework_id.clone()),
        labels: Labels::new().with("team", "search"),
        webui_url: Some("http://example.org/".to_owned()),
        ..framework_info("recovered")
    };
    info.capabilities.insert(FrameworkCapability::MultiRole);
    info.roles = ["dev", "ops"].map(|role| role.parse().unwrap()).into();
    let executor_id = ExecutorId::new("own-executor").unwrap();
    let mut executor = ExecutorInfo::custom(executor_id, CommandInfo::shell("./run"));
    executor.framework_id = Some(framework_id.clone());
    executor.resources = Resources::new().cpus(0.5).mem_mib(32);
    let task = |id: &str, executor: Option<&ExecutorInfo>| {
        let info = TaskInfo {
            labels: Labels::new().with("stage", "live").with("empty", ""),
            ..TaskInfo::command(
                id.parse().unwrap(),
                agent_id.clone(),
                CommandInfo::shell("sleep 60"),
                Resources::new().cpus(0.25).mem_mib(64),
            )
        };
        let role: Role = "dev".parse().unwrap();
        let mut task = Task::staging(&info, framework_id.clone(), role, Some("nobody".into()));
        task.executor_id = executor.map(|executor| executor.executor_id.clone());
        let (state, source) = (TaskState::Running, Source::Executor);
        let status = TaskStatus::new(info.task_id, state, source, 1);
        task.remember(&TaskStatus {
            healthy: Some(true),
            ..status
        });
        task.state = state;
        task
    };
    Report {
        frameworks: vec![info],
        tasks: vec![
            task("of-executor", Some(&executor)),
            task("of-command", None),
        ],
        executors: vec![executor],
    }
}

/// A cluster with something of everything that pages tell of.
async fn populate(world: &World, address: SocketAddr) -> [Agent; 2] {
    let mut running = Running::new(world).await;
    let of = (&running.framework_id, "t");
    world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
    let update = running.scheduler.skip_to::<api::scheduler::Update>().await;
    world.acknowledge(&running.scheduler, &running.framework_id, &update.status);
    running.scheduler.said().await;
    let v1 = Scheduler::subscribe(address, &framework()).await;
    v1.accepted("TEARDOWN", Value::Null).await;
    // So that no offers come and go.
    running.scheduler.end().await;
    let id = AgentId::new("returned-agent").unwrap();
    let mut agent = AgentStand::start(&world.node, "returned", Mute::No).await;
    world.reregister(&agent, &id, report(&id));
    agent.skip_to::<api::agent::Reregistered>().await;
    for _ in 0..1_000 {
        let state = get(address, "/state").await.text().to_owned();
        if !state.contains("\"active\":true,\"connected\":true") {
            return [running.agent, agent];
        }
        tokio::task::yield_now().await;
    }
    panic!("a framework stays though its scheduler has gone");
}

/// Replaces what differs from run to run.
fn scrub(value: &mut Value, address: SocketAddr) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let passing = name.contains("time") && name != "failover_timeout";
                if passing && !name.contains("timeout") {
                    *value = json!("TIME");
                } else if name == "port" || name == "uuid" || name.contains("uuid") {
                    *value = json!("RANDOM");
                } else {
                    scrub(value, address);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, address)),
        Value::String(text) => *text = text.replace(&address.port().to_string(), "PORT"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn called(address: SocketAddr, kind: &str, accept: &str) -> client::Answer {
    let headers = [("Content-Type", "application/json"), ("Accept", accept)];
    let body = json!({"type": kind}).to_string();
    request(address, "POST /api/v1", &headers, body.as_bytes()).await
}

fn recorded(name: &str) -> PathBuf {
    let name = name.to_lowercase();
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/http/shapes/{name}.json"))
}

fn compare(name: &str, mut page: Value, address: SocketAddr) {
    scrub(&mut page, address);
    let path = recorded(name);
    if std::env::var_os("TEPUI_RECORD").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(&page).unwrap() + "\n").unwrap();
    }
    let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(page, expected, "{name}");
}

#[test]
fn every_page_and_every_read_says_what_it_always_said() {
    http(|world, address| async move {
        let _agents = populate(&world, address).await;
        for name in PAGES {
            let page = get(address, &format!("/master/{name}")).await.json();
            compare(name, page, address);
        }
        for kind in CALLS {
            let answer = called(address, kind, "application/json").await;
            compare(kind, answer.json(), address);
        }
    });
}

#[test]
fn a_read_says_the_same_in_both_encodings() {
    use api::v1::Message as _;
    use api::v1::master::Response;

    http(|world, address| async move {
        let _agents = populate(&world, address).await;
        for kind in CALLS {
            let json = called(address, kind, "application/json").await;
            let protobuf = called(address, kind, "application/x-protobuf").await;
            assert_eq!(protobuf.headers["content-type"], "application/x-protobuf");
            let message = Response::from_protobuf(&protobuf.body).unwrap();
            let as_json: Value = serde_json::from_slice(&message.to_json()).unwrap();
            assert_eq!(as_json, json.json(), "{kind}");
        }
    });
}
