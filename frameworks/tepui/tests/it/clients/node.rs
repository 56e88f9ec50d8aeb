//! A scheduler on mesos-framework, of Node.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::{once, place, program, run, script, succeed};
use crate::support::Cluster;

/// The library and the version that is tried, from npm.
const NODE_CLIENT: &str = "mesos-framework@0.5.3";

/// Where the library is; or why it is not.
fn install() -> Result<PathBuf, String> {
    program("node").and_then(|()| program("npm"))?;
    let (place, _guard) = place()?;
    let directory = place.join(NODE_CLIENT.replace('@', "-"));
    once(&directory, |directory| {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--prefix",
        ]);
        npm.arg(directory).arg(NODE_CLIENT);
        succeed(npm)
    })?;
    Ok(directory.join("node_modules"))
}

#[test]
fn a_scheduler_on_node_takes_ports_for_its_commands_and_kills_one() {
    let Some(library) = super::get(NODE_CLIENT, install) else {
        return;
    };
    let resources = "--agent-resources=cpus:2;mem:1024;ports:[20000-20003,20010-20020]";
    let cluster = Cluster::start(&["--agents=1", resources]);
    let scratch = tempfile::tempdir().unwrap();
    let mut client = Command::new("node");
    client
        .env("NODE_PATH", library)
        .env("TMPDIR", scratch.path());
    client
        .arg("--no-deprecation")
        .arg(script("node_scheduler.js"));
    let saw = run(client, &cluster);
    assert_eq!(saw["errors"], json!([]), "{saw}");
    for (task, last) in [
        ("ends", "TASK_FINISHED"),
        ("shows", "TASK_FINISHED"),
        ("sleeps", "TASK_KILLED"),
    ] {
        let states = saw["states"][task].as_array().expect("news of each task");
        assert!(states.contains(&json!("TASK_RUNNING")), "{saw}");
        assert_eq!(states.last(), Some(&json!(last)), "{saw}");
        assert_eq!(saw["ports"][task], 2, "{saw}");
    }
    let calls = ["accept", "acknowledge", "kill", "teardown"];
    for call in calls {
        assert!(
            saw["calls"].as_array().unwrap().contains(&json!(call)),
            "{call} in {saw}"
        );
    }
    assert!(saw["heartbeats"].as_u64() >= Some(1), "{saw}");
}
