//! Calls of the executor API that are refused: from nobody, wrong, and mangled.

use api::agent::GetAgent;
use api::executor::Registered;
use api::v1::Message as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use types::TaskState;

use crate::client::{Ask, JSON, PROTOBUF, mangle};
use crate::executor_api::{PATH, UUID, call, real, subscribe, update};
use crate::rig::{Rig, command, custom};

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
        executor.probe.expect::<Registered>().await;
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
