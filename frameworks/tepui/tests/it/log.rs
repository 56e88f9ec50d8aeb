//! `tepui log`: three replicas as real processes, killed and stopped while others append.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use libproc::{Node, Pid};
use nix::sys::signal::Signal;
use replog::{Log, Position};
use state::{LogStorage, LogStorageOptions};

use crate::support::{Place, Program};

/// How long one attempt to write may take before another replica is asked.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a leader that was stopped stands still: long enough for another to be elected.
const STOPPED: Duration = Duration::from_secs(2);

/// Three replicas of a log.
struct Replicas {
    place: Place,
    ports: Vec<u16>,
    programs: Vec<Option<Program>>,
}

impl Replicas {
    fn start() -> Replicas {
        let listeners: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port());
        let mut replicas = Replicas {
            place: Place::new(),
            ports: ports.collect(),
            programs: vec![None, None, None],
        };
        drop(listeners);
        for index in 0..3 {
            replicas.revive(index);
        }
        replicas
    }

    fn directory(&self, index: usize) -> String {
        let directory = self.place.path().join(format!("replica-{index}"));
        directory.display().to_string()
    }

    fn list(&self) -> String {
        let one = |(index, port): (usize, &u16)| format!("{}=127.0.0.1:{port}", index + 1);
        let list: Vec<String> = self.ports.iter().enumerate().map(one).collect();
        list.join(",")
    }

    fn flag(&self) -> String {
        let one = |port: &u16| format!("127.0.0.1:{port}");
        let list: Vec<String> = self.ports.iter().map(one).collect();
        format!("--replica={}", list.join(","))
    }

    fn revive(&mut self, index: usize) {
        let directory = self.directory(index);
        let node = format!("--node={}", index + 1);
        let list = format!("--replicas={}", self.list());
        let words = ["log", "replica", &directory, &node, &list];
        let program = Program::start(self.place.tepui(&words));
        program.line(|line| line.starts_with("log@127.0.0.1:"));
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

    fn log(&self, node: &Node, index: usize) -> Log {
        let pid: Pid<replog::Replication> = format!("log@127.0.0.1:{}", self.ports[index])
            .parse()
            .unwrap();
        Log::at(node, pid)
    }

    /// Which replica leads, as soon as one says so.
    async fn leader(&self, node: &Node) -> usize {
        for _ in 0..600 {
            for index in 0..3 {
                let log = self.log(node, index);
                let asked = tokio::time::timeout(PATIENCE, log.status());
                if let Ok(Ok(status)) = asked.await
                    && status.leadership.leading.is_some()
                {
                    return index;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody leads");
    }
}

/// Appends numbers for ever, at whichever replica leads, and takes down what was acknowledged.
async fn append_always(logs: Vec<Log>, journal: Rc<RefCell<BTreeMap<Position, String>>>) {
    let mut number = 0;
    for turn in 0.. {
        let mut writer = logs[turn % 3].writer();
        if !matches!(
            tokio::time::timeout(PATIENCE, writer.start()).await,
            Ok(Ok(_))
        ) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        loop {
            number += 1;
            let text = number.to_string();
            let append = writer.append(text.clone());
            let Ok(Ok(position)) = tokio::time::timeout(PATIENCE, append).await else {
                break;
            };
            let before = journal.borrow_mut().insert(position, text);
            assert_eq!(before, None, "{position} was acknowledged twice");
        }
    }
}

/// Waits until so many more appends were acknowledged.
async fn more(journal: &RefCell<BTreeMap<Position, String>>, count: usize) {
    let wanted = journal.borrow().len() + count;
    for _ in 0..6000 {
        if journal.borrow().len() >= wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("appends stand still at {}", journal.borrow().len());
}

#[test]
fn every_acknowledged_append_is_read_back_though_leaders_are_killed_and_stopped() {
    libproc::run_alone(async {
        let mut replicas = Replicas::start();
        let node = Node::bind("127.0.0.1:0").await?;
        let logs = (0..3).map(|index| replicas.log(&node, index)).collect();
        let journal = Rc::new(RefCell::new(BTreeMap::new()));
        let client = tokio::task::spawn_local(append_always(logs, journal.clone()));
        more(&journal, 50).await;
        for round in 0..4 {
            let leader = replicas.leader(&node).await;
            if round % 2 == 0 {
                replicas.kill(leader);
                more(&journal, 50).await;
                replicas.revive(leader);
            } else {
                replicas.signal(leader, Signal::SIGSTOP);
                tokio::time::sleep(STOPPED).await;
                more(&journal, 50).await;
                replicas.signal(leader, Signal::SIGCONT);
            }
            more(&journal, 50).await;
        }
        client.abort();
        let acknowledged = journal.borrow().clone();
        let last = *acknowledged.keys().next_back().unwrap();
        for index in 0..3 {
            let reader = replicas.log(&node, index).reader();
            let mut read = Vec::new();
            for _ in 0..300 {
                read = reader
                    .read(Position::FIRST, Position::MAX)
                    .await
                    .unwrap_or_default();
                if read
                    .last()
                    .is_some_and(|appended| appended.position >= last)
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let there: BTreeMap<Position, &[u8]> = read
                .iter()
                .map(|appended| (appended.position, &appended.data[..]))
                .collect();
            for (position, text) in &acknowledged {
                assert_eq!(
                    there.get(position),
                    Some(&text.as_bytes()),
                    "{index}: {position}"
                );
            }
        }
        node.shutdown().await;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_log_is_read_truncated_and_checked_from_the_command_line() {
    let mut replicas = Replicas::start();
    let at = replicas.flag();
    let appended = replicas
        .place
        .run(&["log", "append", &at, "one", "two", "three"]);
    assert_eq!(appended.code, Some(0), "{}", appended.stderr);
    let read = replicas
        .place
        .run(&["log", "read", &at, "--json"])
        .json_lines();
    let data: Vec<&str> = read
        .iter()
        .map(|line| line["data"].as_str().unwrap())
        .collect();
    assert_eq!(data, ["one", "two", "three"]);
    let status = replicas.place.run(&["log", "status", &at, "--json"]).json();
    assert_eq!(status["replicas"].as_array().unwrap().len(), 3);
    let keep = read[2]["position"].to_string();
    let truncated = replicas
        .place
        .run(&["log", "truncate", &at, &keep, "--json"])
        .json();
    assert_eq!(truncated["begin"].to_string(), keep);
    let read = replicas
        .place
        .run(&["log", "read", &at, "--json"])
        .json_lines();
    assert_eq!((read.len(), read[0]["data"].as_str()), (1, Some("three")));
    // What is in use is not checked; what is whole is sound; what is damaged is named.
    let directory = replicas.directory(0);
    let in_use = replicas.place.run(&["log", "check", &directory]);
    assert_eq!(in_use.code, Some(1));
    assert!(in_use.stderr.contains("in use"), "{}", in_use.stderr);
    replicas.kill(0);
    let sound = replicas
        .place
        .run(&["log", "check", &directory, "--json"])
        .json();
    assert_eq!(sound["sound"], true);
    let file = format!("{directory}/segment-0000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let place = bytes
        .windows(5)
        .position(|window| window == b"three")
        .unwrap();
    bytes[place] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let damaged = replicas.place.run(&["log", "check", &directory]);
    assert_eq!(damaged.code, Some(1));
    assert!(
        damaged.text().contains(&format!("they held slot {keep}")),
        "{}",
        damaged.text()
    );
    // Who votes is changed, and said as who lists it is told.
    let removed = replicas.place.run(&["log", "remove", "1", &at, "--json"]);
    let listed = replicas.place.run(&["log", "replicas", &at, "--json"]);
    assert_eq!(removed.json(), listed.json());
    assert_eq!(removed.json()["replicas"].as_array().unwrap().len(), 2);
    let fresh = replicas.place.path().join("fresh").display().to_string();
    let made = replicas
        .place
        .run(&["log", "init", &fresh, "--node=7", "--json"])
        .json();
    assert_eq!((&made["node"], &made["name"]), (&7.into(), &"log".into()));
    // A directory that is another replica's, and one that is no log's.
    let list = format!("--replicas={}", replicas.list());
    let other = replicas
        .place
        .run(&["log", "replica", &directory, "--node=2", &list]);
    assert_eq!(other.code, Some(1));
    let strange = replicas.place.path().join("strange");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("shopping.txt"), "eggs").unwrap();
    let strange = strange.display().to_string();
    let refused = replicas.place.run(&["log", "init", &strange, "--node=1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("shopping.txt"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_log_in_which_variables_are_kept_is_not_written_from_the_command_line() {
    let replicas = Replicas::start();
    libproc::run_alone(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let log = replicas.log(&node, 0);
        let storage = LogStorage::new(&node, log, LogStorageOptions::default());
        storage.start().await.unwrap();
        node.shutdown().await;
        Ok(())
    })
    .unwrap();
    let at = replicas.flag();
    for words in [
        ["log", "append", &at, "hello"],
        ["log", "truncate", &at, "1"],
    ] {
        let refused = replicas.place.run(&words);
        assert_eq!(refused.code, Some(1), "{words:?}");
        assert!(
            refused.stderr.contains("variables are kept in this log"),
            "{}",
            refused.stderr
        );
    }
}
