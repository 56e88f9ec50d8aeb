//! Every call that was recorded of Apache Mesos's clients, with one thing wrong at each of its
//! places in turn: it is refused with a sentence that names the place, or heard; and what is
//! refused leaves the books as they were.

use api::v1::Message;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::Connection;
use super::mutations::{books, mangle};
use super::strange::{self, Strange};
use super::*;

/// Of the strange calls that can be made of one call, so many are thrown.
const OF_EACH: usize = 25;
/// The statuses of a refusal.
const REFUSED: [u16; 5] = [400, 403, 404, 413, 501];
/// What a refusal may say, in bytes.
const TEXT_MAX: usize = 4_000;
/// A call is answered within this time, and a body that is too long refused.
const PATIENCE: Duration = Duration::from_secs(20);
/// Resident memory may grow by no more than this while strange things are thrown, in KiB.
const GROWTH_MAX_KIB: u64 = 256 << 10;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// Every door that takes a body, or could.
const DOORS: [&str; 8] = [
    SCHEDULER,
    "/api/v1",
    "/master/api/v1/scheduler",
    "/master/teardown",
    "/weights",
    "/quota",
    "/state",
    "/machine/down",
];

fn recorded(door: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("recorded.json")).unwrap();
    all[door].as_array().unwrap().clone()
}

/// Some of the strange calls that can be made of one.
fn some(call: &Value, rng: &mut StdRng) -> Vec<Strange> {
    let all = strange::all(call);
    all.choose_multiple(rng, OF_EACH).cloned().collect()
}

/// What became of a request.
enum Heard {
    Refused(String),
    /// With what it came on, which may be a stream.
    Accepted(Connection),
}

async fn throw(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Heard {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    let thrown = async {
        let mut connection = Connection::open(address).await;
        connection
            .send(&format!("POST {path}"), headers, body)
            .await;
        let (status, heads) = connection.head().await;
        if status < 300 {
            if !heads.contains_key("transfer-encoding") {
                return Heard::Accepted(connection);
            }
            // A subscription is refused on its stream.
            let first = connection.chunk().await.unwrap_or_default();
            let first = String::from_utf8_lossy(&first).into_owned();
            return match first.contains("\"ERROR\"") {
                true => Heard::Refused(first),
                false => Heard::Accepted(connection),
            };
        }
        assert!(REFUSED.contains(&status), "{status} for {}", shown());
        let length: usize = heads["content-length"].parse().unwrap();
        assert!((10..TEXT_MAX).contains(&length), "{length} for {}", shown());
        Heard::Refused(String::from_utf8(connection.exactly(length).await).expect("a text"))
    };
    let thrown = tokio::time::timeout(PATIENCE, thrown).await;
    thrown.unwrap_or_else(|_| panic!("no answer to {}", shown()))
}

/// The books, and what is thrown at them.
struct Target {
    address: SocketAddr,
    before: Value,
    /// Streams that were opened, so that none ends in between.
    open: Vec<Connection>,
}

impl Target {
    async fn new(address: SocketAddr) -> Target {
        let before = books(address).await;
        let open = Vec::new();
        Target {
            address,
            before,
            open,
        }
    }

    /// Throws, and compares the books; what a refusal says comes back.
    async fn throw(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<String> {
        let heard = throw(self.address, path, headers, body).await;
        let after = books(self.address).await;
        match heard {
            Heard::Refused(text) => {
                let shown = String::from_utf8_lossy(&body[..body.len().min(600)]);
                assert_eq!(after, self.before, "{text}, and the books changed: {shown}");
                Some(text)
            }
            Heard::Accepted(connection) => {
                self.before = after;
                self.open.push(connection);
                None
            }
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0)
}

/// The recorded calls of schedulers that had nothing wrong, as this one would make them.
fn as_scheduler(scheduler: &Scheduler) -> Vec<Value> {
    let mut calls = recorded("scheduler");
    calls.retain(|call| {
        let call = api::v1::scheduler::Call::from_json(call.to_string().as_bytes());
        call.is_ok_and(|call| call.body_kind().is_ok())
    });
    // A framework that ends, or comes twice, is no target any longer.
    calls.retain(|call| call["type"] != "TEARDOWN");
    for call in &mut calls {
        if call["type"] == "SUBSCRIBE" {
            call.as_object_mut().unwrap().remove("framework_id");
            let info = &mut call["subscribe"]["framework_info"];
            info.as_object_mut().unwrap().remove("id");
        } else {
            call["framework_id"] = scheduler.id.clone();
        }
        if let Some(info) = call.pointer_mut("/update_framework/framework_info") {
            let known = framework();
            for field in ["user", "principal", "checkpoint"] {
                info[field] = known[field].clone();
            }
            info["id"] = scheduler.id.clone();
        }
    }
    calls
}

#[test]
fn a_strange_call_of_a_scheduler_is_refused_by_the_name_of_what_is_strange() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let stream_id = scheduler.stream_id.clone();
        let named = [
            ("Content-Type", JSON),
            ("Mesos-Stream-Id", stream_id.as_str()),
        ];
        let mut target = Target::new(address).await;
        let (memory, mut refused) = (resident_kib(), 0);
        for (seed, call) in as_scheduler(&scheduler).iter().enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            let headers = match call["type"] == "SUBSCRIBE" {
                true => &named[..1],
                false => &named,
            };
            for strange in some(call, &mut rng) {
                let body = strange.call.to_string();
                let text = target.throw(SCHEDULER, headers, body.as_bytes()).await;
                if let Some(text) = text {
                    refused += 1;
                    let known = strange.is_named_in(&text) || text.starts_with("Framework cannot");
                    assert!(known, "{text}: {:?} in {body:.900}", strange.place);
                }
            }
        }
        assert!(refused > 200, "{refused} calls were refused");
        let grown = resident_kib().saturating_sub(memory);
        assert!(grown < GROWTH_MAX_KIB, "{grown} KiB more");
        scheduler.accepted("REVIVE", Value::Null).await;
    });
}

#[test]
fn a_strange_call_of_an_operator_is_refused_by_the_name_of_what_is_strange() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut target = Target::new(address).await;
        let headers = [("Content-Type", JSON), ("Accept", JSON)];
        for (seed, call) in recorded("operator").iter().enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            for strange in some(call, &mut rng) {
                let body = strange.call.to_string();
                let text = target.throw("/api/v1", &headers, body.as_bytes()).await;
                let known = |text: &String| {
                    strange.is_named_in(text)
                        || text.contains("not implemented")
                        || text.starts_with("No framework found")
                        || text.contains("has no file")
                };
                let fine = text.as_ref().is_none_or(known);
                assert!(fine, "{text:?}: {:?} in {body:.900}", strange.place);
            }
        }
        assert_eq!(get(address, "/health").await.status, 200);
    });
}

#[test]
fn protobuf_with_bytes_changed_cut_off_or_doubled_is_refused_or_heard() {
    use api::v1::{master, scheduler};

    fn bytes<M: Message>(call: &Value) -> Option<Vec<u8>> {
        // What is no call in JSON either cannot be written in protobuf.
        let call = M::from_json(call.to_string().as_bytes()).ok()?;
        Some(call.to_protobuf().to_vec())
    }

    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let stream_id = scheduler.stream_id.clone();
        let named = [
            ("Content-Type", PROTOBUF),
            ("Mesos-Stream-Id", stream_id.as_str()),
        ];
        let mut target = Target::new(address).await;
        let ours = as_scheduler(&scheduler);
        let ours = ours.iter().filter(|call| call["type"] != "SUBSCRIBE");
        let ours = ours.filter_map(|call| Some((SCHEDULER, bytes::<scheduler::Call>(call)?)));
        let operators = recorded("operator");
        let theirs = operators
            .iter()
            .filter(|call| call["type"] != "SUBSCRIBE")
            .filter_map(|call| Some(("/api/v1", bytes::<master::Call>(call)?)));
        for (seed, (path, call)) in ours.chain(theirs).enumerate() {
            let mut rng = StdRng::seed_from_u64(seed as u64);
            let headers = match path == SCHEDULER {
                true => &named[..],
                false => &named[..1],
            };
            for _ in 0..20 {
                let mut body = call.clone();
                match rng.random_bool(0.3) {
                    true => body.truncate(rng.random_range(0..=body.len())),
                    false => mangle(&mut body, &mut rng),
                }
                target.throw(path, headers, &body).await;
            }
        }
        scheduler.accepted("REVIVE", Value::Null).await;
    });
}

#[test]
fn a_call_with_another_stream_id_is_refused() {
    http(|_, address| async move {
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let other = Scheduler::subscribe(address, &framework()).await;
        let mut target = Target::new(address).await;
        let long = "x".repeat(4_000);
        let ids = [
            "",
            "x",
            "00000000-0000-0000-0000-000000000000",
            other.stream_id.as_str(),
            long.as_str(),
        ];
        for call in as_scheduler(&scheduler) {
            if call["type"] == "SUBSCRIBE" {
                continue;
            }
            let body = call.to_string();
            for id in ids {
                let headers = [("Content-Type", JSON), ("Mesos-Stream-Id", id)];
                let text = target.throw(SCHEDULER, &headers, body.as_bytes()).await;
                let text = text.unwrap_or_else(|| panic!("heard with '{id}': {body}"));
                assert!(text.to_lowercase().contains("stream"), "{text}");
            }
        }
    });
}

#[test]
fn nobody_calls_in_the_name_of_another_framework_or_for_what_is_anothers() {
    http(|world, address| async move {
        let running = Running::new(&world).await;
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let mut victim = Scheduler::subscribe(address, &framework()).await;
        let headers = [
            ("Content-Type", JSON),
            ("Mesos-Stream-Id", scheduler.stream_id.as_str()),
        ];
        let mut target = Target::new(address).await;
        // In the name of one that speaks HTTP, of one that does not, of one that is nobody.
        let names = [
            victim.id.clone(),
            json!({"value": running.framework_id.as_str()}),
            json!({"value": "nobody"}),
        ];
        for mut call in as_scheduler(&scheduler) {
            if call["type"] == "SUBSCRIBE" {
                continue;
            }
            for name in &names {
                call["framework_id"] = name.clone();
                if let Some(info) = call.pointer_mut("/update_framework/framework_info") {
                    info["id"] = name.clone();
                }
                let body = call.to_string();
                let text = target.throw(SCHEDULER, &headers, body.as_bytes()).await;
                let text = text.unwrap_or_else(|| panic!("heard: {body}"));
                assert!(
                    ["ramework", "stream ID", "Expecting '"]
                        .iter()
                        .any(|known| text.contains(known)),
                    "{text}: {body}"
                );
            }
        }
        // In its own name, but for another's task: its calls are heard and change nothing.
        scheduler.accepted("SUPPRESS", Value::Null).await;
        let suppress = api::master::Suppress {
            framework_id: running.framework_id.clone(),
            roles: Vec::new(),
        };
        running.scheduler.say(&world.master, suppress);
        running.scheduler.said().await;
        let _another = world.agent("another").await;
        let task =
            json!({"task_id": {"value": "t"}, "agent_id": {"value": running.agent_id.as_str()}});
        let before = books(address).await;
        scheduler.accepted("KILL", task.clone()).await;
        let mut acknowledge = task.clone();
        acknowledge["uuid"] = json!("AAAAAAAAAAAAAAAAAAAAAA==");
        scheduler.accepted("ACKNOWLEDGE", acknowledge).await;
        assert_eq!(books(address).await, before);
        // And for another's offers.
        let offer = victim.offer().await;
        let offers = json!({"offer_ids": [offer["id"]]});
        scheduler.accepted("DECLINE", offers).await;
        let tasks = [task_on(&offer, "stolen")];
        scheduler.accepted("ACCEPT", accept(&offer, &tasks)).await;
        assert_eq!(books(address).await, before);
        victim
            .accepted("ACCEPT", accept(&offer, &[task_on(&offer, "own")]))
            .await;
        let after = books(address).await;
        assert!(after["get_tasks"].to_string().contains("\"own\""));
        assert!(!after["get_tasks"].to_string().contains("stolen"));
    });
}

#[test]
fn no_door_takes_a_body_that_is_too_long_or_waits_for_one_that_breaks_off() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let before = books(address).await;
        let memory = resident_kib();
        for door in DOORS {
            for encoding in [JSON, PROTOBUF] {
                let head =
                    format!("POST {door} HTTP/1.1\r\nHost: m\r\nContent-Type: {encoding}\r\n");
                // Announced.
                let mut stream = TcpStream::connect(address).await.unwrap();
                let text = format!("{head}Content-Length: {}\r\n\r\n", 64 << 20);
                stream.write_all(text.as_bytes()).await.unwrap();
                let mut answer = vec![0; 12];
                let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
                read.expect("it answers").unwrap();
                assert_eq!(answer, b"HTTP/1.1 413", "{door}");
                // Half a frame, and then nothing.
                let mut stream = TcpStream::connect(address).await.unwrap();
                let text = format!("{head}Transfer-Encoding: chunked\r\n\r\n40\r\n{{\"type\": ");
                stream.write_all(text.as_bytes()).await.unwrap();
                drop(stream);
                // What is no frame at all.
                let mut stream = TcpStream::connect(address).await.unwrap();
                let text = format!("{head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n{{}}\r\n");
                stream.write_all(text.as_bytes()).await.unwrap();
                let mut answer = vec![0; 12];
                let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
                read.expect("it answers").unwrap();
                assert_eq!(answer, b"HTTP/1.1 400", "{door}");
            }
        }
        // Sixty-four megabytes that nobody announced, at the busiest door.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST {SCHEDULER} HTTP/1.1\r\nHost: m\r\nContent-Type: {JSON}\r\n");
        let text = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let part = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
        for _ in 0..64 {
            if stream.write_all(&part).await.is_err() {
                break; // it has heard enough
            }
        }
        assert_eq!(books(address).await, before);
        let grown = resident_kib().saturating_sub(memory);
        assert!(grown < GROWTH_MAX_KIB, "{grown} KiB more");
    });
}

#[test]
fn strange_forms_and_queries_of_pages_are_refused_and_change_nothing() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let _scheduler = Scheduler::subscribe(address, &framework()).await;
        let before = books(address).await;
        let long = "9".repeat(400);
        for query in [
            "tasks?limit=-1".to_owned(),
            "tasks?limit=1e3".to_owned(),
            format!("tasks?offset={long}"),
            "tasks?order=%00".to_owned(),
            "state?jsonp=%3Cscript%3E".to_owned(),
            format!("frameworks?jsonp={}", "f".repeat(300)),
        ] {
            let answer = get(address, &format!("/master/{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            let (_, query) = query.split_once('?').unwrap();
            let (name, _) = query.split_once('=').unwrap();
            assert!(
                answer.text().contains(&format!("'{name}'")),
                "{}",
                answer.text()
            );
        }
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        for body in [
            "",
            "frameworkId",
            "frameworkId=",
            "frameworkId=%ff",
            "\u{0}=1&&&=",
        ] {
            let answer = request(address, "POST /teardown", &form, body.as_bytes()).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(answer.text().contains("ramework"), "{}", answer.text());
        }
        let weights = json!([{"role": "dev", "weight": 2.5}]);
        for strange in strange::all(&weights) {
            let body = strange.call.to_string();
            let answer = request(address, "PUT /weights", &[], body.as_bytes()).await;
            assert!(
                [200, 400].contains(&answer.status),
                "{}: {body}",
                answer.status
            );
            if answer.status == 400 {
                assert!(
                    answer.text().contains("weight"),
                    "{}: {body}",
                    answer.text()
                );
            }
        }
        assert_eq!(books(address).await, before);
    });
}
