//! Agents that are killed and started again, with real tasks that go on meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::daemons::{master, stop};
use crate::support::{Place, Program};

/// As many tasks as outlive the agent.
const TASKS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts an agent with a work directory of its own, at `port`; gives the port it has.
fn agent(place: &Place, master: &str, port: &str, flags: &[&str]) -> (Program, String) {
    let work_dir = format!("--work-dir={}", place.path().join("agent").display());
    let (master, port) = (format!("--master={master}"), format!("--port={port}"));
    let resources = "--resources=cpus:100;mem:100000;disk:100";
    let words = [
        "agent",
        "--ip=127.0.0.1",
        &port,
        &master,
        &work_dir,
        resources,
    ];
    let program = Program::start(place.tepui(&[&words, flags].concat()));
    let upid = program.line(|line| line.starts_with("agent@127.0.0.1:"));
    program.error_line(|line| line.contains("registered with master"));
    let port = upid.trim_start_matches("agent@127.0.0.1:").to_owned();
    (program, port)
}

fn agent_id(place: &Place, at: &str) -> String {
    let agents = place.run(&["agents", "--json", at]).json();
    let agents = agents.as_array().unwrap();
    assert_eq!(agents.len(), 1, "{agents:?}");
    agents[0]["id"].as_str().unwrap().to_owned()
}

/// Waits until the master knows that exactly these many tasks run.
fn await_running(place: &Place, at: &str, tasks: usize) {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = place.run(&["ps", "--json", at]).json();
        let all = all.as_array().unwrap();
        let running = all
            .iter()
            .filter(|task| task["state"] == "TASK_RUNNING")
            .count();
        if running == tasks {
            return;
        }
        assert!(Instant::now() < until, "{running} of {tasks} tasks run");
        sleep(Duration::from_millis(100));
    }
}

fn await_file(path: &Path) {
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < until, "{} was not made", path.display());
        sleep(Duration::from_millis(20));
    }
}

/// The processes that run `sleep` with a number of seconds nobody else has.
fn sleepers(place: &Place) -> BTreeSet<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let seconds = sleep_of(place);
    let sleeps = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line == format!("sleep\0{seconds}\0").as_bytes()
    };
    pids.filter(sleeps).collect()
}

fn sleep_of(place: &Place) -> String {
    let name = place.path().to_string_lossy();
    let sum: u32 = name
        .bytes()
        .fold(0, |sum, byte| (sum * 31 + u32::from(byte)) % 100_000);
    format!("1{sum:05}")
}

#[test]
fn tasks_outlive_an_agent_that_is_killed_and_their_ends_are_told_once() {
    let place = Place::new();
    let (master, address) = master(&place, &[]);
    let at = format!("--master={address}");
    let (first, port) = agent(&place, &address, "0", &["--attributes=rack:one"]);
    let id = agent_id(&place, &at);

    let (count, seconds) = (format!("--instances={TASKS}"), sleep_of(&place));
    let words = [
        "run",
        &at,
        "--checkpoint",
        "--json",
        "--mem=1",
        &count,
        "--",
    ];
    let sleepers_run = Program::start(place.tepui(&[&words[..], &["sleep", &seconds]].concat()));
    let (go, gone) = (place.path().join("go"), place.path().join("gone"));
    let (go_text, gone_text) = (go.display(), gone.display());
    let line = format!("while ! [ -e {go_text} ]; do sleep 0.05; done; touch {gone_text}; exit 7");
    let words = ["run", &at, "--checkpoint", "--json", &line];
    let ends_meanwhile = Program::start(place.tepui(&words));
    let bound = Program::start(place.tepui(&["run", &at, "--json", "--name=bound", "sleep 1000"]));
    await_running(&place, &at, TASKS + 2);
    let before = sleepers(&place);
    assert_eq!(before.len(), TASKS);

    first.signal(Signal::SIGKILL);
    drop(first);
    std::fs::write(&go, "").unwrap();
    await_file(&gone);
    let (second, _) = agent(&place, &address, &port, &["--attributes=rack:two"]);

    assert_eq!(agent_id(&place, &at), id);
    let (ended, _) = ends_meanwhile.end();
    assert_eq!(ended.code(), Some(7));
    let (lost, _) = bound.end();
    assert_eq!(
        lost.code(),
        Some(125),
        "a task without checkpoints ends with its agent"
    );
    await_running(&place, &at, TASKS);
    assert_eq!(sleepers(&place), before);

    // What the second agent starts is as good, and an orderly end is no other.
    assert_eq!(
        place.run(&["run", &at, "--checkpoint", "exit 3"]).code,
        Some(3)
    );
    stop(second);
    assert_eq!(sleepers(&place), before);
    let (third, _) = agent(&place, &address, &port, &[]);
    assert_eq!(agent_id(&place, &at), id);
    await_running(&place, &at, TASKS);
    let tasks = place.run(&["ps", "--json", &at]).json();
    let task = tasks[0]["id"].as_str().unwrap();
    assert_eq!(place.run(&["kill", &at, task]).code, Some(0));
    await_running(&place, &at, TASKS - 1);

    sleepers_run.signal(Signal::SIGINT);
    sleepers_run.end();
    let until = Instant::now() + PATIENCE;
    while !sleepers(&place).is_empty() {
        assert!(Instant::now() < until, "tasks are left");
        sleep(Duration::from_millis(100));
    }
    stop(third);
    stop(master);
    while !place.processes().is_empty() {
        assert!(Instant::now() < until, "processes are left");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_agent_whose_checkpoints_are_damaged_says_what_to_do_and_begins_anew_when_told_to() {
    let place = Place::new();
    let (master, address) = master(&place, &[]);
    let at = format!("--master={address}");
    let (first, port) = agent(&place, &address, "0", &[]);
    let id = agent_id(&place, &at);
    let words = [
        "run",
        &at,
        "--checkpoint",
        "--json",
        "--",
        "sleep",
        &sleep_of(&place),
    ];
    let sleeper = Program::start(place.tepui(&words));
    await_running(&place, &at, 1);
    first.signal(Signal::SIGKILL);
    drop(first);
    let file = place.path().join("agent").join("checkpoints");
    let whole = std::fs::read(&file).unwrap();
    // Of the file, most is room for more.
    std::fs::write(&file, &whole[..8 << 10]).unwrap();

    let work_dir = format!("--work-dir={}", place.path().join("agent").display());
    let flag = format!("--port={port}");
    let words = ["agent", "--ip=127.0.0.1", &at, &work_dir, &flag];
    let refused = place.run(&words);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("--recover=cleanup"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    assert_eq!(sleepers(&place).len(), 1, "it ends nothing by itself");

    let cleaned = place.run(&[&words[..], &["--recover=cleanup"]].concat());
    assert_eq!(cleaned.code, Some(0), "{}", cleaned.stderr);
    assert!(sleepers(&place).is_empty());
    let (second, _) = agent(&place, &address, &port, &[]);
    let agents: Json = place.run(&["agents", "--json", &at]).json();
    assert!(
        agents
            .as_array()
            .unwrap()
            .iter()
            .any(|agent| agent["id"] != id.as_str())
    );
    drop(sleeper);
    stop(second);
    stop(master);
}
