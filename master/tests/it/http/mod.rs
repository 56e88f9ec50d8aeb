//! What is said over HTTP, byte by byte, on real sockets.

mod authentication;
mod bad_input;
mod calls;
mod client;
mod groups;
mod large_tasks;
mod logging;
mod long_pages;
mod maintenance;
mod mutations;
mod operators;
mod pages;
mod refusals;
mod shape;
#[path = "../../../api/tests/support/strange.rs"]
mod strange;
mod streams;
mod terms;

use std::net::SocketAddr;
use std::time::Duration;

use libproc::Node;
use serde_json::{Value, json};

use crate::world::*;
use client::{Answer, Events, get, request};

const SCHEDULER: &str = "/api/v1/scheduler";

/// Runs a test on real time, with a master.
fn http_with<F: Future<Output = ()>>(
    options: master::Options,
    test: impl FnOnce(World, SocketAddr) -> F,
) {
    let ended = libproc::run_alone(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let master = master::start(&node, options);
        let address = node.address();
        test(
            World {
                node: node.clone(),
                master,
            },
            address,
        )
        .await;
        node.shutdown().await;
        Ok(())
    });
    ended.expect("a free port");
}

fn http<F: Future<Output = ()>>(test: impl FnOnce(World, SocketAddr) -> F) {
    http_with(options(), test);
}

/// A framework as clients describe it.
fn framework() -> Value {
    json!({
        "user": "root", "name": "v1", "roles": ["*"], "failover_timeout": 60.0,
        "checkpoint": true, "principal": "somebody",
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
    })
}

fn subscribe(info: &Value) -> Value {
    let mut call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}});
    if let Some(id) = info.get("id") {
        call["framework_id"] = id.clone();
    }
    call
}

/// A scheduler that speaks HTTP.
struct Scheduler {
    address: SocketAddr,
    events: Events,
    id: Value,
    stream_id: String,
}

impl Scheduler {
    async fn subscribe(address: SocketAddr, info: &Value) -> Scheduler {
        let mut events = Events::subscribe(address, SCHEDULER, &subscribe(info)).await;
        let stream_id = events.headers["mesos-stream-id"].clone();
        let subscribed = events.next().await.expect("a first event");
        assert_eq!(subscribed["type"], "SUBSCRIBED", "{subscribed}");
        Scheduler {
            address,
            id: subscribed["subscribed"]["framework_id"].clone(),
            events,
            stream_id,
        }
    }

    /// Makes a call, as itself.
    async fn call(&self, kind: &str, body: Value) -> Answer {
        let mut call = json!({"type": kind, "framework_id": self.id});
        call[kind.to_lowercase()] = body;
        let headers = [
            ("Content-Type", "application/json"),
            ("Mesos-Stream-Id", &self.stream_id),
        ];
        let line = format!("POST {SCHEDULER}");
        request(self.address, &line, &headers, call.to_string().as_bytes()).await
    }

    /// Makes a call that is accepted.
    async fn accepted(&self, kind: &str, body: Value) {
        let answer = self.call(kind, body).await;
        assert_eq!(answer.status, 202, "{kind}: {}", answer.text());
        assert!(answer.body.is_empty() && !answer.headers.contains_key("content-type"));
        assert_eq!(answer.headers["content-length"], "0");
    }

    /// The first of the next offers.
    async fn offer(&mut self) -> Value {
        let offers = self.events.skip_to("OFFERS").await;
        offers["offers"]["offers"][0].clone()
    }
}

/// A task of a processor and 128 MiB on an offer.
fn task_on(offer: &Value, id: &str) -> Value {
    json!({
        "name": id, "task_id": {"value": id}, "agent_id": offer["agent_id"],
        "command": {"value": "sleep 60"},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 128}},
        ],
    })
}

fn accept(offer: &Value, tasks: &[Value]) -> Value {
    json!({
        "offer_ids": [offer["id"]],
        "operations": [{"type": "LAUNCH", "launch": {"task_infos": tasks}}],
    })
}
