//! Replicas on simulated hosts, each with a disk that outlives it, and users of their log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libproc::Node;
use libproc::sim::{Simulation, World};
use replog::store::{Disk, MemoryDisk, StoreOptions};
use replog::{BrokenDisk, Log, LogOptions, NodeId, Place};
use state::{LogStorage, LogStorageOptions, State, Writing};

pub(crate) const HOSTS: [&str; 3] = ["a", "b", "c"];

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Longest entry of the log.
pub(crate) const ENTRY: usize = 8 << 10;

/// Disks by host.
pub(crate) type Disks = BTreeMap<&'static str, MemoryDisk>;

pub(crate) fn simulation(seed: u64) -> Simulation {
    Simulation::new(seed).step(Duration::from_millis(5))
}

fn options(world: &World, host: &str, disk: &MemoryDisk) -> LogOptions {
    let number = |host: &str| {
        let place = HOSTS.iter().position(|other| *other == host);
        NodeId(place.unwrap() as u64 + 1)
    };
    let replicas = HOSTS.map(|host| (number(host), world.address(host)));
    let place = Place::Disk(Arc::new(disk.clone()));
    let mut options = LogOptions::new("state", number(host), replicas.into(), place);
    options.protocol.append_bytes = ENTRY;
    options.store = StoreOptions {
        segment_bytes: 64 << 10,
    };
    options.broken_disk = BrokenDisk::EndsReplica;
    options.commit_delay = Duration::from_millis(2);
    options
}

/// Starts a replica on each host; one that is bounced opens its disk again.
pub(crate) async fn start(world: &World) -> Disks {
    let disks = HOSTS.map(|host| (host, MemoryDisk::new()));
    let disks: Disks = disks.into();
    for host in HOSTS {
        let (world, disk) = (world.clone(), disks[host].clone());
        world.clone().host(host, move |node| {
            let options = options(&world, host, &disk);
            async move {
                Log::open(&node, options).await.unwrap();
            }
        });
    }
    for host in HOSTS {
        world.node(host).await;
    }
    disks
}

/// The log by the replica of a host.
pub(crate) fn by(world: &World, here: &Node, host: &str) -> Log {
    Log::at(here, world.pid(replog::NAME, host))
}

/// Variables by the replica of a host.
pub(crate) fn storage(world: &World, here: &Node, host: &str, writing: Writing) -> LogStorage {
    let options = LogStorageOptions {
        writing,
        checkpoint_bytes: 64 << 10,
        patience: 5 * SECOND,
        ..LogStorageOptions::default()
    };
    LogStorage::new(here, by(world, here, host), options)
}

/// A state by the replica of a host, that shares its variables with others.
pub(crate) fn shared(world: &World, here: &Node, host: &str) -> State {
    State::new(storage(world, here, host, Writing::InTurns))
}

/// Bytes that a disk holds.
pub(crate) fn bytes_on(disk: &MemoryDisk) -> u64 {
    let names = disk.names().unwrap();
    let size = |name: &String| disk.open(name).unwrap().length().unwrap();
    names.iter().map(size).sum()
}
