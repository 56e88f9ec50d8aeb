//! Masters of a list, which elect each other through their own log: real processes, killed, stopped
//! and robbed of their disks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::daemons::{agent, stop};
use crate::failover::{await_running, leader};
use crate::support::{Cluster, Place, Program};

/// Longest time for anything: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// Three masters.
struct Masters {
    place: Place,
    addresses: Vec<String>,
    flags: Vec<String>,
    programs: Vec<Option<Program>>,
}

impl Masters {
    fn start(flags: &[&str]) -> Masters {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = listeners.map(|listener| listener.local_addr().unwrap().to_string());
        let mut masters = Masters {
            place: Place::new(),
            addresses: addresses.into(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            programs: vec![None, None, None],
        };
        for index in 0..3 {
            masters.revive(index);
        }
        masters
    }

    fn list(&self) -> String {
        self.addresses.join(",")
    }

    fn work_dir(&self, index: usize) -> std::path::PathBuf {
        self.place.path().join(format!("master-{index}"))
    }

    fn revive(&mut self, index: usize) {
        let port = self.addresses[index].rsplit(':').next().unwrap().to_owned();
        let mut words = vec![
            "master".to_owned(),
            "--ip=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--masters={}", self.list()),
            format!("--work-dir={}", self.work_dir(index).display()),
        ];
        words.extend(self.flags.clone());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let program = Program::start(self.place.tepui(&words));
        program.line(|line| line.starts_with("master@"));
        self.programs[index] = Some(program);
    }

    fn signal(&self, index: usize, signal: Signal) {
        self.programs[index].as_ref().unwrap().signal(signal);
    }

    fn kill(&mut self, index: usize) {
        let program = self.programs[index].take().unwrap();
        program.signal(Signal::SIGKILL);
        program.end();
    }

    /// Which one leads, as soon as one does.
    fn leader(&self) -> usize {
        let address = leader(&self.place, &self.list());
        self.index(&address)
    }

    fn index(&self, address: &str) -> usize {
        let found = self.addresses.iter().position(|other| other == address);
        found.unwrap()
    }

    /// What `tepui status` says each of them does.
    fn states(&self) -> Vec<String> {
        let at = format!("--master={}", self.list());
        let done = self.place.run(&["status", "--json", &at]);
        let status: Json = serde_json::from_slice(&done.stdout).unwrap_or_default();
        let masters = status["masters"].as_array().cloned().unwrap_or_default();
        let mut states = vec![String::new(); 3];
        for master in masters {
            let index = self.index(master["address"].as_str().unwrap());
            states[index] = master["state"].as_str().unwrap().to_owned();
        }
        states
    }

    fn await_states(&self, wanted: &[(&str, usize)]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let states = self.states();
            let count = |word: &str| states.iter().filter(|state| *state == word).count();
            if wanted.iter().all(|(word, times)| count(word) == *times) {
                return;
            }
            assert!(Instant::now() < until, "{states:?}, not {wanted:?}");
            sleep(LOOK);
        }
    }

    fn at(&self) -> String {
        format!("--master={}", self.list())
    }

    fn agent(&self, name: &str) -> Program {
        let flags = ["--ip=127.0.0.1", "--resources=cpus:2;mem:256;disk:10"];
        let agent = agent(&self.place, &self.list(), name, &flags);
        agent.error_line(|line| line.contains("registered"));
        agent
    }

    /// A task that sleeps: the program that runs it, and its id.
    fn sleeper(&self) -> (Program, String) {
        self.sleeper_with("--cpus=0.1")
    }

    fn sleeper_with(&self, flag: &str) -> (Program, String) {
        let words = ["run", "--json", &self.at(), flag, "sleep", "1000"];
        let program = Program::start(self.place.tepui(&words));
        let line = program.line(|line| line.contains("TASK_RUNNING"));
        let event: Json = serde_json::from_str(&line).unwrap();
        (program, event["id"].as_str().unwrap().to_owned())
    }

    /// Ends a task, of which its framework hears.
    fn end_task(&self, (program, task): (Program, String)) {
        let done = self.place.run(&["kill", &self.at(), &task]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        program.line(|line| line.contains("TASK_KILLED"));
    }

    fn stop(self) {
        for program in self.programs.into_iter().flatten() {
            stop(program);
        }
    }
}

/// The answer to a GET.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn tasks_go_on_and_agents_come_though_one_leader_after_the_other_is_killed() {
    let mut masters = Masters::start(&[]);
    let mut agents = vec![masters.agent("agent-0")];
    let (sleeper, task) = masters.sleeper();
    for round in 1..=2 {
        let killed = masters.leader();
        masters.kill(killed);
        let next = masters.leader();
        assert_ne!(next, killed);
        await_running(&masters.place, &masters.list(), &task);
        // To admit an agent is a write to the registry.
        agents.push(masters.agent(&format!("agent-{round}")));
        masters.revive(killed);
        masters.await_states(&[("leads", 1), ("follows", 2)]);
    }
    masters.end_task((sleeper, task));
    agents.into_iter().for_each(stop);
    masters.stop();
}

#[test]
fn a_leader_that_was_stopped_leads_no_longer_when_it_wakes() {
    let masters = Masters::start(&[]);
    let agent = masters.agent("agent");
    let (sleeper, task) = masters.sleeper();
    let stopped = masters.leader();
    masters.signal(stopped, Signal::SIGSTOP);
    let next = masters.leader();
    assert_ne!(next, stopped);
    await_running(&masters.place, &masters.list(), &task);
    masters.await_states(&[("leads", 1), ("follows", 1), ("does not answer", 1)]);
    masters.signal(stopped, Signal::SIGCONT);
    masters.await_states(&[("leads", 1), ("follows", 2)]);
    // It sends on whoever comes, over either API.
    let until = Instant::now() + PATIENCE;
    for path in [
        "/master/state",
        "/state",
        "/api/v1",
        "/master/api/v1/scheduler",
    ] {
        loop {
            let answer = get(&masters.addresses[stopped], path);
            let location = format!("Location: //{}{path}", masters.addresses[next]);
            if answer.starts_with("HTTP/1.1 307") && answer.contains(&location) {
                break;
            }
            assert!(Instant::now() < until, "{path}: {answer}");
            sleep(LOOK);
        }
    }
    assert_eq!(masters.leader(), next);
    masters.end_task((sleeper, task));
    stop(agent);
    masters.stop();
}

#[test]
fn masters_that_were_all_killed_know_their_agents_and_forget_no_task() {
    let mut masters = Masters::start(&["--agent-reregister-timeout=3secs"]);
    let stays = masters.agent("stays");
    let here = masters.sleeper_with("--cpus=2"); // all that this agent has
    let goes = masters.agent("goes");
    let there = masters.sleeper();
    for index in 0..3 {
        masters.kill(index);
    }
    // While nobody leads, one agent ends: only the registry knows that it was there.
    goes.signal(Signal::SIGKILL);
    goes.end();
    for index in 0..3 {
        masters.revive(index);
    }
    await_running(&masters.place, &masters.list(), &here.1);
    there
        .0
        .line(|line| line.contains("TASK_UNREACHABLE") || line.contains("TASK_LOST"));
    masters.end_task(here);
    stop(stays);
    masters.stop();
}

#[test]
fn a_master_that_lost_its_disk_is_given_everything_back() {
    let mut masters = Masters::start(&[]);
    let agent = masters.agent("agent");
    let (sleeper, task) = masters.sleeper();
    let leads = masters.leader();
    let robbed = (leads + 1) % 3;
    masters.kill(robbed);
    fs::remove_dir_all(masters.work_dir(robbed)).unwrap();
    masters.revive(robbed);
    masters.await_states(&[("leads", 1), ("follows", 2)]);
    // Now it counts: without it and another one nobody could lead.
    masters.kill(leads);
    assert_ne!(masters.leader(), leads);
    await_running(&masters.place, &masters.list(), &task);
    masters.end_task((sleeper, task));
    stop(agent);
    masters.stop();
}

#[test]
fn the_log_of_masters_is_looked_at_like_any_other_and_written_by_nobody_else() {
    let masters = Masters::start(&[]);
    masters.leader();
    let replica = format!("--replica={}", masters.list());
    let done = masters.place.run(&["log", "status", "--json", &replica]);
    assert_eq!(done.json()["replicas"].as_array().unwrap().len(), 3);
    for words in [["log", "append", "text"], ["log", "truncate", "1"]] {
        let done = masters.place.run(&[&words[..], &[&*replica]].concat());
        assert_eq!(done.code, Some(1));
        assert!(
            done.stderr.contains("nobody else writes"),
            "{}",
            done.stderr
        );
    }
    masters.stop();
}

#[test]
fn masters_that_cannot_lead_say_what_is_missing() {
    let mut masters = Masters::start(&[]);
    masters.leader();
    masters.kill(0);
    masters.kill(1);
    let done = masters.place.run(&["status", &masters.at()]);
    assert_eq!(done.code, Some(1));
    let says = |text: &str| done.stderr.contains(text);
    assert!(
        says(&masters.addresses[2]) && says("start the others"),
        "{}",
        done.stderr
    );
    let place = Place::new();
    let work_dir = format!("--work-dir={}", place.path().join("x").display());
    let list = "--masters=127.0.0.1:7,127.0.0.1:8,127.0.0.1:9";
    for (flags, word) in [
        (vec![list, &*work_dir, "--ip=127.0.0.1"], "--advertise-ip"),
        (vec![list, "--ip=127.0.0.1", "--port=7"], "--work-dir"),
        (vec![list, &*work_dir, "--registry=in_memory"], "--registry"),
        (vec![list, &*work_dir, "--zk=zk://127.0.0.1:1/m"], "--zk"),
    ] {
        let done = place.run(&[&["master"], &flags[..]].concat());
        assert_ne!(done.code, Some(0), "{flags:?}");
        assert!(done.stderr.contains(word), "{flags:?}: {}", done.stderr);
    }
}

#[test]
fn a_master_whose_directory_cannot_be_used_says_what_to_do() {
    let place = Place::new();
    let work_dir = place.path().join("x");
    let log = work_dir.join("log");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let words = [
        "master".to_owned(),
        "--ip=127.0.0.1".to_owned(),
        format!("--port={port}"),
        format!("--masters=127.0.0.1:{port}"),
        format!("--work-dir={}", work_dir.display()),
    ];
    let words = words.each_ref().map(String::as_str);
    fs::create_dir_all(&log).unwrap();
    fs::write(log.join("superblock"), "somebody's notes").unwrap();
    fs::write(log.join("notes.txt"), "and more").unwrap();
    let done = place.run(&words);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains("the other masters fill it"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_cluster_with_three_masters_goes_on_without_the_one_that_leads() {
    let cluster = Cluster::start(&["--masters=3", "--agents=1"]);
    let (sleeper, task) = cluster.sleeper(&[]);
    let before = leader(&cluster.place, &cluster.master);
    let port = before.rsplit(':').next().unwrap();
    let flag = format!("--port={port}");
    let found = cluster.place.processes().into_iter().find(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words
            .split(|byte| *byte == 0)
            .any(|word| word == flag.as_bytes())
    });
    let pid = nix::unistd::Pid::from_raw(found.unwrap());
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    assert_ne!(leader(&cluster.place, &cluster.master), before);
    await_running(&cluster.place, &cluster.master, &task);
    let done = cluster.run(&["kill", &task]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    sleeper.line(|line| line.contains("TASK_KILLED"));
}
