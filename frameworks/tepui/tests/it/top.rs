//! `tepui top` without a terminal: tables and JSON, and what is said when nobody answers.

use std::net::TcpListener;
use std::thread;

use serde_json::Value as Json;

use crate::support::{Cluster, Place};

fn ids(view: &Json) -> Vec<&str> {
    let processes = view["processes"].as_array().unwrap();
    processes
        .iter()
        .map(|process| process["id"].as_str().unwrap())
        .collect()
}

#[test]
fn one_look_is_a_table_or_json() {
    let cluster = Cluster::start(&["--agents=1"]);
    let view = cluster.run(&["top", "--json", "--interval=200ms"]).json();
    let mut master = ids(&view);
    master.sort_unstable();
    assert_eq!(master, ["allocator", "master"]);
    let node = &view["node"];
    assert_eq!(node["processes"], 2);
    assert!(node["peers_connected"].as_u64() >= Some(1), "{node}");
    for name in [
        "uptime_s",
        "letters_per_s",
        "busy_ratio",
        "dead_letters_per_s",
    ] {
        assert!(node[name].is_f64(), "{name}: {node}");
    }
    assert!(
        node["memory_resident_bytes"].as_u64() > Some(1 << 20),
        "{node}"
    );
    let process = view["processes"][0].as_object().unwrap();
    let keys: Vec<&str> = process.keys().map(String::as_str).collect();
    let expected =
        "age_s busy_ratio capacity handled handled_per_s id kind links mailbox state watchers";
    assert_eq!(keys.join(" "), expected);
    assert!(process["handled_per_s"].is_f64() && process["capacity"].is_u64());

    let one = cluster.run(&[
        "top",
        "--json",
        "--interval=100ms",
        "--prefix=ma",
        &cluster.master,
    ]);
    assert_eq!(ids(&one.json()), ["master"]);
    let one = cluster.run(&[
        "top",
        "--json",
        "--interval=100ms",
        "--limit=1",
        "--sort=mailbox",
    ]);
    assert_eq!(ids(&one.json()).len(), 1);

    // No terminal, so there is nothing to be live on.
    for words in [
        &["top", "--interval=100ms"][..],
        &["top", "--once", "--interval=100ms"],
    ] {
        let done = cluster.run(words);
        let text = done.text();
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(
            text.starts_with(&cluster.master) && !text.contains('\x1b'),
            "{text}"
        );
        let heading = text.lines().find(|line| line.starts_with("ID "));
        assert!(heading.is_some_and(|line| line.contains("BUSY▼")), "{text}");
        assert!(
            text.lines().any(|line| line.starts_with("master ")),
            "{text}"
        );
    }
}

#[test]
fn whoever_is_no_node_is_said_to_be_none() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let rude = thread::spawn(move || drop(listener.accept().unwrap()));
    let done = place.run(&["top", "--once", &address]);
    rude.join().unwrap();
    assert_eq!(done.code, Some(1));
    let expected = format!("what answers at {address} does not speak HTTP, or broke off");
    assert!(done.stderr.contains(&expected), "{}", done.stderr);

    let done = place.run(&["top", "--json", &address]);
    assert_eq!((done.code, done.text().as_str()), (Some(1), ""));
    assert!(
        done.stderr
            .contains(&format!("no node answers at {address}")),
        "{}",
        done.stderr
    );

    let done = place.run(&["top", "--interval=1ms", &address]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("--interval"), "{}", done.stderr);
}
