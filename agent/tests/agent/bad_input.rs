//! Every call that was recorded of Apache Mesos's clients, with one thing wrong at each of its
//! places in turn: it is refused with a sentence that names the place, or heard; and what is
//! refused leaves the agent as it was.

use api::agent::GetAgent;
use api::v1::Message;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Ask, Chunks, Heard, JSON, PROTOBUF, mangle};
use crate::executor_api::{PATH, real};
use crate::rig::Rig;
use crate::strange;

/// Of the strange calls that can be made of one call, so many are thrown.
const OF_EACH: usize = 25;
const OPERATOR: &str = "/api/v1";
/// Every door that takes a body, or could.
const DOORS: [&str; 5] = [
    PATH,
    OPERATOR,
    "/slave(1)/api/v1/executor",
    "/state",
    "/files/read",
];

fn recorded(door: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("recorded.json")).unwrap();
    all[door].as_array().unwrap().clone()
}

/// The recorded calls of executors that had nothing wrong, as the one of the rig would make them.
fn as_executor() -> Vec<Value> {
    let mut calls = recorded("executor");
    calls.retain(|call| {
        let body = call.to_string();
        let call = api::v1::executor::Call::from_json(body.as_bytes());
        let update = call.as_ref().ok().and_then(|call| call.update.as_ref());
        let named = update.is_none_or(|update| update.status.uuid.is_some());
        named && !body.contains("SOURCE_MASTER") && call.is_ok_and(|call| call.body_kind().is_ok())
    });
    for call in &mut calls {
        call["framework_id"] = json!({"value": "F1"});
        call["executor_id"] = json!({"value": "e"});
        if let Some(status) = call.pointer_mut("/update/status") {
            status["task_id"] = json!({"value": "a"});
            if status.get("executor_id").is_some() {
                status["executor_id"] = json!({"value": "e"});
            }
        }
    }
    calls
}

/// The rig, and what is thrown at it.
struct Target {
    rig: Rig,
    /// Streams that were opened, so that none ends in between.
    open: Vec<Chunks>,
}

impl Target {
    /// Throws, and compares what the agent has; what a refusal says comes back.
    async fn throw(&mut self, path: &str, encoding: &str, body: &[u8]) -> Option<String> {
        let shown = || String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
        let before = self.rig.node.ask(&self.rig.agent, GetAgent {}).await;
        let heard = Ask::post(path, encoding, body).heard(self.rig.node.address());
        match heard.await {
            Heard::Accepted(stream) => {
                self.open.push(stream);
                None
            }
            Heard::Refused(answer) => {
                let refused = [400, 403, 404, 413, 501].contains(&answer.status);
                assert!(refused, "{} for {}", answer.status, shown());
                assert!((10..4_000).contains(&answer.body.len()), "{}", shown());
                let after = self.rig.node.ask(&self.rig.agent, GetAgent {}).await;
                assert_eq!(after.unwrap(), before.unwrap(), "{}", shown());
                Some(answer.text().to_owned())
            }
        }
    }
}

#[test]
fn a_strange_call_of_an_executor_is_refused_by_the_name_of_what_is_strange() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let open = Vec::new();
        let (mut target, mut refused) = (Target { rig, open }, 0);
        for (seed, call) in as_executor().iter().enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            let all = strange::all(call);
            for strange in all.choose_multiple(&mut rng, OF_EACH) {
                let body = strange.call.to_string();
                let Some(text) = target.throw(PATH, JSON, body.as_bytes()).await else {
                    continue;
                };
                refused += 1;
                let known = [
                    "Framework cannot be",
                    "Executor cannot be",
                    "ExecutorID",
                    "uuid",
                ];
                let known = known.iter().any(|known| text.contains(known));
                assert!(
                    known || strange.is_named_in(&text),
                    "{text}: {:?} in {body:.900}",
                    strange.place
                );
            }
        }
        assert!(refused > 50, "{refused} calls were refused");
    });
}

#[test]
fn a_strange_call_of_an_operator_is_refused_by_the_name_of_what_is_strange() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let open = Vec::new();
        let mut target = Target { rig, open };
        for (seed, call) in recorded("operator").iter().enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            let all = strange::all(call);
            for strange in all.choose_multiple(&mut rng, OF_EACH) {
                let body = strange.call.to_string();
                let text = target.throw(OPERATOR, JSON, body.as_bytes()).await;
                let known = |text: &String| {
                    let known = ["not implemented", "No such file", "'"];
                    strange.is_named_in(text) || known.iter().any(|known| text.contains(known))
                };
                let fine = text.as_ref().is_none_or(known);
                assert!(fine, "{text:?}: {:?} in {body:.900}", strange.place);
            }
        }
    });
}

#[test]
fn protobuf_with_bytes_changed_cut_off_or_doubled_is_refused_or_heard() {
    fn bytes<M: Message>(call: &Value) -> Option<Vec<u8>> {
        let call = M::from_json(call.to_string().as_bytes()).ok()?;
        Some(call.to_protobuf().to_vec())
    }

    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let open = Vec::new();
        let mut target = Target { rig, open };
        let ours = as_executor();
        let theirs = recorded("operator");
        let ours = ours
            .iter()
            .filter(|call| call["type"] != "SUBSCRIBE")
            .filter_map(|call| Some((PATH, bytes::<api::v1::executor::Call>(call)?)));
        let theirs = theirs
            .iter()
            .filter_map(|call| Some((OPERATOR, bytes::<api::v1::agent::Call>(call)?)));
        for (seed, (path, call)) in ours.chain(theirs).enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            for _ in 0..20 {
                let mut body = call.clone();
                match rng.random_bool(0.3) {
                    true => body.truncate(rng.random_range(0..=body.len())),
                    false => mangle(&mut body, &mut rng),
                }
                target.throw(path, PROTOBUF, &body).await;
            }
        }
    });
}

#[test]
fn nobody_calls_in_the_name_of_another_framework_or_executor() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let open = Vec::new();
        let mut target = Target { rig, open };
        for call in as_executor() {
            for (field, text) in [("framework_id", "Framework"), ("executor_id", "Executor")] {
                for name in ["nobody", "f1", "F1 ", "E"] {
                    let mut call = call.clone();
                    call[field] = json!({"value": name});
                    let body = call.to_string();
                    let said = target.throw(PATH, JSON, body.as_bytes()).await;
                    let said = said.unwrap_or_else(|| panic!("heard: {body}"));
                    let known = said.contains(text) || said.contains("Expecting");
                    assert!(known, "{said}: {body}");
                }
            }
        }
    });
}

#[test]
fn no_door_takes_a_body_that_is_too_long_or_waits_for_one_that_breaks_off() {
    real(async {
        let mut rig = Rig::registered().await;
        let (_executor, _events) = rig.subscribed(&["a"]).await;
        let before = rig.node.ask(&rig.agent, GetAgent {}).await.unwrap();
        for door in DOORS {
            let head = format!("POST {door} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\n");
            let framing = [
                (format!("Content-Length: {}\r\n\r\n", 64 << 20), "413"),
                (
                    "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n".to_owned(),
                    "400",
                ),
            ];
            for (rest, status) in framing {
                let mut stream = TcpStream::connect(rig.node.address()).await.unwrap();
                stream
                    .write_all(format!("{head}{rest}").as_bytes())
                    .await
                    .unwrap();
                let mut answer = vec![0; 12];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes(), "{door}");
            }
            // Half a frame, and then nothing.
            let mut stream = TcpStream::connect(rig.node.address()).await.unwrap();
            let rest = "Transfer-Encoding: chunked\r\n\r\n40\r\n{\"type\": ";
            stream
                .write_all(format!("{head}{rest}").as_bytes())
                .await
                .unwrap();
        }
        assert_eq!(rig.node.ask(&rig.agent, GetAgent {}).await.unwrap(), before);
    });
}
