//! Masters that follow each other: real processes, a real ZooKeeper, and kill -9.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::daemons::{agent, master, stop};
use crate::support::{Place, Program};
use crate::zookeeper::ZooKeeper;

const PATIENCE: Duration = Duration::from_secs(120);

/// The address of the master that leads, once it answers.
pub(crate) fn leader(place: &Place, masters: &str) -> String {
    let at = format!("--master={masters}");
    let until = Instant::now() + PATIENCE;
    loop {
        let done = place.run(&["status", "--json", &at]);
        if done.code == Some(0) {
            let status: Json = serde_json::from_slice(&done.stdout).unwrap();
            return status["address"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < until, "nobody leads: {}", done.stderr);
        sleep(Duration::from_millis(200));
    }
}

/// Waits until the task runs as the leading master knows it.
pub(crate) fn await_running(place: &Place, masters: &str, task: &str) {
    let at = format!("--master={masters}");
    let until = Instant::now() + PATIENCE;
    loop {
        let done = place.run(&["ps", "--json", &at]);
        let tasks: Json = serde_json::from_slice(&done.stdout).unwrap_or_default();
        let tasks = tasks.as_array().cloned().unwrap_or_default();
        let running = |it: &Json| it["id"] == task && it["state"] == "TASK_RUNNING";
        if tasks.iter().any(running) {
            return;
        }
        assert!(
            Instant::now() < until,
            "the task is not there: {tasks:?} {}",
            done.stderr
        );
        sleep(Duration::from_millis(200));
    }
}

fn tasks_go_on_when_the_leader_is_killed(servers: usize) {
    let place = Place::new();
    let Some(mut zookeeper) = ZooKeeper::start(servers, place.path()) else {
        return;
    };
    let url = zookeeper.url();
    let flags = [&*format!("--zk={url}"), "--zk-session-timeout=4secs"];
    let mut masters: Vec<(Program, String)> = (0..3).map(|_| master(&place, &flags)).collect();
    let agent = agent(&place, &url, "one", &["--resources=cpus:2;mem:256;disk:10"]);
    agent.error_line(|line| line.contains("registered"));
    let first = leader(&place, &url);
    let at = format!("--master={url}");
    // One framework by letters, one over HTTP: of who led nothing is left to send it on.
    let sleepers = [None, Some("--http")].map(|door| {
        let words = ["run", "--json", &at, "--cpus=0.1", "--mem=32"];
        let words: Vec<&str> = words.into_iter().chain(door).collect();
        let words = [&*words, &["sleep", "1000"]].concat();
        let sleeper = Program::start(place.tepui(&words));
        let line = sleeper.line(|line| line.contains("TASK_RUNNING"));
        let event: Json = serde_json::from_str(&line).unwrap();
        (sleeper, event["id"].as_str().unwrap().to_owned())
    });
    // Whoever asks a standby hears of the leader.
    let standby = masters
        .iter()
        .find(|(_, address)| *address != first)
        .unwrap();
    assert_eq!(leader(&place, &standby.1), first);
    if servers > 1 {
        zookeeper.kill_one();
    }
    let place_of_leader = masters
        .iter()
        .position(|(_, address)| *address == first)
        .unwrap();
    let (killed, _) = masters.remove(place_of_leader);
    killed.signal(Signal::SIGKILL);
    drop(killed);
    let second = leader(&place, &url);
    assert_ne!(second, first);
    for (sleeper, task) in sleepers {
        await_running(&place, &url, &task);
        // The framework is there as well: it hears of the end.
        assert_eq!(place.run(&["kill", &at, &task]).code, Some(0));
        sleeper.line(|line| line.contains("TASK_KILLED"));
        drop(sleeper);
    }
    stop(agent);
    for (master, _) in masters {
        stop(master);
    }
}

#[test]
fn tasks_go_on_when_the_leading_master_is_killed() {
    tasks_go_on_when_the_leader_is_killed(1);
}

#[test]
fn tasks_go_on_when_the_leading_master_and_a_server_of_zookeeper_are_killed() {
    tasks_go_on_when_the_leader_is_killed(3);
}

#[test]
fn a_master_whose_session_with_zookeeper_expires_stands_by_for_the_next() {
    let place = Place::new();
    let Some(zookeeper) = ZooKeeper::start(3, place.path()) else {
        return;
    };
    let url = zookeeper.url();
    let flags = [&*format!("--zk={url}"), "--zk-session-timeout=4secs"];
    let masters: Vec<(Program, String)> = (0..2).map(|_| master(&place, &flags)).collect();
    let first = leader(&place, &url);
    let (stopped, _) = masters.iter().find(|(_, it)| *it == first).unwrap();
    let (_, other) = masters.iter().find(|(_, it)| *it != first).unwrap();
    // It is there still, and cannot know what time it is.
    stopped.signal(Signal::SIGSTOP);
    let until = Instant::now() + PATIENCE;
    while leader(&place, other) != *other {
        assert!(Instant::now() < until, "nobody follows");
        sleep(Duration::from_millis(200));
    }
    stopped.signal(Signal::SIGCONT);
    while leader(&place, &first) != *other {
        assert!(Instant::now() < until, "it goes on as if nothing were");
        sleep(Duration::from_millis(200));
    }
    assert_eq!(leader(&place, &url), *other);
    for (master, _) in masters {
        stop(master);
    }
}
