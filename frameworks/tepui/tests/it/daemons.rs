//! `tepui master` and `tepui agent` as an operator starts them.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Place, Program};

pub(crate) fn master(place: &Place, flags: &[&str]) -> (Program, String) {
    let words = [&["master", "--ip=127.0.0.1", "--port=0"], flags].concat();
    let program = Program::start(place.tepui(&words));
    let upid = program.line(|line| line.starts_with("master@"));
    (program, upid.trim_start_matches("master@").to_owned())
}

pub(crate) fn agent(place: &Place, master: &str, name: &str, flags: &[&str]) -> Program {
    let work_dir = format!("--work_dir={}", place.path().join(name).display());
    let master = format!("--master={master}");
    let words = [&["agent", "--port=0", &master, &work_dir], flags].concat();
    let program = Program::start(place.tepui(&words));
    program.line(|line| line.starts_with("agent@127.0.0.1:"));
    program
}

pub(crate) fn stop(program: Program) {
    program.signal(Signal::SIGTERM);
    let (status, errors) = program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
}

#[test]
fn a_cluster_can_be_started_by_hand() {
    let place = Place::new();
    let (master, address) = master(&place, &["--cluster=mine", "--hostname=head"]);
    let flags = [
        "--resources=cpus:3;mem:200",
        "--attributes=rack:r1;level:2",
        "--hostname=box",
    ];
    let agent = agent(&place, &address, "one", &flags);
    agent.error_line(|line| line.contains("registered"));
    let at = format!("--master={address}");
    let agents = place.run(&["agents", "--json", &at]).json();
    assert_eq!(agents[0]["hostname"], "box");
    assert_eq!(agents[0]["attributes"], json!({"rack": "r1", "level": 2}));
    assert_eq!(
        (&agents[0]["total"]["cpus"], &agents[0]["total"]["mem"]),
        (&json!(3), &json!(200))
    );
    // What was not named is detected.
    assert!(agents[0]["total"]["disk"].is_number(), "{agents}");
    assert_eq!(
        place.run(&["status", "--json", &at]).json()["hostname"],
        "head"
    );
    assert_eq!(place.run(&["run", &at, "exit 6"]).code, Some(6));
    stop(agent);
    stop(master);
    assert_eq!(place.processes(), Vec::<i32>::new());
}

#[test]
fn flags_come_from_the_environment_and_from_files_too() {
    let place = Place::new();
    let file = place.path().join("attributes");
    std::fs::write(&file, "rack:from-a-file\n").unwrap();
    let (master, address) = master(&place, &[]);
    let mut command = place.tepui(&["agent", "--port=0"]);
    command
        .env("MESOS_MASTER", &address)
        .env("MESOS_WORK_DIR", place.path().join("env"));
    command.env("MESOS_ATTRIBUTES", format!("file://{}", file.display()));
    command
        .env("MESOS_RESOURCES", "cpus:7")
        .env("MESOS_SWITCH_USER", "false");
    let agent = Program::start(command);
    agent.error_line(|line| line.contains("registered"));
    let agents = place
        .run(&["agents", "--json", &format!("--master={address}")])
        .json();
    assert_eq!(agents[0]["attributes"]["rack"], "from-a-file");
    assert_eq!(agents[0]["total"]["cpus"], 7);
    stop(agent);
    stop(master);
}

#[test]
fn an_agent_that_is_sent_away_leaves_the_cluster() {
    let place = Place::new();
    let (master, address) = master(&place, &["--log-format=json"]);
    let agent = agent(&place, &address, "one", &[]);
    agent.error_line(|line| line.contains("registered"));
    agent.signal(Signal::SIGUSR1);
    assert_eq!(agent.end().0.code(), Some(0));
    let at = format!("--master={address}");
    assert_eq!(place.run(&["status", "--json", &at]).json()["agents"], 0);
    let line = master.error_line(|line| line.contains("agent"));
    assert!(
        serde_json::from_str::<serde_json::Value>(&line).is_ok(),
        "{line}"
    );
    stop(master);
}

#[test]
fn a_port_that_is_taken_is_told_with_the_flag_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--port={}", taken.local_addr().unwrap().port());
    let place = Place::new();
    let work_dir = format!("--work-dir={}", place.path().join("x").display());
    for words in [
        vec!["master", "--ip=127.0.0.1", &port],
        vec!["agent", "--master=127.0.0.1:1", &work_dir, &port],
    ] {
        let done = place.run(&words);
        assert_eq!(done.code, Some(1), "{words:?}");
        let says = |text: &str| done.stderr.contains(text);
        assert!(
            says("could not listen on 127.0.0.1:") && says("with --port"),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn a_daemon_under_nohup_outlives_its_terminal() {
    let place = Place::new();
    let mut command = std::process::Command::new("nohup");
    let tepui = place.tepui(&["master", "--ip=127.0.0.1", "--port=0"]);
    command.arg(tepui.get_program()).args(tepui.get_args());
    let program = Program::start(command);
    let upid = program.line(|line| line.starts_with("master@"));
    program.signal(Signal::SIGHUP);
    let at = format!("--master={upid}");
    assert_eq!(place.run(&["status", "--json", &at]).code, Some(0));
    stop(program);
}
