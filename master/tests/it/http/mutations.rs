//! Calls that are almost right, by seed: each is refused with a sentence or has its effect, within
//! limits, and what is refused changes nothing.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// So many calls are thrown at each door, in each encoding.
const CALLS: usize = 400;

fn scheduler_calls(scheduler: &Scheduler, offer: &Value) -> Vec<Value> {
    let (agent, task) = (offer["agent_id"].clone(), json!({"value": "t"}));
    let call = |kind: &str, body: Value| json!({"type": kind, "framework_id": scheduler.id, kind.to_lowercase(): body});
    let mut info = framework();
    info["id"] = scheduler.id.clone();
    vec![
        call("ACCEPT", accept(offer, &[task_on(offer, "t")])),
        call(
            "DECLINE",
            json!({"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 1.0}}),
        ),
        call("REVIVE", json!({"roles": ["*"]})),
        call("SUPPRESS", json!({"roles": ["*"]})),
        call(
            "KILL",
            json!({"task_id": task, "agent_id": agent,
            "kill_policy": {"grace_period": {"nanoseconds": 1}}}),
        ),
        call(
            "ACKNOWLEDGE",
            json!({"agent_id": agent, "task_id": task,
            "uuid": "AAAAAAAAAAAAAAAAAAAAAA=="}),
        ),
        call(
            "RECONCILE",
            json!({"tasks": [{"task_id": task, "agent_id": agent}]}),
        ),
        call(
            "MESSAGE",
            json!({"agent_id": agent, "executor_id": {"value": "e"}, "data": "aGVsbG8="}),
        ),
        call(
            "SHUTDOWN",
            json!({"agent_id": agent, "executor_id": {"value": "e"}}),
        ),
        call("UPDATE_FRAMEWORK", json!({"framework_info": info})),
        call("REQUEST", json!({"requests": []})),
        call(
            "RECONCILE_OPERATIONS",
            json!({"operations": [{"operation_id": {"value": "o"}}]}),
        ),
    ]
}

fn operator_calls() -> Vec<Value> {
    let id = json!({"value": "nobody"});
    vec![
        json!({"type": "GET_METRICS", "get_metrics": {"timeout": {"nanoseconds": 1}}}),
        json!({"type": "READ_FILE", "read_file": {"path": "/x", "offset": 0, "length": 1}}),
        json!({"type": "TEARDOWN", "teardown": {"framework_id": id}}),
        json!({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": id}}),
        json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [{"role": "/", "weight": 0}]}}),
    ]
}

/// Puts something else in a random place of a call.
fn mutate(value: &mut Value, rng: &mut StdRng) {
    let deeper = match value {
        Value::Object(map) if !map.is_empty() && rng.random_bool(0.8) => {
            let key = map
                .keys()
                .nth(rng.random_range(0..map.len()))
                .unwrap()
                .clone();
            if rng.random_bool(0.1) {
                map.remove(&key);
                return;
            }
            map.get_mut(&key)
        }
        Value::Array(items) if !items.is_empty() && rng.random_bool(0.8) => {
            let place = rng.random_range(0..items.len());
            items.get_mut(place)
        }
        _ => None,
    };
    match deeper {
        Some(deeper) => mutate(deeper, rng),
        None => *value = strange(rng),
    }
}

fn strange(rng: &mut StdRng) -> Value {
    match rng.random_range(0..12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1e300),
        4 => json!(u64::MAX),
        5 => json!("x".repeat(rng.random_range(0..10_000))),
        6 => json!("../\u{0}\n"),
        7 => json!([[[]]]),
        8 => json!({"value": {"value": []}}),
        9 => (0..200).fold(json!(0), |inner, _| json!([inner])),
        10 => (0..200).fold(json!({}), |inner, _| json!({"value": inner})),
        _ => json!([1, "two", null, {}]),
    }
}

/// Changes, drops, doubles or cuts off some of the bytes.
pub(super) fn mangle(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        let place = rng.random_range(0..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[place] = rng.random(),
            1 => drop(bytes.remove(place)),
            2 => bytes.insert(place, rng.random()),
            _ => bytes.truncate(place),
        }
    }
}

/// What is in the books, but for offers, which come and go by themselves.
pub(super) async fn books(address: SocketAddr) -> Value {
    let call = json!({"type": "GET_STATE"}).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = request(address, "POST /api/v1", &headers, call.as_bytes()).await;
    let mut state = answer.json()["get_state"].clone();
    for list in ["frameworks", "agents"] {
        for one in state[format!("get_{list}")][list].as_array_mut().unwrap() {
            for passing in ["offers", "offered_resources"] {
                one.as_object_mut().unwrap().remove(passing);
            }
        }
    }
    state
}

/// Throws a call, and checks what comes back. What was heard may be a stream.
async fn throw(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    seed: u64,
) -> Option<client::Connection> {
    let before = books(address).await;
    let line = format!("POST {path}");
    let mut connection = client::Connection::open(address).await;
    connection.send(&line, headers, body).await;
    let (status, heads) = connection.head().await;
    let shown = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
    if status < 300 {
        return Some(connection);
    }
    assert!(
        [400, 403, 404, 413, 501].contains(&status),
        "seed {seed}: {status} for {shown}"
    );
    let length: usize = heads["content-length"].parse().unwrap();
    assert!(
        (10..4_000).contains(&length),
        "seed {seed}: a text of {length} for {shown}"
    );
    assert_eq!(books(address).await, before, "seed {seed}: {shown}");
    None
}

#[test]
fn calls_that_are_almost_right_are_refused_or_heard() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let calls = scheduler_calls(&scheduler, &offer);
        let stream_id = scheduler.stream_id.clone();
        let headers = [
            ("Content-Type", "application/json"),
            ("Mesos-Stream-Id", stream_id.as_str()),
        ];
        for seed in 0..CALLS as u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut call = calls[rng.random_range(0..calls.len())].clone();
            mutate(&mut call, &mut rng);
            let mut bytes = call.to_string().into_bytes();
            if rng.random_bool(0.2) {
                mangle(&mut bytes, &mut rng);
            }
            throw(address, SCHEDULER, &headers, &bytes, seed).await;

            let mut call = operator_calls()[rng.random_range(0..operator_calls().len())].clone();
            mutate(&mut call, &mut rng);
            let body = call.to_string();
            throw(address, "/api/v1", &headers[..1], body.as_bytes(), seed).await;
        }
        scheduler.accepted("REVIVE", Value::Null).await;
    });
}

#[test]
fn protobuf_that_is_almost_right_is_refused_or_heard() {
    use api::v1::Message as _;
    use api::v1::scheduler::Call;

    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let calls = scheduler_calls(&scheduler, &offer);
        let stream_id = scheduler.stream_id.clone();
        let headers = [
            ("Content-Type", "application/x-protobuf"),
            ("Mesos-Stream-Id", stream_id.as_str()),
        ];
        for seed in 0..CALLS as u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let call = &calls[rng.random_range(0..calls.len())];
            let call = Call::from_json(call.to_string().as_bytes()).unwrap();
            let mut bytes = call.to_protobuf().to_vec();
            mangle(&mut bytes, &mut rng);
            throw(address, SCHEDULER, &headers, &bytes, seed).await;
        }
        scheduler.accepted("REVIVE", Value::Null).await;
    });
}

#[test]
fn subscriptions_that_are_almost_right_are_refused_or_heard() {
    http(|_, address| async move {
        let mut streams = Vec::new();
        for seed in 0..CALLS as u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut call = subscribe(&framework());
            call["subscribe"]["suppressed_roles"] = json!(["*"]);
            mutate(&mut call, &mut rng);
            let headers = [("Content-Type", "application/json")];
            streams.extend(
                throw(
                    address,
                    SCHEDULER,
                    &headers,
                    call.to_string().as_bytes(),
                    seed,
                )
                .await,
            );
        }
        Scheduler::subscribe(address, &framework()).await;
    });
}

#[test]
fn bodies_that_are_too_long_broken_off_or_slow_are_refused() {
    http(|_, address| async move {
        let headers = [("Content-Type", "application/json")];
        let long = vec![b' '; libproc::http::BODY_MAX + 1];
        for path in [SCHEDULER, "/api/v1"] {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n");
            // Announced, and not even sent.
            let mut stream = TcpStream::connect(address).await.unwrap();
            let text = format!("{head}Content-Length: {}\r\n\r\n", 64 << 20);
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = vec![0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 413");
            // Not announced.
            let mut stream = TcpStream::connect(address).await.unwrap();
            let text = format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                long.len()
            );
            stream.write_all(text.as_bytes()).await.unwrap();
            let _ = stream.write_all(&long).await; // it need not be read to its end
            let mut answer = vec![0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 413");
            // Broken off.
            let mut stream = TcpStream::connect(address).await.unwrap();
            let text = format!("{head}Content-Length: 100\r\n\r\n{{\"type\": ");
            stream.write_all(text.as_bytes()).await.unwrap();
            drop(stream);
        }
        // Slow.
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Length: 100\r\n\r\n{";
        connection.write_all(head.as_bytes()).await.unwrap();
        // Until the server has read the head.
        let health = json!({"type": "GET_HEALTH"}).to_string();
        for _ in 0..3 {
            let answer = request(address, "POST /api/v1", &headers, health.as_bytes()).await;
            assert_eq!(answer.status, 200);
        }
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(61)).await;
        tokio::time::resume();
        let mut answer = vec![0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 408");
    });
}
