//! How a replica is to be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paxos::{ClusterId, NodeId, Quorums};

use crate::error::LogError;
use crate::store::{Disk, StoreOptions};

/// The name of the process of a replica, unless chosen otherwise.
pub const NAME: &str = "log";

/// Where a replica keeps its records.
#[derive(Clone)]
pub enum Place {
    /// In a directory, which is made if need be.
    Directory(PathBuf),
    /// On a disk of any kind, such as one in memory.
    Disk(Arc<dyn Disk>),
}

/// What becomes of this program when the disk refuses a write or a flush. Nobody knows what is on
/// it then, and only a start from what can be read again finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BrokenDisk {
    /// It ends, with exit code 74.
    #[default]
    EndsProgram,
    /// The replica ends, and must not be started again in this program: for simulations, in which
    /// many replicas are one program.
    EndsReplica,
}

/// How a replica is to be.
#[derive(Clone)]
pub struct LogOptions {
    /// The name of its process; all replicas of a log have the same.
    pub name: String,
    /// The log.
    pub cluster: ClusterId,
    /// Which of its replicas.
    pub node: NodeId,
    /// Where the replicas are that begin the log together, this one included; for one that is to be
    /// added to a log, the ones to ask, and itself.
    pub replicas: BTreeMap<NodeId, SocketAddr>,
    /// The quorums the log begins with.
    pub quorums: Quorums,
    /// Where records are kept.
    pub place: Place,
    /// How files are to be, when they are made.
    pub store: StoreOptions,
    /// Times and limits of the protocol.
    pub protocol: paxos::Options,
    /// What a broken disk means.
    pub broken_disk: BrokenDisk,
    /// How much longer than its disk each commit takes; zero but in simulations.
    pub commit_delay: Duration,
}

impl LogOptions {
    /// A replica of the log that is called `log`, as usual in everything else.
    #[must_use]
    pub fn new(
        log: &str,
        node: NodeId,
        replicas: BTreeMap<NodeId, SocketAddr>,
        place: Place,
    ) -> LogOptions {
        LogOptions {
            name: NAME.to_owned(),
            cluster: cluster_of(log),
            node,
            replicas,
            quorums: Quorums::Majority,
            place,
            store: StoreOptions::default(),
            protocol: paxos::Options::default(),
            broken_disk: BrokenDisk::default(),
            commit_delay: Duration::ZERO,
        }
    }

    /// # Errors
    /// When they contradict each other.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        let wrong = |text: String| Err(LogError::Options(text));
        if !self.replicas.contains_key(&self.node) {
            let node = self.node;
            return wrong(format!(
                "replica {node} is not among the replicas it is given"
            ));
        }
        let places: BTreeSet<&SocketAddr> = self.replicas.values().collect();
        if places.len() != self.replicas.len() {
            return wrong("two replicas cannot have the same address".to_owned());
        }
        if self.replicas.len() > paxos::MEMBERS_MAX {
            let most = paxos::MEMBERS_MAX;
            return wrong(format!("a log has at most {most} replicas"));
        }
        let entry = self.protocol.append_bytes as u64 + ENTRY_EXTRA;
        if self.store.segment_bytes < 2 * entry {
            return wrong(format!(
                "segments of {} bytes are too small for entries of {}: twice that is needed",
                self.store.segment_bytes, self.protocol.append_bytes
            ));
        }
        Ok(())
    }
}

/// What an entry takes beside its data, metadata at the head of a segment included, at most.
const ENTRY_EXTRA: u64 = 4096;

/// The number of the log of this name: FNV-1a, which is the same everywhere and at any time.
#[must_use]
pub fn cluster_of(log: &str) -> ClusterId {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    ClusterId(log.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_name_never_changes() {
        assert_eq!(cluster_of("a"), ClusterId(0xaf63_dc4c_8601_ec8c));
    }
}
