//! Replicas on a simulated network: they agree, and nothing acknowledged is lost, whatever crashes
//! or is cut off.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use common::hosts::*;
use libproc::Node;
use libproc::sim::{self, Simulation, World};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use replog::store::survey;
use replog::{Appended, Log, LogError, Position, Refused, Status};

const SECOND: Duration = Duration::from_secs(1);
/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(3);

fn simulation(seed: u64) -> Simulation {
    Simulation::new(seed).step(Duration::from_millis(5))
}

/// A writer that has started, at whichever replica can be asked.
async fn writer(world: &World, here: &Node, hosts: &[&str]) -> replog::Writer {
    for turn in 0.. {
        let mut writer = by(world, here, hosts[turn % hosts.len()]).writer();
        if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, writer.start()).await {
            return writer;
        }
        world.sleep(SECOND / 10).await;
    }
    unreachable!("there are many numbers")
}

/// A replica on each host, with its disk, and a writer that has started.
async fn begun(world: &World) -> (Disks, Node, replog::Writer) {
    let disks = disks(&HOSTS);
    start(world, &HOSTS, &disks).await;
    let here = world.here().await;
    let writer = writer(world, &here, &HOSTS).await;
    (disks, here, writer)
}

/// Everything in the log, by a replica that knows all of it.
async fn all(log: &Log) -> Result<Vec<Appended>, LogError> {
    let bounds = log.bounds().await?;
    log.reader().read(bounds.begin, bounds.end).await
}

fn texts(appended: &[Appended]) -> Vec<String> {
    let text = |appended: &Appended| String::from_utf8_lossy(&appended.data).into_owned();
    appended.iter().map(text).collect()
}

#[test]
fn replicas_begin_a_log_together_and_read_what_was_appended() {
    sim::check(sim::seeds(2), |seed| {
        simulation(seed).run(async |world| {
            let (_, here, writer) = begun(&world).await;
            for number in 0..20 {
                writer.append(format!("{number}")).await.unwrap();
            }
            let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
            for host in HOSTS {
                let read = all(&by(&world, &here, host)).await.unwrap();
                assert_eq!(texts(&read), expected, "{host}");
            }
        });
    });
}

#[test]
fn a_second_writer_excludes_the_first() {
    simulation(1).run(async |world| {
        let (_, here, first) = begun(&world).await;
        let position = first.append("first").await.unwrap();
        let mut second = by(&world, &here, "c").writer();
        assert!(second.start().await.unwrap() >= position);
        second.append("second").await.unwrap();
        let refused = first.append("first again").await.unwrap_err();
        assert!(
            matches!(refused, LogError::Refused(Refused::Superseded)),
            "{refused}"
        );
    });
}

#[test]
fn a_follower_hears_of_every_append_in_order() {
    simulation(2).run(async |world| {
        let (_, here, writer) = begun(&world).await;
        let mut follower = by(&world, &here, "b").reader().follow(Position::FIRST);
        let appends: Vec<_> = (0..50)
            .map(|number| writer.append(format!("{number}")))
            .collect();
        for number in 0..50 {
            let appended = follower.next().await.unwrap();
            assert_eq!(appended.data, format!("{number}"));
        }
        let mut last = Position::ZERO;
        for append in appends {
            let position = append.await.unwrap();
            assert!(position > last);
            last = position;
        }
    });
}

#[test]
fn what_is_truncated_is_refused_and_the_rest_stays() {
    simulation(3).run(async |world| {
        let (disks, here, writer) = begun(&world).await;
        let mut positions = Vec::new();
        for _ in 0..200 {
            positions.push(writer.append(vec![7; 4000]).await.unwrap());
        }
        let kept = positions[190];
        writer.truncate(kept).await.unwrap();
        world.sleep(2 * SECOND).await;
        for host in HOSTS {
            let log = by(&world, &here, host);
            let refused = log.reader().read(positions[0], kept).await.unwrap_err();
            let truncated = matches!(
                refused,
                LogError::Refused(Refused::Truncated { begin }) if begin == kept
            );
            assert!(truncated, "{refused}");
            assert_eq!(all(&log).await.unwrap().len(), 10);
            let files = common::store::segments(&disks[host]).len();
            assert!(files <= 3, "{host} has {files} segments");
        }
    });
}

#[test]
fn a_replica_that_lost_its_disk_is_given_everything_back() {
    simulation(4).run(async |world| {
        let (disks, here, writer) = begun(&world).await;
        for number in 0..100 {
            writer.append(format!("{number}")).await.unwrap();
        }
        let leader = by(&world, &here, "a")
            .status()
            .await
            .unwrap()
            .leadership
            .leader;
        let host = *HOSTS
            .iter()
            .find(|host| Some(node_id(&HOSTS, host)) != leader)
            .unwrap();
        world.crash(host).await;
        for name in replog::store::Disk::names(&disks[host]).unwrap() {
            disks[host].lose(&name);
        }
        world.bounce(host).await;
        world.node(host).await;
        let log = by(&world, &here, host);
        for _ in 0..200 {
            world.sleep(SECOND / 10).await;
            let status = log.status().await.map(|status| status.status);
            if matches!(status, Ok(Status::Voting)) {
                break;
            }
        }
        assert_eq!(log.status().await.unwrap().status, Status::Voting);
        assert_eq!(all(&log).await.unwrap().len(), 100);
    });
}

#[test]
fn a_replica_with_a_damaged_record_is_repaired_by_the_others() {
    a_record_is_damaged(5, 0);
}

#[test]
fn damage_in_a_segment_that_the_start_did_not_read_is_found_and_repaired_while_it_runs() {
    a_record_is_damaged(6, 60);
}

/// Damages a record that so many large ones follow, while its replica is down.
fn a_record_is_damaged(seed: u64, later: usize) {
    simulation(seed).run(async move |world| {
        let (disks, here, writer) = begun(&world).await;
        for number in 0..100 {
            writer.append(format!("number {number:03}")).await.unwrap();
        }
        for _ in 0..later {
            writer.append(vec![7; 4000]).await.unwrap();
        }
        let status = by(&world, &here, "a").status().await.unwrap();
        let leader = status.leadership.leader;
        let host = *HOSTS
            .iter()
            .find(|host| Some(node_id(&HOSTS, host)) != leader)
            .unwrap();
        world.crash(host).await;
        let disk = &disks[host];
        let file = &common::store::segments(disk)[0];
        let at = common::store::find(disk, file, b"number 050")[0];
        disk.flip(file, at * 8);
        assert!(!survey(disk).unwrap().is_sound());
        world.bounce(host).await;
        world.node(host).await;
        for _ in 0..100 {
            world.sleep(SECOND / 10).await;
            if survey(disk).unwrap().is_sound() {
                break;
            }
        }
        assert!(survey(disk).unwrap().is_sound());
        let read = all(&by(&world, &here, host)).await.unwrap();
        assert_eq!(texts(&read)[50], "number 050");
    });
}

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again_when_there_is_space() {
    simulation(6).run(async |world| {
        let (disks, here, mut appending) = begun(&world).await;
        let mut acknowledged = 0;
        for disk in disks.values() {
            disk.fault(|faults| faults.full = true);
        }
        while let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, appending.append(vec![1; 4000])).await
        {
            acknowledged += 1;
            assert!(acknowledged < 100, "the disks are never full");
        }
        for disk in disks.values() {
            disk.fault(|faults| faults.full = false);
        }
        world.sleep(3 * SECOND).await;
        appending = writer(&world, &here, &HOSTS).await;
        appending.append("space").await.unwrap();
        let read = all(&by(&world, &here, "a")).await.unwrap();
        assert!(
            read.len() > acknowledged,
            "{} of {acknowledged}",
            read.len()
        );
    });
}

#[test]
fn a_replica_is_added_and_another_removed_while_writing() {
    const FOUR: [&str; 4] = ["a", "b", "c", "d"];
    simulation(7).run(async |world| {
        let disks = disks(&FOUR);
        start(&world, &HOSTS, &disks).await;
        let here = world.here().await;
        let mut appending = writer(&world, &here, &HOSTS).await;
        for number in 0..50 {
            appending.append(format!("{number}")).await.unwrap();
        }
        let disk = disks["d"].clone();
        let starting = world.clone();
        world.host("d", move |node| {
            let options = options(&starting, &FOUR, "d", &disk);
            async move {
                Log::open(&node, options).await.expect("an empty disk");
            }
        });
        world.node("d").await;
        let log = by(&world, &here, "a");
        let (node, address) = (node_id(&FOUR, "d"), world.address("d"));
        world.sleep(SECOND).await;
        log.reconfigure(replog::Reconfiguration::Add { node, address })
            .await
            .unwrap();
        let gone = node_id(&FOUR, "a");
        let by_d = by(&world, &here, "d");
        for _ in 0..20 {
            match by_d
                .reconfigure(replog::Reconfiguration::Remove { node: gone })
                .await
            {
                Ok(()) => break,
                Err(_) => world.sleep(SECOND).await,
            }
        }
        world.crash("a").await;
        appending = writer(&world, &here, &["b", "c", "d"]).await;
        appending.append("last").await.unwrap();
        let status = by_d.status().await.unwrap();
        assert_eq!(status.members.len(), 3, "{status:?}");
        let read = all(&by_d).await.unwrap();
        assert_eq!((read.len(), texts(&read)[50].as_str()), (51, "last"));
    });
}

/// What became of appends.
#[derive(Default)]
struct Journal {
    acknowledged: BTreeMap<Position, String>,
    /// How many were tried.
    tried: u64,
}

/// Appends numbers until told to stop, and starts again wherever it has to.
async fn append_always(world: World, here: Node, journal: Rc<RefCell<Journal>>, client: u64) {
    loop {
        let appending = writer(&world, &here, &HOSTS).await;
        loop {
            let texts: Vec<String> = (0..4)
                .map(|_| {
                    let mut journal = journal.borrow_mut();
                    journal.tried += 1;
                    format!("{client}/{}", journal.tried)
                })
                .collect();
            let appends: Vec<_> = texts
                .iter()
                .map(|text| appending.append(text.clone()))
                .collect();
            let mut failed = false;
            for (text, append) in texts.into_iter().zip(appends) {
                match tokio::time::timeout(PATIENCE, append).await {
                    Ok(Ok(position)) => {
                        let mut journal = journal.borrow_mut();
                        let before = journal.acknowledged.insert(position, text);
                        assert_eq!(before, None, "{position} was acknowledged twice");
                    }
                    Ok(Err(_)) | Err(_) => failed = true,
                }
            }
            if failed {
                break;
            }
            world.sleep(SECOND / 10).await;
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_while_hosts_crash_and_links_are_cut() {
    sim::check(sim::seeds(3), |seed| {
        simulation(seed).run(async move |world| {
            let disks = disks(&HOSTS);
            start(&world, &HOSTS, &disks).await;
            let here = world.here().await;
            let journal = Rc::new(RefCell::new(Journal::default()));
            let clients = (1..=2).map(|client| {
                let task = append_always(world.clone(), here.clone(), journal.clone(), client);
                tokio::task::spawn_local(task)
            });
            let clients: Vec<_> = clients.collect();
            let mut chance = StdRng::seed_from_u64(seed);
            for _ in 0..12 {
                let host = HOSTS[chance.random_range(0..3)];
                let other = HOSTS[chance.random_range(0..3)];
                match chance.random_range(0..3) {
                    0 => {
                        world.crash(host).await;
                        disks[host].crash(&mut chance);
                        world.sleep(SECOND * chance.random_range(1..4)).await;
                        world.bounce(host).await;
                        world.node(host).await;
                    }
                    1 if host != other => {
                        world.partition(host, other);
                        world.sleep(SECOND * chance.random_range(1..4)).await;
                        world.repair(host, other);
                    }
                    _ if host != other => {
                        world.partition_one_way(host, other);
                        world.sleep(SECOND * chance.random_range(1..4)).await;
                        world.repair(host, other);
                    }
                    _ => world.sleep(SECOND).await,
                }
            }
            world.heal().await;
            world.sleep(10 * SECOND).await;
            for client in clients {
                client.abort();
            }
            let acknowledged = journal.borrow().acknowledged.clone();
            check(&world, &here, &acknowledged).await;
        });
    });
}

/// Every replica has the same, and everything acknowledged where it was said to be.
async fn check(world: &World, here: &Node, acknowledged: &BTreeMap<Position, String>) {
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    let mut logs = Vec::new();
    for host in HOSTS {
        let log = by(world, here, host);
        let mut read = all(&log).await;
        for _ in 0..20 {
            if read.is_ok() {
                break;
            }
            world.sleep(SECOND).await;
            read = all(&log).await;
        }
        logs.push(read.unwrap_or_else(|error| panic!("{host}: {error}")));
    }
    let shortest = logs.iter().map(Vec::len).min().unwrap_or(0);
    for log in &mut logs {
        log.truncate(shortest);
    }
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[0], logs[2]);
    let there: BTreeMap<Position, String> = logs[0]
        .iter()
        .map(|appended| {
            let text = String::from_utf8_lossy(&appended.data).into_owned();
            (appended.position, text)
        })
        .collect();
    for (position, text) in acknowledged {
        assert_eq!(there.get(position), Some(text), "at {position}");
    }
    let distinct: std::collections::BTreeSet<&String> = there.values().collect();
    assert_eq!(distinct.len(), there.len(), "something was appended twice");
}
