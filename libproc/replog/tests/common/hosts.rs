//! Replicas on simulated hosts, each with a disk that outlives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libproc::Node;
use libproc::sim::World;
use paxos::NodeId;
use replog::store::{MemoryDisk, StoreOptions};
use replog::{BrokenDisk, Log, LogOptions, Place};

/// The hosts of a log of three.
pub const HOSTS: [&str; 3] = ["a", "b", "c"];

/// Disks by host.
pub type Disks = BTreeMap<String, MemoryDisk>;

/// Empty disks for the hosts.
pub fn disks(hosts: &[&str]) -> Disks {
    let disks = hosts
        .iter()
        .map(|host| ((*host).to_owned(), MemoryDisk::new()));
    disks.collect()
}

/// Which replica is on the host at this place of the list.
pub fn node_id(hosts: &[&str], host: &str) -> NodeId {
    let place = hosts.iter().position(|other| *other == host);
    NodeId(place.expect("a host of the list") as u64 + 1)
}

/// What the replica on `host` is started with, when `hosts` begin the log together.
pub fn options(world: &World, hosts: &[&str], host: &str, disk: &MemoryDisk) -> LogOptions {
    let replicas = hosts
        .iter()
        .map(|host| (node_id(hosts, host), world.address(host)));
    let place = Place::Disk(Arc::new(disk.clone()));
    let mut options = LogOptions::new("test", node_id(hosts, host), replicas.collect(), place);
    options.protocol.append_bytes = 8 << 10;
    options.store = StoreOptions {
        segment_bytes: 64 << 10,
    };
    options.broken_disk = BrokenDisk::EndsReplica;
    options.commit_delay = Duration::from_millis(2);
    options
}

/// Starts a replica on each of the hosts; one that is bounced opens its disk again.
pub async fn start(world: &World, hosts: &'static [&'static str], disks: &Disks) {
    for host in hosts {
        let (world, disk) = (world.clone(), disks[*host].clone());
        world.clone().host(host, move |node| {
            let options = options(&world, hosts, host, &disk);
            async move {
                Log::open(&node, options)
                    .await
                    .expect("the disk can be read");
            }
        });
    }
    for host in hosts {
        world.node(host).await;
    }
}

/// The log by the replica of a host.
pub fn by(world: &World, here: &Node, host: &str) -> Log {
    Log::at(here, world.pid(replog::NAME, host))
}
