//! The programs, run as users run them: small, and to their end.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.expect("the program starts")
}

fn rows(path: &Path) -> Vec<Value> {
    let page: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    page["rows"].as_array().unwrap().clone()
}

#[test]
fn a_run_of_patterns_gives_a_table_json_and_a_plot() {
    let directory = tempfile::tempdir().unwrap();
    let (json, plot) = (
        directory.path().join("a.json"),
        directory.path().join("a.svg"),
    );
    let arguments = [
        ["--rounds", "2"],
        ["--scale", "0.002"],
        ["--patterns", "ask-1,memory"],
        ["--json", json.to_str().unwrap()],
        ["--plot", plot.to_str().unwrap()],
    ];
    let output = run(env!("CARGO_BIN_EXE_actors"), &arguments.concat());
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("ask-1 (ask)"), "{table}");
    // Two patterns on one arbiter and on two, two rounds each.
    let rows = rows(&json);
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in &rows {
        assert_eq!(row["rounds"].as_array().map(Vec::len), Some(2), "{row}");
    }
    assert!(fs::read_to_string(&plot).unwrap().contains("<polyline"));
}

#[test]
fn a_run_between_two_os_processes_starts_its_own_server_and_leaves_none_behind() {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("r.json");
    let path = json.to_str().unwrap();
    let what = [
        "--rounds",
        "1",
        "--scale",
        "0.01",
        "--cases",
        "round-trip,one-way-100",
    ];
    let arguments = [&["run"][..], &what, &["--json", path]].concat();
    let output = run(env!("CARGO_BIN_EXE_remote"), &arguments);
    assert!(output.status.success(), "{output:?}");
    let rows = rows(&json);
    let by = |row: &Value| row["by"].as_str().unwrap().to_owned();
    let by: Vec<String> = rows.iter().map(by).collect();
    // A round trip has a floor and an echo beside it, one way a floor.
    let expected = ["libproc", "floor", "echo", "libproc", "floor"];
    assert_eq!(by, expected, "{rows:?}");
}

#[test]
fn what_makes_no_sense_is_said_and_measured_by_nobody() {
    for (arguments, said) in [
        (&["--patterns", "nope"][..], "no pattern `nope`"),
        (&["--scale", "0"], "above 0"),
        (&["--rounds", "0"], "rounds"),
        (&["--arbiters", "0"], "arbiters"),
    ] {
        let output = run(env!("CARGO_BIN_EXE_actors"), arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
