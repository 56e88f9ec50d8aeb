//! A scheduler on mesoshttp, of Python.

use serde_json::json;

use super::python::PythonClient;
use super::run;
use crate::support::Cluster;

const MESOSHTTP: PythonClient = PythonClient {
    name: "mesoshttp-0.4.2",
    pythons: &["3.11", "3.10", "3.9", "3.8"],
    tools: &[],
    http_parser: false,
    shared: false,
    begins: None,
    requirements: &["mesoshttp==0.4.2"],
};

#[test]
fn a_scheduler_on_mesoshttp_runs_commands_by_names_of_version_0() {
    let Some(client) = MESOSHTTP.command("mesoshttp_scheduler.py") else {
        return;
    };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(client, &cluster);
    assert_eq!(
        (&saw["subscribed"], &saw["over"]),
        (&json!(true), &json!(true)),
        "{saw}"
    );
    assert_eq!(saw["version"], "1.11.0", "{saw}");
    for (task, last) in [
        ("ends", "TASK_FINISHED"),
        ("fails", "TASK_FAILED"),
        ("sleeps", "TASK_KILLED"),
    ] {
        let states = saw["states"][task].as_array().expect("news of each task");
        assert_eq!(states.last(), Some(&json!(last)), "{saw}");
    }
    assert_eq!(saw["reconciled"], json!({"nobody": "TASK_LOST"}), "{saw}");
}
