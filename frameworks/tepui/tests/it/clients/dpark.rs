//! DPark, of Python: a framework for data with an executor of its own, which brings its own shuffle.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::python::{PythonClient, TOOLS};
use super::{run, script};
use crate::support::Cluster;

/// The user `nobody` of Linux, and its group.
const NOBODY: u32 = 65_534;
/// What each of three tasks carries, in bytes.
const PIECE: u64 = 3 << 20;

/// How often it may lose a task in itself (see the script).
const ATTEMPTS: usize = 3;
/// It asks threads whether they live by a name that went with Python 3.9.
const ALIVE: &str = "import threading; threading.Thread.isAlive = threading.Thread.is_alive\n";

/// Later versions of pymesos tell heartbeats of what its scheduler does not take.
const DPARK: PythonClient = PythonClient {
    name: "dpark-0.5.0",
    pythons: &["3.11", "3.10", "3.9", "3.8"],
    tools: TOOLS,
    http_parser: true,
    shared: true,
    begins: Some(ALIVE),
    requirements: &["pymesos==0.3.9", "DPark==0.5.0"],
};

/// What came out of the jobs.
fn attempt() -> Option<Json> {
    let mut client = Command::new(DPARK.get()?);
    // One agent: its executors on one machine would be in each other's way.
    let cluster = Cluster::start(&["--agents=1", "--agent-resources=cpus:8;mem:8192"]);
    // Where the user it runs as can read it.
    let scratch = tempfile::tempdir().unwrap();
    let jobs = scratch.path().join("dpark_jobs.py");
    std::fs::copy(script("dpark_jobs.py"), &jobs).unwrap();
    client.arg(jobs);
    if nix::unistd::geteuid().is_root() {
        client.uid(NOBODY).gid(NOBODY);
        client.env("USER", "nobody").env("LOGNAME", "nobody");
        std::os::unix::fs::chown(scratch.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    client
        .env("HOME", scratch.path())
        .current_dir(scratch.path());
    Some(run(client, &cluster))
}

#[test]
fn jobs_of_dpark_count_words_shuffle_and_add_up() {
    let mut saw = Json::Null;
    for _ in 0..ATTEMPTS {
        match attempt() {
            Some(now) => saw = now,
            None => return,
        }
        if saw.get("lost").is_none() {
            break;
        }
    }
    assert_eq!(
        (&saw["words"], &saw["keys"]),
        (&json!(true), &json!(50)),
        "{saw}"
    );
    assert_eq!(saw["lengths"], json!(vec![PIECE; 3]), "{saw}");
    assert_eq!(saw["total"], 4_950, "{saw}");
    assert_eq!(saw["ordered"], json!([1, 3, 5, 7, 9]), "{saw}");
    assert_eq!(saw["joined"], json!([[1, ["a", "c"]]]), "{saw}");
}
