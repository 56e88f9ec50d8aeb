//! One client after another.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use state::{Error, FileStorage, State, StorageError, Transaction};

use crate::storages::{all, log, zookeeper};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Registry {
    agents: Vec<String>,
}

fn each<F: Future<Output = ()>>(test: impl Fn(State, State, &'static str) -> F) {
    libproc::run_alone(async {
        let mut storages = all(2);
        storages.push(log(2).await);
        for clients in storages {
            let mut handles = clients.handles.clone().into_iter().map(State::new);
            let (a, b) = (handles.next().unwrap(), handles.next().unwrap());
            test(a, b, clients.name).await;
            if let Some(node) = clients.node {
                node.shutdown().await;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn whoever_stores_second_gets_nothing() {
    each(|a, b, name| async move {
        let mine = a.fetch::<Registry>("registry").await.unwrap();
        let theirs = b.fetch::<Registry>("registry").await.unwrap();
        assert_eq!(mine.value(), None, "{name}");
        let agents = vec!["one".to_owned()];
        let mine = a.store(mine.mutate(Registry { agents })).await.unwrap();
        let agents = vec!["two".to_owned()];
        let lost = b.store(theirs.mutate(Registry { agents })).await.unwrap();
        assert_eq!(lost, None, "{name}");
        // What was stored can be stored again without fetching it.
        let agents = vec!["one".to_owned(), "three".to_owned()];
        let stored = a
            .store(mine.unwrap().mutate(Registry { agents }))
            .await
            .unwrap();
        let fetched = b.fetch::<Registry>("registry").await.unwrap();
        assert_eq!(Some(fetched), stored, "{name}");
    });
}

#[test]
fn what_is_expunged_is_gone_and_comes_back_as_another() {
    each(|a, b, name| async move {
        let variable = a.fetch::<u64>("x").await.unwrap();
        assert!(!a.expunge(variable.clone()).await.unwrap(), "{name}");
        let first = a.store(variable.mutate(1)).await.unwrap().unwrap();
        let stale = b.fetch::<u64>("x").await.unwrap();
        assert!(a.expunge(first.clone()).await.unwrap(), "{name}");
        assert!(!b.expunge(stale.clone()).await.unwrap(), "{name}");
        assert_eq!(
            b.store(stale.clone().mutate(2)).await.unwrap(),
            None,
            "{name}"
        );
        let anew = b.fetch::<u64>("x").await.unwrap();
        assert_eq!(anew.value(), None, "{name}");
        b.store(anew.mutate(3)).await.unwrap().unwrap();
        assert_eq!(a.store(first.mutate(4)).await.unwrap(), None, "{name}");
        assert_eq!(
            a.fetch::<u64>("x").await.unwrap().value(),
            Some(&3),
            "{name}"
        );
    });
}

#[test]
fn names_are_those_that_are_stored() {
    each(|a, b, name| async move {
        assert!(a.names().await.unwrap().is_empty(), "{name}");
        for variable in ["b", "agents/one two", "agents/%2F", "ünïcode", "a"] {
            let variable = a.fetch::<String>(variable).await.unwrap();
            let value = variable.name().to_owned();
            a.store(variable.mutate(value)).await.unwrap().unwrap();
        }
        let names = b.names().await.unwrap();
        assert_eq!(
            names,
            ["a", "agents/%2F", "agents/one two", "b", "ünïcode"],
            "{name}"
        );
        let agents = b.fetch_all::<String>("agents/").await.unwrap();
        let values: Vec<_> = agents
            .iter()
            .filter_map(|variable| variable.value())
            .collect();
        assert_eq!(values, ["agents/%2F", "agents/one two"], "{name}");
    });
}

#[test]
fn a_value_of_another_type_is_an_error() {
    each(|a, b, name| async move {
        let variable = a.fetch::<String>("x").await.unwrap();
        a.store(variable.mutate("text".to_owned()))
            .await
            .unwrap()
            .unwrap();
        let error = b.fetch::<Registry>("x").await.unwrap_err();
        assert!(matches!(error, Error::Type { .. }), "{name}: {error}");
    });
}

#[test]
fn a_name_that_is_none_is_refused() {
    each(|a, _, name| async move {
        for wrong in ["", "a\0b", &"x".repeat(1_000)] {
            let error = a.fetch::<u64>(wrong).await.unwrap_err();
            assert!(matches!(error, Error::Name), "{name}: {error}");
        }
        let longest = "x".repeat(state::NAME_MAX);
        let variable = a.fetch::<u64>(&longest).await.unwrap();
        assert!(
            a.store(variable.mutate(1)).await.unwrap().is_some(),
            "{name}"
        );
    });
}

#[test]
fn a_transaction_happens_as_a_whole_or_not_at_all() {
    each(|a, b, name| async move {
        let (x, y) = (
            a.fetch::<u64>("x").await.unwrap(),
            a.fetch::<u64>("y").await.unwrap(),
        );
        let epoch = a.fetch::<u64>("epoch").await.unwrap();
        let mut first = Transaction::default();
        first.check(&epoch);
        let x = first.store(x.mutate(1)).unwrap().unwrap();
        let y = first.store(y.mutate(1)).unwrap().unwrap();
        assert!(a.commit(first).await.unwrap(), "{name}");
        // Somebody else begins an epoch: what belongs to the one before is refused.
        let theirs = b.fetch::<u64>("epoch").await.unwrap();
        b.store(theirs.mutate(1)).await.unwrap().unwrap();
        let mut second = Transaction::default();
        second.check(&epoch);
        second.store(x.clone().mutate(2)).unwrap();
        second.expunge(y.clone());
        assert!(!a.commit(second).await.unwrap(), "{name}");
        assert_eq!(b.fetch::<u64>("x").await.unwrap(), x, "{name}");
        let mut third = Transaction::default();
        third.check(&b.fetch::<u64>("epoch").await.unwrap());
        third.store(x.mutate(3)).unwrap();
        third.expunge(y);
        assert!(b.commit(third).await.unwrap(), "{name}");
        assert_eq!(a.names().await.unwrap(), ["epoch", "x"], "{name}");
    });
}

#[test]
fn a_value_of_megabytes_is_kept_or_refused_in_words() {
    each(|a, b, name| async move {
        let variable = a.fetch::<String>("large").await.unwrap();
        let large = "x".repeat(8 << 20);
        match a.store(variable.mutate(large.clone())).await {
            Ok(stored) => {
                assert!(stored.is_some(), "{name}");
                let fetched = b.fetch::<String>("large").await.unwrap();
                assert_eq!(fetched.into_value(), Some(large), "{name}");
            }
            Err(Error::Storage(StorageError::TooLarge { .. })) => assert_eq!(name, "zookeeper"),
            Err(error) => panic!("{name}: {error}"),
        }
    });
}

#[tokio::test]
async fn a_file_is_there_after_its_process_and_belongs_to_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let storage = FileStorage::open(&path).unwrap();
    let error = FileStorage::open(&path).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    let state = State::new(storage);
    let variable = state.fetch::<u64>("x").await.unwrap();
    let stored = state.store(variable.mutate(7)).await.unwrap();
    drop(state);
    let state = State::new(FileStorage::open(&path).unwrap());
    assert_eq!(Some(state.fetch::<u64>("x").await.unwrap()), stored);
}

/// Says in a child process of a test where its file is.
const STORES_IN: &str = "TEPUI_TEST_STORES_IN";

/// The child of the next test: counts up in a file, and says what was acknowledged, until it is killed.
#[tokio::test]
async fn a_child_counts_in_a_file() {
    let Ok(path) = std::env::var(STORES_IN) else {
        return;
    };
    let state = State::new(FileStorage::open(path).unwrap());
    let mut variable = state.fetch::<u64>("count").await.unwrap();
    loop {
        let next = variable.value().map_or(1, |count| count + 1);
        variable = state.store(variable.mutate(next)).await.unwrap().unwrap();
        println!("\nstored {next}");
    }
}

#[tokio::test]
async fn what_a_file_acknowledged_is_there_after_its_process_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "contract::a_child_counts_in_a_file",
                "--nocapture",
            ])
            .env(STORES_IN, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stored =
            || lines.find_map(|line| line.unwrap().strip_prefix("stored ")?.parse::<u64>().ok());
        let enough = acknowledged + 10;
        while acknowledged < enough {
            acknowledged = stored().expect("it stores until it is killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = std::iter::from_fn(stored).last().unwrap_or(acknowledged);
        let state = State::new(FileStorage::open(&path).unwrap());
        let count = state.fetch::<u64>("count").await.unwrap();
        let count = *count.value().expect("it was stored");
        // The last of them may have been stored before it could say so.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&count),
            "{count}"
        );
        acknowledged = count;
    }
}

#[test]
fn a_file_that_is_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    std::fs::write(&path, "not a database, but a note to oneself").unwrap();
    assert!(FileStorage::open(&path).is_err());
    assert!(FileStorage::open(directory.path()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_counts_once() {
    let clients = zookeeper(1);
    let state = State::new(clients.handles[0].clone());
    let ensemble = clients.ensemble.unwrap();
    let variable = state.fetch::<u64>("x").await.unwrap();
    ensemble.lose_answers(1);
    let stored = state.store(variable.mutate(1)).await.unwrap();
    assert_eq!(state.fetch::<u64>("x").await.unwrap().value(), Some(&1));
    assert!(stored.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_ensemble_that_is_away_for_a_moment_is_waited_for() {
    let clients = zookeeper(1);
    let state = State::new(clients.handles[0].clone());
    let ensemble = clients.ensemble.unwrap();
    let variable = state.fetch::<u64>("x").await.unwrap();
    ensemble.set_down(true);
    let back = ensemble.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        back.set_down(false);
    });
    assert!(state.store(variable.mutate(1)).await.unwrap().is_some());
    ensemble.set_down(true);
    let error = state.fetch::<u64>("x").await.unwrap_err();
    assert!(error.to_string().contains("ZooKeeper"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_expired_is_followed_by_another() {
    let clients = zookeeper(1);
    let client = clients.ensemble.unwrap().client();
    let state = State::new(state::zookeeper::ZooKeeperStorage::new(
        client.clone(),
        "/x",
    ));
    let variable = state.fetch::<u64>("x").await.unwrap();
    client.expire();
    assert!(state.store(variable.mutate(1)).await.unwrap().is_some());
}
