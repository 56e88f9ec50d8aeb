//! Where the replicas of a log are.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use libproc::{Pid, Upid};
use paxos::NodeId;

use crate::protocol::Replication;

/// Most replicas an address is kept of: far more than a log has.
const BOOK_MAX: usize = 256;

/// The addresses of replicas. What was given at the start counts most; of others an address is
/// known because the leader introduced them, or because they wrote.
#[derive(Debug)]
pub(crate) struct Network {
    name: String,
    /// Given at the start: nobody can say otherwise.
    given: BTreeMap<NodeId, SocketAddr>,
    book: BTreeMap<NodeId, SocketAddr>,
    pids: BTreeMap<NodeId, Pid<Replication>>,
}

impl Network {
    pub(crate) fn new(
        name: &str,
        given: BTreeMap<NodeId, SocketAddr>,
        noted: BTreeMap<NodeId, SocketAddr>,
    ) -> Network {
        let mut network = Network {
            name: name.to_owned(),
            given: BTreeMap::new(),
            book: BTreeMap::new(),
            pids: BTreeMap::new(),
        };
        for (node, address) in noted.into_iter().chain(given.clone()) {
            network.note(node, address);
        }
        network.given = given;
        network
    }

    /// Takes down where a replica is; true when that is news.
    pub(crate) fn note(&mut self, node: NodeId, address: SocketAddr) -> bool {
        let is_known = self.book.get(&node) == Some(&address);
        let is_full = self.book.len() >= BOOK_MAX && !self.book.contains_key(&node);
        if is_known || is_full || self.given.contains_key(&node) {
            return false;
        }
        let Ok(upid) = Upid::new(&self.name, address) else {
            return false;
        };
        self.book.insert(node, address);
        self.pids.insert(node, Pid::assume(upid));
        true
    }

    pub(crate) fn pid(&self, node: NodeId) -> Option<&Pid<Replication>> {
        self.pids.get(&node)
    }

    pub(crate) fn address(&self, node: NodeId) -> Option<SocketAddr> {
        self.book.get(&node).copied()
    }

    pub(crate) fn book(&self) -> &BTreeMap<NodeId, SocketAddr> {
        &self.book
    }
}
