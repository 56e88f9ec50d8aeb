//! Strangers say nonsense to a master and an agent at work, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/rig/mod.rs"]
mod rig;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use libproc::Upid;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rig::absurd::{Absurd, absurd_tasks};
use rig::siege::Siege;
use rig::stranger::{self, PREFACE, Stranger, VERSION, ask, define, frame, hello, letter};
use rig::{corpus, eventually};
use sdk::prelude::*;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

/// Longest time of a test.
const LIMIT: Duration = Duration::from_secs(90);
/// The tests here measure what daemons do under load, each for itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn besiege(test: &'static str, siege: impl AsyncFnOnce(&Siege, StdRng)) {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let seed = rig::seed(test);
    rig::run(LIMIT, async move {
        let besieged = Siege::begin("garbage").await;
        siege(&besieged, StdRng::seed_from_u64(seed)).await;
        besieged.end().await;
    });
}

/// An address where nobody listens.
fn nowhere(siege: &Siege, number: u32) -> SocketAddr {
    let SocketAddr::V4(here) = siege.cluster.node.address() else {
        panic!("an IPv4 address")
    };
    let [_, a, b, c] = here.ip().octets();
    SocketAddr::from(([127, a ^ 32, b, c], 1 + (number % 60_000) as u16))
}

#[test]
fn bytes_that_are_no_conversation() {
    besiege("bytes_that_are_no_conversation", async |siege, mut rng| {
        for (_, door) in siege.doors() {
            noise(door, &mut rng).await;
            bad_greetings(siege, door).await;
            bad_frames(siege, door, &mut rng).await;
        }
    });
}

/// Random bytes, with and without the preface that nodes open with.
async fn noise(door: SocketAddr, rng: &mut StdRng) {
    for round in 0..200 {
        let mut bytes = vec![0; rng.random_range(1..20_000)];
        rng.fill_bytes(&mut bytes);
        if round % 2 == 0 {
            bytes.splice(0..0, PREFACE.iter().copied());
        }
        let mut stranger = Stranger::dial(door).await;
        stranger.say(&bytes).await;
    }
}

/// Greetings that are cut short, of another version, too long, or not to be read.
async fn bad_greetings(siege: &Siege, door: SocketAddr) {
    let before = siege.count(door, "libproc/refused_connections").await;
    let address = nowhere(siege, 1);
    let whole = [&PREFACE[..], &hello(VERSION, address)].concat();
    for end in 1..whole.len() {
        Stranger::dial(door).await.say(&whole[..end]).await;
    }
    let long = [&2_000u32.to_le_bytes()[..], &[0x80; 2_000]].concat();
    let endless = u32::MAX.to_le_bytes().to_vec();
    let nonsense = [&4u32.to_le_bytes()[..], b"\xc1\xc1\xc1\xc1"].concat();
    // One that claims to be the very node it speaks to.
    let itself = hello(VERSION, door);
    let bad = [
        hello(0, address),
        hello(VERSION - 1, address),
        hello(65_535, address),
        long,
        endless,
        nonsense,
        itself,
    ];
    let count = bad.len() as u64;
    for bytes in bad {
        let mut stranger = Stranger::dial(door).await;
        stranger.say(&[&PREFACE[..], &bytes].concat()).await;
        stranger.await_end("a bad greeting").await;
    }
    let after = siege.count(door, "libproc/refused_connections").await;
    assert!(
        after >= before + count,
        "{} of {count} bad greetings are counted",
        after - before
    );
}

/// Frames after a good greeting: too long, cut short, of no kind, with numbers nobody defined.
async fn bad_frames(siege: &Siege, door: SocketAddr, rng: &mut StdRng) {
    let before = siege.count(door, "libproc/bad_frames").await;
    let flood: Vec<u8> = (0..70_000u32)
        .flat_map(|n| frame(stranger::TO, &n.to_le_bytes().map(|b| b'a' + b % 16)))
        .collect();
    let bad = [
        u32::MAX.to_le_bytes().to_vec(),
        ((16u32 << 20) + 1).to_le_bytes().to_vec(),
        0u32.to_le_bytes().to_vec(),
        frame(99, b"?"),
        frame(stranger::LETTER, b"x"),
        frame(stranger::TO, &[0xff, 0xfe]),
        frame(stranger::TO, &[b'x'; 4_000]),
        frame(stranger::LINK, b"a b@c/d"),
        letter(0, 0, b""),
        frame(10, &[0xc1]),
        flood,
    ];
    for (number, bytes) in bad.iter().enumerate() {
        let mut stranger = Stranger::dial(door).await;
        stranger.greet(nowhere(siege, 100 + number as u32)).await;
        stranger.say(bytes).await;
        stranger.await_end("a bad frame").await;
    }
    let after = siege.count(door, "libproc/bad_frames").await;
    assert!(
        after >= before + bad.len() as u64,
        "{} of {} are counted",
        after - before,
        bad.len()
    );

    // Half of a frame, and then nothing.
    let mut halves = Vec::new();
    for number in 0..20 {
        let mut stranger = Stranger::dial(door).await;
        stranger.greet(nowhere(siege, 200 + number)).await;
        stranger.say(&frame(stranger::NAME, b"Register")[..7]).await;
        halves.push(stranger);
    }
    for number in 0..300 {
        let mut stranger = Stranger::dial(door).await;
        stranger.greet(nowhere(siege, 1_000 + number)).await;
        let mut bytes = define("master", "stranger", &["Register", "GetTasks", "ReadFile"]);
        bytes.extend(frame(stranger::TO, b"agent"));
        for _ in 0..rng.random_range(1..30) {
            let mut body = vec![0; rng.random_range(0..60)];
            rng.fill_bytes(&mut body);
            // Small numbers, so that many of them are defined.
            body.iter_mut().take(10).for_each(|byte| *byte %= 2);
            bytes.extend(frame(rng.random_range(1..14), &body));
        }
        stranger.say(&bytes).await;
    }
    drop(halves);
}

#[test]
fn messages_that_are_almost_right() {
    besiege("messages_that_are_almost_right", async |siege, mut rng| {
        for (id, door) in siege.doors() {
            let before = drops(siege, id, door).await;
            for number in 0..400 {
                let address = nowhere(siege, 5_000 + number);
                let sender = Upid::new("stranger", address).unwrap();
                let messages = match id {
                    "master" => corpus::to_master(&sender),
                    _ => corpus::to_agent(&sender),
                };
                let names: Vec<&str> = messages.iter().map(|(name, _)| *name).collect();
                let mut stranger = Stranger::dial(door).await;
                stranger.greet(address).await;
                let mut bytes = define(id, "stranger", &names);
                // As they are at first, in order; then any of them, with something wrong.
                for name in 0..messages.len() {
                    let at = if number < 5 {
                        name
                    } else {
                        rng.random_range(0..messages.len())
                    };
                    let mut value = messages[at].1.clone();
                    if number >= 5 && rng.random_bool(0.7) {
                        stranger::mangle(&mut value, &mut rng);
                    }
                    let body = stranger::bytes(&value);
                    bytes.extend(match rng.random_bool(0.2) {
                        // An agent obeys whoever is no process, as operators are.
                        true if id == "master" => ask(at as u16, u64::from(number), &body),
                        _ => letter(0, at as u16, &body),
                    });
                }
                stranger.say(&bytes).await;
                if number % 40 == 0 {
                    siege.await_runs(1).await;
                }
            }
            let after = drops(siege, id, door).await;
            println!("{id}: {} messages are counted as dropped", after - before);
            assert!(after > before, "{id} counts no dropped message");
        }
    });
}

/// How many messages a daemon has dropped, for whatever reason.
async fn drops(siege: &Siege, id: &str, door: SocketAddr) -> u64 {
    let undecodable = siege.count(door, "libproc/dead_letters/Undecodable").await;
    let page = rig::http::json(door, &format!("/{id}/metrics"))
        .await
        .unwrap_or_default();
    let dropped = page["counters"]["messages_dropped"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    undecodable
        + dropped
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum::<u64>()
}

#[test]
fn an_agent_that_comes_back_with_thousands_of_tasks_is_heard_out() {
    besiege(
        "an_agent_that_comes_back_with_thousands_of_tasks_is_heard_out",
        async |siege, _| {
            let door = siege.cluster.master.address();
            let twice: Vec<_> = (0..5_000).map(|_| corpus::task("twice")).collect();
            let many = |count: u32| (0..count).map(|number| corpus::task(&format!("t{number}")));
            let small = |task| types::Task {
                resources: "oddities:1".parse().unwrap(),
                ..task
            };
            // Together more than the agent has, and more than can be summed up.
            let greedy: Vec<_> = many(300).collect();
            let many: Vec<_> = many(5_000).map(small).collect();
            for (number, tasks) in (9_000..).zip([twice, many, greedy]) {
                // From elsewhere each time, so that no break of the last one is in the way.
                let address = nowhere(siege, number);
                let sender = Upid::new("stranger", address).unwrap();
                let mut stranger = Stranger::dial(door).await;
                stranger.greet(address).await;
                stranger
                    .say(&define("master", "stranger", &["Reregister", "GetMaster"]))
                    .await;
                let (_, value) = stranger::value(&corpus::reregister(&sender, tasks));
                let body = stranger::bytes(&value);
                for _ in 0..3 {
                    assert!(stranger.say(&letter(0, 0, &body)).await);
                }
                // Answered once all of it was handled.
                stranger.say(&ask(1, 1, b"\x80")).await;
                siege.await_runs(2).await;
            }
        },
    );
}

#[test]
fn tasks_that_make_no_sense_end_one_by_one_and_harm_nobody() {
    besiege(
        "tasks_that_make_no_sense_end_one_by_one_and_harm_nobody",
        async |siege, _| {
            let wanted: BTreeMap<&str, &[TaskState]> = absurd_tasks()
                .into_iter()
                .map(|(what, _, ends)| (what, ends))
                .collect();
            let named = |(what, task, _): (&str, Task, _)| task.id(TaskId::new(what).unwrap());
            let tasks = absurd_tasks().into_iter().map(named).collect();
            let (heard, mut updates) = mpsc::unbounded_channel();
            let master = siege.cluster.master_pid();
            let framework = Absurd { tasks, heard };
            let info = FrameworkInfo::new("absurd");
            let _framework = sdk::start(&siege.cluster.node, master, framework, info).unwrap();
            let mut ended = BTreeMap::new();
            while ended.len() < wanted.len() {
                let update = tokio::time::timeout(Duration::from_secs(30), updates.recv()).await;
                let update = update.unwrap_or_else(|_| panic!("only these have ended: {ended:?}"));
                let TaskUpdate {
                    task_id,
                    state,
                    message,
                    ..
                } = update.unwrap();
                if state.is_terminal() {
                    let message: String = message.unwrap_or_default().chars().take(200).collect();
                    assert!(
                        wanted[task_id.as_str()].contains(&state),
                        "{task_id}: {state}: {message}"
                    );
                    ended.insert(task_id, (state, message));
                }
            }
            for (task, (state, message)) in &ended {
                println!("{task}: {state}: {message}");
            }
        },
    );
}

#[test]
fn a_body_that_nests_without_end_overflows_no_stack() {
    besiege(
        "a_body_that_nests_without_end_overflows_no_stack",
        async |siege, _| {
            for (id, door) in siege.doors() {
                for (number, opening) in [&b"\x91"[..], b"\x81\xa1x", b"\x81\xa4info"]
                    .iter()
                    .enumerate()
                {
                    let mut stranger = Stranger::dial(door).await;
                    stranger.greet(nowhere(siege, 300 + number as u32)).await;
                    let names = [
                        "Register",
                        "Reregister",
                        "GetTasks",
                        "RunTask",
                        "Accept",
                        "Registered",
                    ];
                    stranger.say(&define(id, "stranger", &names)).await;
                    for name in 0..names.len() as u16 {
                        let body = opening.repeat(100_000);
                        stranger.say(&letter(0, name, &body)).await;
                        // A field nobody knows is skipped, whatever is in it.
                        let unknown = [b"\x81\xa7unknown", &opening.repeat(100_000)[..]].concat();
                        stranger.say(&letter(0, name, &unknown)).await;
                    }
                }
                siege.await_runs(1).await;
            }
        },
    );
}

#[test]
fn a_peer_that_never_reads_costs_little() {
    besiege("a_peer_that_never_reads_costs_little", async |siege, _| {
        for (id, door) in siege.doors() {
            let question = if id == "master" {
                "GetTasks"
            } else {
                "GetAgent"
            };
            let fields = match id {
                "master" => b"\x82\xacframework_id\xc0\xa5ended\xc3".to_vec(),
                _ => b"\x80".to_vec(),
            };
            let pings = frame(stranger::PING, b"").repeat(20_000);
            let links: Vec<u8> = (0..20_000u32)
                .flat_map(|n| frame(stranger::LINK, format!("nobody-{n}").as_bytes()))
                .collect();
            let asks: Vec<u8> = (0..5_000u64)
                .flat_map(|number| ask(0, number, &fields))
                .collect();
            let lost: Vec<u8> = (0..20_000u64)
                .flat_map(|number| ask(1, number, b""))
                .collect();
            for (number, (what, bytes)) in [
                ("pings", pings),
                ("links", links),
                ("questions", asks),
                ("wrong questions", lost),
            ]
            .into_iter()
            .enumerate()
            {
                let mut stranger = Stranger::dial_narrow(door).await;
                stranger.greet(nowhere(siege, 400 + number as u32)).await;
                stranger
                    .say(&define(id, "stranger", &[question, "Nonsense"]))
                    .await;
                let mut sent = 0;
                let until = std::time::Instant::now() + Duration::from_secs(4);
                // Until it is stopped, by a full connection or by its end.
                while sent < 100 && std::time::Instant::now() < until {
                    let said =
                        tokio::time::timeout(Duration::from_secs(1), stranger.say(&bytes)).await;
                    match said {
                        Ok(true) => sent += 1,
                        Ok(false) | Err(_) => break,
                    }
                }
                println!("{id}: {sent} times {} bytes of {what}", bytes.len());
                siege.await_runs(1).await;
            }
        }
    });
}

#[test]
fn connections_that_say_little_or_nothing_hinder_nobody() {
    besiege(
        "connections_that_say_little_or_nothing_hinder_nobody",
        async |siege, _| {
            for (_, door) in siege.doors() {
                let mut idle = Vec::new();
                for number in 0..500 {
                    let mut stranger = Stranger::dial(door).await;
                    match number % 5 {
                        0 => stranger.greet(nowhere(siege, 2_000 + number)).await,
                        1 => drop(stranger.say(&PREFACE[..3]).await),
                        2 => drop(stranger.say(b"GET /help HTTP/1.1\r\nHost: ").await),
                        _ => {}
                    }
                    idle.push(stranger);
                }
                // Slowly, byte by byte.
                for round in 0..20 {
                    for stranger in idle.iter_mut().skip(2).step_by(5) {
                        stranger.say(if round % 2 == 0 { b"a" } else { b"-" }).await;
                    }
                    siege.await_runs(1).await;
                }
            }
        },
    );
}

#[test]
fn http_that_is_none_gets_a_plain_answer() {
    besiege(
        "http_that_is_none_gets_a_plain_answer",
        async |siege, mut rng| {
            for (id, door) in siege.doors() {
                let requests = rig::http::bad_requests(id);
                for request in &requests {
                    let answer = answer(door, request.as_bytes()).await;
                    let request: String = request.chars().take(100).collect();
                    assert!(!answer.contains("root:"), "{request} gives {answer}");
                    let status = answer.split(' ').nth(1).unwrap_or("none").to_owned();
                    let refused = status.starts_with('4') || answer.is_empty() || status == "505";
                    assert!(refused || status == "200", "{request} gives {answer}");
                }
                for _ in 0..200 {
                    let mut bytes = requests[rng.random_range(0..requests.len())]
                        .clone()
                        .into_bytes();
                    bytes.truncate(4_000);
                    for _ in 0..rng.random_range(1..20) {
                        let at = rng.random_range(0..bytes.len());
                        bytes[at] = rng.random();
                    }
                    Stranger::dial(door).await.say(&bytes).await;
                }
            }
        },
    );
}

/// What is answered to these bytes until the connection ends, or nothing more comes.
async fn answer(door: SocketAddr, bytes: &[u8]) -> String {
    let mut stranger = Stranger::dial(door).await;
    stranger.say(bytes).await;
    let mut answer = Vec::new();
    let read = stranger.stream.read_buf(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(2), read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_stranger_that_claims_an_agents_address_is_a_nuisance_and_no_more() {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    rig::run(LIMIT, async {
        let place = rig::place::Place::new("impostor");
        let mut cluster = rig::cluster::Cluster::start(&place, 1, &[], "cpus:1;mem:1024").await;
        let agent = cluster.agents[0].address();
        let mut stranger = Stranger::dial(cluster.master.address()).await;
        stranger.greet(agent).await;
        let names = ["Unregister", "Register"];
        stranger.say(&define("master", "stranger", &names)).await;
        drop(stranger);
        cluster.await_agents(Duration::from_secs(20)).await;
        eventually("the books agree", Duration::from_secs(10), || {
            cluster.compare_books()
        })
        .await;
        cluster.stop();
    });
}
