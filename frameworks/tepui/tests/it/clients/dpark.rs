//! DPark, of Python: a framework for data with an executor of its own, which brings its own shuffle.

use std::os::unix::process::CommandExt as _;

use serde_json::json;

use super::python::{PythonClient, TOOLS};
use super::run;
use crate::support::Cluster;

/// The user `nobody` of Linux, and its group.
const NOBODY: u32 = 65_534;
/// What each of three tasks carries, in bytes.
const PIECE: u64 = 3 << 20;

/// It asks threads for what Python 3.9 has no more, and the heartbeat of its pymesos for what
/// later ones do not tell.
const DPARK: PythonClient = PythonClient {
    name: "dpark-0.5.0",
    pythons: &["3.8"],
    tools: TOOLS,
    http_parser: true,
    shared: true,
    requirements: &["pymesos==0.3.9", "DPark==0.5.0"],
};

#[test]
fn jobs_of_dpark_count_words_shuffle_and_add_up() {
    let Some(mut client) = DPARK.command("dpark_jobs.py") else {
        return;
    };
    // One agent: its executors on one machine would be in each other's way.
    let cluster = Cluster::start(&["--agents=1", "--agent-resources=cpus:8;mem:8192"]);
    let scratch = tempfile::tempdir().unwrap();
    if nix::unistd::geteuid().is_root() {
        client.uid(NOBODY).gid(NOBODY);
        client.env("USER", "nobody").env("LOGNAME", "nobody");
        std::os::unix::fs::chown(scratch.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    client
        .env("HOME", scratch.path())
        .current_dir(scratch.path());
    let saw = run(client, &cluster);
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
