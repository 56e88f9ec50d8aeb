//! A scheduler and an operator on mesos-go, of Go, which speaks protobuf.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{place, program, run, script, succeed};
use crate::support::Cluster;

/// Where Debian puts the sources of libraries of Go.
const LIBRARIES: &str = "/usr/share/gocode";
/// The library, in there.
const MESOS_GO: &str = "src/github.com/mesos/mesos-go/api/v1/lib";

/// The program of this name; or why it cannot be built.
fn build(program_name: &str) -> Result<PathBuf, String> {
    let wanted = "install Debian's `golang-go` and `golang-github-mesos-mesos-go-dev`";
    program("go").map_err(|error| format!("{error}: {wanted}"))?;
    if !Path::new(LIBRARIES).join(MESOS_GO).is_dir() {
        return Err(format!("there is no library mesos-go: {wanted}"));
    }
    let (place, _guard) = place()?;
    let directory = place.join("mesos-go");
    std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let built = directory.join(program_name);
    let mut go = Command::new("go");
    // As before Go had modules, and what it has compiled is kept beside the program.
    go.env("GO111MODULE", "off").env("GOPATH", LIBRARIES);
    go.env("GOFLAGS", "-p=1")
        .env("GOCACHE", directory.join("cache"));
    go.arg("build")
        .arg("-o")
        .arg(&built)
        .arg(script(program_name).join("main.go"));
    succeed(go)?;
    Ok(built)
}

#[test]
fn a_scheduler_on_mesos_go_speaks_protobuf() {
    let Some(built) = super::get("mesos-go", || build("go_scheduler")) else {
        return;
    };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(Command::new(built), &cluster);
    assert_eq!(saw["errors"], json!([]), "{saw}");
    for (task, last) in [
        ("ends", "TASK_FINISHED"),
        ("fails", "TASK_FAILED"),
        ("sleeps", "TASK_KILLED"),
    ] {
        let states = saw["states"][task].as_array().expect("news of each task");
        assert!(states.contains(&json!("TASK_RUNNING")), "{saw}");
        assert_eq!(states.last(), Some(&json!(last)), "{saw}");
    }
    assert_eq!(
        saw["reconciled"],
        json!({"nobody": "TASK_UNKNOWN"}),
        "{saw}"
    );
    assert_eq!(saw["version"], "1.11.0", "{saw}");
    assert!(saw["heartbeats"].as_u64() >= Some(1), "{saw}");
    let roles = saw["roles"].as_array().expect("the roles of offers");
    assert!(
        !roles.is_empty() && roles.iter().all(|role| role == "go"),
        "{saw}"
    );
}

#[test]
fn an_operator_on_mesos_go_asks_master_and_agents_everything() {
    let Some(built) = super::get("mesos-go", || build("go_operator")) else {
        return;
    };
    let cluster = Cluster::start(&["--agents=2"]);
    let saw = run(Command::new(built), &cluster);
    assert_eq!(saw["errors"], json!([]), "{saw}");
    assert_eq!(saw["version"], "1.11.0", "{saw}");
    let port: u64 = cluster.master.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(saw["port"], port, "{saw}");
    assert_eq!(saw["active"], json!([true, true]), "{saw}");
    assert_eq!(saw["parts"], json!(vec![true; 4]), "{saw}");
    assert_eq!(saw["metrics"]["master/slaves_active"], 2, "{saw}");
    // The library is older than heartbeats of operators: it says the number of their type.
    assert_eq!(saw["events"], json!(["SUBSCRIBED", "9"]), "{saw}");
    let agents = saw["agents"].as_object().expect("answers of agents");
    let asked = json!([
        "GET_HEALTH",
        "GET_FLAGS",
        "GET_VERSION",
        "GET_METRICS",
        "GET_LOGGING_LEVEL",
        "GET_STATE",
        "GET_CONTAINERS",
        "GET_FRAMEWORKS",
        "GET_EXECUTORS",
        "GET_TASKS",
        "GET_AGENT"
    ]);
    assert!(
        agents.len() == 2 && agents.values().all(|answers| *answers == asked),
        "{saw}"
    );
}
