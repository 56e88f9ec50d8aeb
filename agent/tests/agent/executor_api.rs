//! Executors that speak the v1 API: subscribed, served, lost, and found again.

use std::future::Future;
use std::time::Duration;

use agent::launcher::{Destroy, ExitStatus};
use api::agent::{GetAgent, ShutdownExecutor, Stop, ToExecutor};
use api::executor::Exit;
use api::master::{ExecutorExited, ToFramework, UpdateStatus};
use api::v1::Message as _;
use api::v1::executor::{Event, EventBody};
use serde_json::{Value, json};
use types::{Reason, Resources, TaskInfo, TaskState};

use crate::client::{Answer, Ask, Chunks, JSON, PROTOBUF};
use crate::rig::{Launched, Rig, StandIn, custom, framework_id};

pub(crate) const PATH: &str = "/api/v1/executor";
/// Longest time for anything: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const UUID: [&str; 2] = ["x2xjiTTmTv+ubo3URIcq9g==", "Cd0/u0itSdGgoMHnBjxgnw=="];

/// Runs a test on real time, for sockets.
pub(crate) fn real(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let test = async { tokio::time::timeout(PATIENCE, test).await.expect("in time") };
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

impl Rig {
    pub(crate) async fn post(&self, call: &Value) -> Answer {
        let body = call.to_string();
        let ask = Ask::post(PATH, JSON, body.as_bytes());
        ask.answer(self.node.address()).await
    }

    pub(crate) async fn accepted(&self, call: &Value) {
        let answer = self.post(call).await;
        assert_eq!((answer.status, answer.text()), (202, ""), "{call}");
    }

    pub(crate) async fn subscribe(&self, call: &Value) -> Chunks {
        let body = call.to_string();
        // With the name that Apache Mesos's agent has.
        let ask = Ask::post("/slave(1)/api/v1/executor", JSON, body.as_bytes());
        ask.stream(self.node.address()).await
    }

    /// An executor launched for these tasks and subscribed; what it was told of itself and of them
    /// is read.
    pub(crate) async fn subscribed(&mut self, tasks: &[&str]) -> (StandIn, Chunks) {
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

pub(crate) fn call(kind: &str, name: &str, body: Value) -> Value {
    let mut call = json!({
        "type": kind,
        "framework_id": {"value": "F1"},
        "executor_id": {"value": "e"},
    });
    call[name] = body;
    call
}

pub(crate) fn subscribe(body: Value) -> Value {
    call("SUBSCRIBE", "subscribe", body)
}

pub(crate) fn status(task: &str, state: &str, uuid: &str) -> Value {
    json!({
        "task_id": {"value": task},
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "executor_id": {"value": "e"},
        "uuid": uuid,
        "timestamp": 1795179511.3939357,
    })
}

pub(crate) fn update(task: &str, state: &str, uuid: &str) -> Value {
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
fn an_agent_that_stops_shuts_its_executors_down_first() {
    real(async {
        let mut rig = Rig::registered().await;
        let (executor, mut events) = rig.subscribed(&["a"]).await;
        let gone = rig.node.exit_of(rig.agent.upid());
        rig.node.tell(&rig.agent, Stop { unregister: false });
        assert_eq!(events.event().await, json!({"type": "SHUTDOWN"}));
        rig.exited(&executor, ExitStatus::Exited(0));
        events.expect_end().await;
        gone.await;
    });
}

#[test]
fn an_agent_that_breaks_off_tells_its_executors_and_hangs_up() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, mut events) = rig.subscribed(&["a"]).await;
        rig.node.terminate(rig.agent.upid());
        assert_eq!(events.event().await, json!({"type": "SHUTDOWN"}));
        events.expect_end().await;
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

/// A task with a megabyte of data.
fn heavy(number: usize) -> TaskInfo {
    TaskInfo {
        data: vec![b'x'; 1 << 20],
        resources: Resources::new().cpus(0.01).mem_mib(1),
        ..custom(&format!("t{number}"))
    }
}

#[test]
fn an_executor_that_reads_late_misses_nothing() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, mut events) = rig.subscribed(&["a"]).await;
        for number in 0..30 {
            rig.run(heavy(number));
        }
        rig.node.ask(&rig.agent, GetAgent {}).await.unwrap();
        for number in 0..30 {
            let launch = events.event().await;
            assert_eq!(
                launch["launch"]["task"]["task_id"]["value"],
                format!("t{number}")
            );
        }
    });
}

#[test]
fn an_executor_that_never_reads_is_cut_off_and_loses_what_it_missed() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, mut events) = rig.subscribed(&["a"]).await;
        for number in 0..80 {
            rig.run(heavy(number));
        }
        // Nothing is read until its stand-in has given up.
        while rig
            .get("/processes")
            .await
            .text()
            .contains("ExecutorStream")
        {}
        let mut again = rig.subscribe(&subscribe(json!({}))).await;
        while events.chunk().await.is_some() {}
        assert_eq!(again.event().await["type"], "SUBSCRIBED");
        let dropped = rig.update().await;
        assert_eq!(dropped.reason, Some(Reason::AgentRestarted));
    });
}
