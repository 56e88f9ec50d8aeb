//! Executors that speak the v1 API: subscribed, served, lost, found again, and refused.

use std::future::Future;
use std::time::Duration;

use agent::launcher::{Destroy, ExitStatus};
use api::agent::{GetAgent, ShutdownExecutor, ToExecutor};
use api::executor::{Exit, Registered as RegisteredActor};
use api::master::{ExecutorExited, ToFramework, UpdateStatus};
use api::v1::Message as _;
use api::v1::executor::{Event, EventBody};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use types::{Reason, TaskState};

use crate::client::{Answer, Ask, Chunks, JSON, PROTOBUF, mangle};
use crate::rig::{Launched, Rig, StandIn, command, custom, framework_id};

const PATH: &str = "/api/v1/executor";
/// Longest time for anything: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const UUID: [&str; 2] = ["x2xjiTTmTv+ubo3URIcq9g==", "Cd0/u0itSdGgoMHnBjxgnw=="];

/// Runs a test on real time, for sockets.
pub(crate) fn real(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let test = async { tokio::time::timeout(PATIENCE, test).await.expect("in time") };
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

impl Rig {
    async fn post(&self, call: &Value) -> Answer {
        let body = call.to_string();
        let ask = Ask::post(PATH, JSON, body.as_bytes());
        ask.answer(self.node.address()).await
    }

    async fn accepted(&self, call: &Value) {
        let answer = self.post(call).await;
        assert_eq!((answer.status, answer.text()), (202, ""), "{call}");
    }

    async fn subscribe(&self, call: &Value) -> Chunks {
        let body = call.to_string();
        // With the name that Apache Mesos's agent has.
        let ask = Ask::post("/slave(1)/api/v1/executor", JSON, body.as_bytes());
        ask.stream(self.node.address()).await
    }

    /// An executor launched for these tasks and subscribed; what it was told of itself and of them
    /// is read.
    async fn subscribed(&mut self, tasks: &[&str]) -> (StandIn, Chunks) {
        for task in tasks {
            self.run(custom(task));
        }
        let (launched, executor): (Launched, _) = self.launched().await;
        launched.succeed(7);
        let mut events = self.subscribe(&subscribe(json!({}))).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        for task in tasks {
            let launch = events.event().await;
            assert_eq!(launch["launch"]["task"]["task_id"]["value"], **task);
        }
        (executor, events)
    }
}

fn call(kind: &str, name: &str, body: Value) -> Value {
    let mut call = json!({
        "type": kind,
        "framework_id": {"value": "F1"},
        "executor_id": {"value": "e"},
    });
    call[name] = body;
    call
}

fn subscribe(body: Value) -> Value {
    call("SUBSCRIBE", "subscribe", body)
}

fn status(task: &str, state: &str, uuid: &str) -> Value {
    json!({
        "task_id": {"value": task},
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "executor_id": {"value": "e"},
        "uuid": uuid,
        "timestamp": 1795179511.3939357,
    })
}

fn update(task: &str, state: &str, uuid: &str) -> Value {
    let body = json!({"status": status(task, state, uuid)});
    call("UPDATE", "update", body)
}

fn acknowledged(task: &str, uuid: &str) -> Value {
    json!({
        "type": "ACKNOWLEDGED",
        "acknowledged": {"task_id": {"value": task}, "uuid": uuid},
    })
}

#[test]
fn tasks_wait_for_a_subscription_and_come_in_order() {
    real(async {
        let mut rig = Rig::registered().await;
        for id in ["c", "a"] {
            rig.run(custom(id));
        }
        let (launched, executor) = rig.launched().await;
        launched.succeed(7);
        let mut events = rig.subscribe(&subscribe(json!({}))).await;
        assert_eq!(events.header("content-type"), Some(JSON));
        let subscribed = events.event().await;
        let body = &subscribed["subscribed"];
        assert_eq!(subscribed["type"], "SUBSCRIBED");
        assert_eq!(body["executor_info"]["executor_id"], json!({"value": "e"}));
        assert_eq!(body["executor_info"]["type"], "CUSTOM");
        assert_eq!(
            body["executor_info"]["framework_id"],
            json!({"value": "F1"})
        );
        assert_eq!(body["framework_info"]["id"], json!({"value": "F1"}));
        assert_eq!(body["agent_info"]["id"], json!({"value": "S1"}));
        let container_id = executor.container_id.as_str();
        assert_eq!(body["container_id"], json!({"value": container_id}));
        rig.run(custom("b"));
        for id in ["c", "a", "b"] {
            let launch = events.event().await;
            assert_eq!(launch["type"], "LAUNCH");
            assert_eq!(launch["launch"]["task"]["task_id"]["value"], id);
        }
    });
}

#[test]
fn a_subscription_in_protobuf_is_answered_in_protobuf() {
    real(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let (launched, _executor) = rig.launched().await;
        launched.succeed(7);
        let text = subscribe(json!({})).to_string();
        let call = api::v1::executor::Call::from_json(text.as_bytes()).unwrap();
        let body = call.to_protobuf();
        let ask = Ask::post("/agent/api/v1/executor/", PROTOBUF, &body);
        let mut events = ask.stream(rig.node.address()).await;
        assert_eq!(events.header("content-type"), Some(PROTOBUF));
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let record = events.record().await.unwrap();
            bodies.push(Event::from_protobuf(&record).unwrap().into_body().unwrap());
        }
        let [EventBody::Subscribed(subscribed), EventBody::Launch(launch)] = &bodies[..] else {
            panic!("{bodies:?}");
        };
        assert_eq!(subscribed.executor_info.executor_id.value, "e");
        assert_eq!(launch.task.task_id.value, "a");
    });
}

#[test]
fn news_and_words_pass_between_executor_and_framework() {
    real(async {
        let mut rig = Rig::registered().await;
        let (executor, mut events) = rig.subscribed(&["a"]).await;
        rig.accepted(&update("a", "TASK_RUNNING", UUID[0])).await;
        assert_eq!(events.event().await, acknowledged("a", UUID[0]));
        let running = rig.update().await;
        assert_eq!(running.state, TaskState::Running);
        assert_eq!(running.timestamp_ms, 1_795_179_511_394);
        let container = running.container.unwrap();
        assert_eq!(container.container_id, Some(executor.container_id.clone()));
        let message = call("MESSAGE", "message", json!({"data": "aGkgc2NoZWR1bGVy"}));
        rig.accepted(&message).await;
        assert_eq!(
            rig.master.expect::<ToFramework>().await.data,
            b"hi scheduler"
        );
        let to_executor = ToExecutor {
            framework_id: framework_id(),
            executor_id: executor.executor_id.clone(),
            data: b"to-executor".to_vec(),
        };
        rig.node.tell(&rig.agent, to_executor);
        let message = json!({"type": "MESSAGE", "message": {"data": "dG8tZXhlY3V0b3I="}});
        assert_eq!(events.event().await, message);
        rig.kill("a");
        let kill = json!({"type": "KILL", "kill": {"task_id": {"value": "a"}}});
        assert_eq!(events.event().await, kill);
        rig.accepted(&update("a", "TASK_KILLED", UUID[1])).await;
        assert_eq!(events.event().await, acknowledged("a", UUID[1]));
    });
}

#[test]
fn an_executor_that_subscribes_again_has_its_news_taken_and_loses_what_never_arrived() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, mut former) = rig.subscribed(&["a", "b", "c"]).await;
        rig.accepted(&update("a", "TASK_RUNNING", UUID[0])).await;
        assert_eq!(former.event().await, acknowledged("a", UUID[0]));
        assert_eq!(rig.update().await.state, TaskState::Running);
        // It did not hear that the first update was taken, and of `c` it never heard at all.
        let task = |id: &str| {
            json!({
                "name": id,
                "task_id": {"value": id},
                "agent_id": {"value": "S1"},
                "executor": {
                    "executor_id": {"value": "e"},
                    "command": {"value": "executor"},
                },
            })
        };
        let mut events = rig
            .subscribe(&subscribe(json!({
                "unacknowledged_tasks": [task("a"), task("b")],
                "unacknowledged_updates": [
                    {"status": status("a", "TASK_RUNNING", UUID[0])},
                    {"status": status("b", "TASK_RUNNING", UUID[1])},
                ],
            })))
            .await;
        former.expect_end().await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        assert_eq!(events.event().await, acknowledged("a", UUID[0]));
        assert_eq!(events.event().await, acknowledged("b", UUID[1]));
        let mut news = Vec::new();
        for _ in 0..2 {
            let status = rig.update().await;
            news.push((status.task_id.to_string(), status.state, status.reason));
        }
        let dropped = (TaskState::Dropped, Some(Reason::AgentRestarted));
        let expected = [
            ("b".to_owned(), TaskState::Running, None),
            ("c".to_owned(), dropped.0, dropped.1),
        ];
        assert_eq!(news, expected);
    });
}

#[test]
fn an_executor_is_told_to_shut_down_and_destroyed_after_its_grace() {
    real(async {
        let mut rig = Rig::start_with(|options| agent::Options {
            executor_shutdown_grace_period: Duration::from_millis(10),
            ..options
        })
        .await;
        rig.master.expect::<api::master::Register>().await;
        rig.node
            .tell(&rig.agent, crate::rig::registered(crate::rig::SILENCE));
        let (executor, mut events) = rig.subscribed(&["a"]).await;
        let message = ShutdownExecutor {
            framework_id: framework_id(),
            executor_id: executor.executor_id.clone(),
        };
        rig.node.tell(&rig.agent, message);
        assert_eq!(events.event().await, json!({"type": "SHUTDOWN"}));
        // Its last news is taken; when it subscribes, it is told once more.
        rig.accepted(&update("a", "TASK_KILLED", UUID[0])).await;
        assert_eq!(events.event().await, acknowledged("a", UUID[0]));
        assert_eq!(rig.update().await.state, TaskState::Killed);
        let mut again = rig.subscribe(&subscribe(json!({}))).await;
        assert_eq!(again.event().await, json!({"type": "SHUTDOWN"}));
        again.expect_end().await;
        let destroyed = rig.destroyed.recv().await.unwrap();
        assert_eq!(destroyed, (executor.container_id.to_string(), Destroy::Now));
    });
}

#[test]
fn an_executor_that_dies_fails_its_tasks_and_its_stream_ends() {
    real(async {
        let mut rig = Rig::registered().await;
        let (executor, mut events) = rig.subscribed(&["a"]).await;
        rig.exited(&executor, ExitStatus::Signaled(9));
        events.expect_end().await;
        let failed: UpdateStatus = rig.master.expect().await;
        assert_eq!(failed.status.state, TaskState::Failed);
        assert_eq!(failed.status.reason, Some(Reason::ExecutorTerminated));
        let exited: ExecutorExited = rig.master.expect().await;
        assert_eq!(exited.exit, Exit::Signal(9));
        rig.acknowledge(&failed.status);
        rig.node.ask(&rig.agent, GetAgent {}).await.unwrap();
        let answer = rig.post(&update("a", "TASK_RUNNING", UUID[0])).await;
        assert_eq!(
            (answer.status, answer.text()),
            (400, "Framework cannot be found")
        );
    });
}

#[test]
fn an_executor_that_hangs_up_keeps_its_tasks() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, events) = rig.subscribed(&["a"]).await;
        drop(events);
        rig.accepted(&update("a", "TASK_RUNNING", UUID[0])).await;
        assert_eq!(rig.update().await.state, TaskState::Running);
        let mut events = rig.subscribe(&subscribe(json!({}))).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        rig.run(custom("b"));
        assert_eq!(events.event().await["type"], "LAUNCH");
    });
}

#[test]
fn who_is_no_subscriber_may_not_call() {
    real(async {
        let mut rig = Rig::registered().await;
        let message = call("MESSAGE", "message", json!({"data": ""}));
        let refused = async |rig: &Rig, call: &Value, status: u16, text: &str| {
            let answer = rig.post(call).await;
            assert_eq!((answer.status, answer.text()), (status, text), "{call}");
        };
        refused(&rig, &message, 400, "Framework cannot be found").await;
        rig.run(custom("a"));
        let (launched, mut executor) = rig.launched().await;
        launched.succeed(7);
        refused(&rig, &message, 403, "Executor is not subscribed").await;
        let mut other = message.clone();
        other["executor_id"]["value"] = json!("nope");
        refused(&rig, &other, 400, "Executor cannot be found").await;
        // One that has registered as a process does not lose its place to a stranger.
        rig.register(&executor);
        executor.probe.expect::<RegisteredActor>().await;
        refused(&rig, &message, 403, "Executor is not subscribed").await;
        let text = "another executor has that id";
        refused(&rig, &subscribe(json!({})), 403, text).await;
        rig.run(command("t"));
        rig.launched().await.0.succeed(8);
        let mut own = subscribe(json!({}));
        own["executor_id"]["value"] = json!("t");
        let text = "Executor is the agent's own, and speaks another way";
        refused(&rig, &own, 403, text).await;
        // Whoever says no more than that he is there is nobody in particular.
        rig.accepted(&call("HEARTBEAT", "none", json!(null))).await;
    });
}

#[test]
fn what_is_wrong_with_a_call_is_said_as_recorded() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let mut no_uuid = update("a", "TASK_RUNNING", UUID[0]);
        no_uuid["update"]["status"]["uuid"] = json!(null);
        let mut bad_source = update("a", "TASK_RUNNING", UUID[0]);
        bad_source["update"]["status"]["source"] = json!("SOURCE_MASTER");
        let mut bad_executor = update("a", "TASK_RUNNING", UUID[0]);
        bad_executor["update"]["status"]["executor_id"]["value"] = json!("f");
        let bare = call("UPDATE", "none", json!(null));
        let mut unknown = bare.clone();
        unknown["type"] = json!("ZZZ");
        let again = json!([{"status": {"task_id": {"value": "a"}, "state": "TASK_RUNNING"}}]);
        let again = subscribe(json!({"unacknowledged_updates": again}));
        let cases = [
            ("{x".to_owned(), "Failed to parse body into JSON"),
            (json!({}).to_string(), "executor_id"),
            (unknown.to_string(), "Expecting 'type' to be present"),
            (bare.to_string(), "Expecting 'update' to be present"),
            (no_uuid.to_string(), "Expecting 'uuid' to be present"),
            (
                bad_source.to_string(),
                "Received Call from executor e of framework F1 with invalid source, \
                 expecting 'SOURCE_EXECUTOR'",
            ),
            (
                bad_executor.to_string(),
                "ExecutorID in Call: e does not match ExecutorID in TaskStatus: f",
            ),
            (
                update("a", "TASK_STAGING", UUID[0]).to_string(),
                "TASK_STAGING",
            ),
            (
                update("a", "TASK_RUNNING", "AAAA").to_string(),
                "update.status.uuid",
            ),
            (
                update("a/b", "TASK_RUNNING", UUID[0]).to_string(),
                "update.status.task_id",
            ),
            (
                again.to_string(),
                "subscribe.unacknowledged_updates[0].status.uuid",
            ),
        ];
        for (body, text) in cases {
            let ask = Ask::post(PATH, JSON, body.as_bytes());
            let answer = ask.answer(rig.node.address()).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text());
            assert!(answer.text().contains(text), "{body}: {}", answer.text());
            assert!(
                answer.head.contains("text/plain; charset=utf-8"),
                "{}",
                answer.head
            );
        }
        let message = call("MESSAGE", "message", json!({"data": ""})).to_string();
        let good = Ask::post(PATH, JSON, message.as_bytes());
        let get = Ask {
            method: "GET",
            ..good
        };
        let put = Ask {
            method: "PUT",
            ..good
        };
        let (untyped, text) = (
            Ask {
                content_type: None,
                ..good
            },
            Ask {
                content_type: Some("text/plain"),
                ..good
            },
        );
        let html = Ask {
            accept: Some("text/html"),
            ..good
        };
        for (ask, status) in [
            (get, 405),
            (put, 405),
            (untyped, 400),
            (text, 415),
            (html, 406),
        ] {
            let answer = ask.answer(rig.node.address()).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            assert!(answer.text().starts_with("Expecting '") || status == 405);
            assert_eq!(
                answer.head.to_lowercase().contains("allow: post"),
                status == 405
            );
        }
    });
}

#[test]
fn mangled_calls_are_refused_and_change_nothing() {
    real(async {
        let seed: u64 = rand::rng().random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let before = rig.node.ask(&rig.agent, GetAgent {}).await.unwrap();
        let calls = [
            subscribe(json!({"unacknowledged_updates": []})),
            update("a", "TASK_RUNNING", UUID[0]),
            call("MESSAGE", "message", json!({"data": "aGk="})),
        ];
        let mut refused = 0;
        for round in 0..600 {
            let text = calls[round % calls.len()].to_string().into_bytes();
            let (content_type, mut body) = match round % 2 {
                0 => (JSON, text),
                _ => {
                    let call = api::v1::executor::Call::from_json(&text).unwrap();
                    (PROTOBUF, call.to_protobuf().to_vec())
                }
            };
            mangle(&mut body, &mut rng);
            let ask = Ask::post(PATH, content_type, &body);
            let status = ask.status(rig.node.address()).await;
            if status >= 400 {
                refused += 1;
                assert!(status < 500 || status == 501, "{status} for {body:?}");
                let after = rig.node.ask(&rig.agent, GetAgent {}).await.unwrap();
                if after.tasks[0].state == TaskState::Staging {
                    assert_eq!(after, before, "{body:?}");
                }
            }
        }
        assert!(refused > 100, "only {refused} were refused");
    });
}
