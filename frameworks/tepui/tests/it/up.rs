//! `tepui up`: clusters that come, serve and go.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::support::{Cluster, Place, Program};

#[test]
fn a_cluster_stops_at_ctrl_c_and_leaves_nothing() {
    let mut cluster = Cluster::start(&["--agents=2"]);
    assert_eq!(
        cluster
            .run(&["agents", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Master, two agents, two zygotes, and the program itself; for a moment what a zygote tries.
    assert!(cluster.place.processes().len() >= 6);
    let up = cluster.up.take().unwrap();
    up.signal(Signal::SIGINT);
    let (status, errors) = up.end();
    assert!(status.success(), "{errors}");
    assert_eq!(cluster.place.processes(), Vec::<i32>::new());
    assert_eq!(cluster.place.left(), Vec::<String>::new());
}

#[test]
fn a_cluster_that_stops_takes_its_tasks_with_it() {
    let mut cluster = Cluster::start(&["--agents=1"]);
    let (program, _) = cluster.sleeper(&[]);
    let up = cluster.up.take().unwrap();
    up.signal(Signal::SIGTERM);
    let (status, errors) = up.end();
    assert!(status.success(), "{errors}");
    program.signal(Signal::SIGKILL);
    program.end();
    assert_eq!(cluster.place.processes(), Vec::<i32>::new());
}

#[test]
fn a_cluster_for_a_command_exits_as_the_command_does() {
    let place = Place::new();
    let script = "echo $TEPUI_MASTER; tepui run -- echo hello; exit 7";
    let done = place.run(&["up", "--port=0", "--agents=1", "--", script]);
    assert_eq!(done.code, Some(7), "{}", done.stderr);
    let text = done.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("127.0.0.1:"), "{text}");
    assert_eq!(&lines[1..], ["hello"]);
    assert_eq!((place.processes(), place.left()), (vec![], vec![]));
}

#[test]
fn a_command_that_is_not_there_fails_as_in_a_shell() {
    let place = Place::new();
    let done = place.run(&["up", "--port=0", "--agents=1", "--", "/no/such", "thing"]);
    assert_eq!(done.code, Some(127));
    assert!(done.stderr.contains("/no/such"), "{}", done.stderr);
}

#[test]
fn a_killed_program_takes_its_cluster_with_it() {
    prctl::set_child_subreaper(true).unwrap(); // so that its orphans are ours to wait for
    let mut cluster = Cluster::start(&["--agents=1"]);
    let up = cluster.up.take().unwrap();
    let orphans: Vec<i32> = cluster
        .place
        .processes()
        .into_iter()
        .filter(|pid| *pid != up.pid())
        .collect();
    assert!(orphans.len() >= 3); // for a moment there is also what a zygote tries
    up.signal(Signal::SIGKILL);
    assert_eq!(up.end().0.signal(), Some(9));
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        // The zygote becomes ours only when its agent has gone.
        let mut left = orphans;
        while let Some(pid) = left.pop() {
            if waitpid(Pid::from_raw(pid), None).is_err() && is_running(pid) {
                left.insert(0, pid);
                thread::yield_now();
            }
        }
        sender.send(())
    });
    ended
        .recv_timeout(Duration::from_secs(60))
        .expect("every process ends");
    assert_eq!(cluster.place.processes(), Vec::<i32>::new());
}

fn is_running(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

#[test]
fn an_agent_that_dies_is_told_with_the_end_of_its_log() {
    let place = Place::new();
    let up = Program::start(place.tepui(&["up", "--port=0", "--agents=2"]));
    let line = up.line(|line| line.starts_with("agent-2"));
    let pid: i32 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let (status, errors) = up.end();
    assert_eq!(status.code(), Some(1));
    let expected = format!("error: agent-2 (pid {pid}) ended by itself, with signal 9");
    assert!(errors.contains(&expected), "{errors}");
    assert!(errors.contains("agent-2.log:\n  "), "{errors}");
    assert_eq!((place.processes(), place.left()), (vec![], vec![]));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::new();
    let done = place.run(&["up", &format!("--port={port}")]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains(&format!("port {port} of 127.0.0.1")),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("--port=0"), "{}", done.stderr);
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn a_work_directory_that_was_asked_for_is_kept() {
    let place = Place::new();
    let wanted = place.path().join("mine");
    let flag = format!("--work-dir={}", wanted.display());
    let done = place.run(&["up", "--port=0", "--agents=1", &flag, "--", "true"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let log = std::fs::read_to_string(wanted.join("logs/agent-1.log")).unwrap();
    assert!(log.contains("agent started"), "{log}");
}

#[test]
fn agents_have_what_they_are_told_to_have() {
    let cluster = Cluster::start(&["--agents=2", "--agent-resources=cpus:3.5;mem:100"]);
    let agents = cluster.run(&["agents", "--json"]).json();
    for agent in agents.as_array().unwrap() {
        assert_eq!(agent["total"]["cpus"], 3.5);
        assert_eq!(agent["total"]["mem"], 100);
    }
}

#[test]
fn the_demo_counts_words_and_leaves_nothing() {
    let place = Place::new();
    let done = place.run(&["demo"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.text().contains("equal to a single-process count"),
        "{}",
        done.text()
    );
    assert_eq!((place.processes(), place.left()), (vec![], vec![]));
}
