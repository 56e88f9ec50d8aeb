//! Toil, of Python: an engine for workflows, with a batch system of its own on Mesos.

use std::path::PathBuf;

use serde_json::json;

use super::python::{PythonClient, TOOLS};
use super::run;
use crate::support::Cluster;

/// It says it has no pymesos for Python 3.11, where what that reads HTTP with does not compile as it
/// comes; Python 3.12 and later it cannot be made for.
const TOIL: PythonClient = PythonClient {
    name: "toil-9.6.0",
    pythons: &["3.11", "3.10"],
    tools: TOOLS,
    http_parser: true,
    shared: false,
    begins: None,
    requirements: &["pymesos==0.3.15", "toil==9.6.0"],
};

#[test]
fn a_workflow_of_toil_runs_its_jobs_by_its_executor() {
    let Some(mut client) = TOIL.command("toil_jobs.py") else {
        return;
    };
    // It names its executor, which has to be found where tasks run.
    let python = PathBuf::from(client.get_program());
    let programs = python.parent().expect("the interpreter is in a directory");
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&rest));
    let path = std::env::join_paths(found).unwrap();
    let cluster = Cluster::start_with(
        &["--agents=1", "--agent-resources=cpus:8;mem:8192;disk:9000"],
        &[("PATH", &path)],
    );
    let scratch = tempfile::tempdir().unwrap();
    client.env("PATH", &path).env("HOME", scratch.path());
    client.env("TMPDIR", scratch.path()).arg(scratch.path());
    let saw = run(client, &cluster);
    assert_eq!(saw, json!({"sum": 30}));
}
