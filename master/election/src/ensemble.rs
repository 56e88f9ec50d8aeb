//! Masters of a static list, which are the replicas of a log.
//!
//! Each has a replica on its own node. The log is begun once, when all of them are there for the
//! first time, and never again while one of their disks remains; from then on a majority is enough.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use libproc::Node;
use replog::{Log, LogError, LogOptions, NodeId};
use state::{LogStorage, LogStorageOptions, State};

use crate::log::LogContest;
use crate::masters::Place;

/// The name of the masters' log, and of the processes of its replicas.
pub const REGISTRY_LOG: &str = "registry";

/// The masters of a list, of which one is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    replicas: BTreeMap<NodeId, SocketAddr>,
    here: NodeId,
}

/// Why masters are no ensemble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEnsemble {
    /// One is there twice.
    #[error("{0} and {1} are the same master: name each once")]
    Same(Place, Place),
    /// The one that is here is not there.
    #[error("{0} is not in the list of masters")]
    NotListed(Place),
}

impl Ensemble {
    /// The masters of a list, each with its socket address, of which `here` is this one. All are
    /// given the same list, in any order: a master is known by how the list spells it.
    ///
    /// # Errors
    /// When one is in it twice, or this one is not.
    pub fn new(masters: &[(Place, SocketAddr)], here: &Place) -> Result<Ensemble, BadEnsemble> {
        let mut replicas = BTreeMap::new();
        for (index, (place, address)) in masters.iter().enumerate() {
            let before = &masters[..index];
            let same = |(other, there): &&(Place, SocketAddr)| {
                there == address || number(other) == number(place)
            };
            if let Some((other, _)) = before.iter().find(same) {
                return Err(BadEnsemble::Same(other.clone(), place.clone()));
            }
            replicas.insert(number(place), *address);
        }
        let here = Some(number(here))
            .filter(|here| replicas.contains_key(here))
            .ok_or_else(|| BadEnsemble::NotListed(here.clone()))?;
        Ok(Ensemble { replicas, here })
    }

    /// How many masters there are.
    #[must_use]
    pub fn masters(&self) -> usize {
        self.replicas.len()
    }

    /// How many of them must be there for one to lead.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.replicas.len() / 2 + 1
    }

    /// The number of the replica that is here.
    #[must_use]
    pub fn here(&self) -> NodeId {
        self.here
    }

    /// How the replica that is here is to be, with its records on this disk.
    #[must_use]
    pub fn options(&self, disk: replog::Place) -> LogOptions {
        LogOptions {
            name: REGISTRY_LOG.to_owned(),
            ..LogOptions::new(REGISTRY_LOG, self.here, self.replicas.clone(), disk)
        }
    }

    /// Opens a replica as a process of `node`, whose address is the one in the list. Returns the
    /// election by it, and the registry, which is for whoever is elected.
    ///
    /// # Errors
    /// When its files cannot be used, or another process of the node has its name.
    pub async fn open(node: &Node, options: LogOptions) -> Result<(LogContest, State), LogError> {
        let log = Log::open(node, options).await?;
        let here = LogStorageOptions {
            here: true,
            ..LogStorageOptions::default()
        };
        let storage = LogStorage::new(node, log.clone(), here);
        let contest = LogContest::new(log, storage.clone());
        Ok((contest, State::new(storage)))
    }
}

/// The number of the replica of a master: the same everywhere, whoever else is in the list. Short,
/// since people type it when they change who votes; that two of a few dozen are the same is found
/// where the list is read.
fn number(place: &Place) -> NodeId {
    let hash = replog::cluster_of(&place.to_string()).0;
    NodeId((hash >> 32) ^ (hash & u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> (Place, SocketAddr) {
        let place = Place {
            host: host.to_owned(),
            port: 5050,
        };
        let last = host.bytes().next_back().unwrap();
        (place, SocketAddr::from(([10, 0, 0, last], 5050)))
    }

    #[test]
    fn the_number_of_a_master_does_not_depend_on_the_others() {
        let (a, b, c, d) = (place("a"), place("b"), place("c"), place("d"));
        let one = Ensemble::new(&[a.clone(), b.clone(), c.clone()], &b.0).unwrap();
        let other = Ensemble::new(&[d, c, b.clone()], &b.0).unwrap();
        assert_eq!(one.here(), other.here());
        assert_eq!((one.masters(), one.quorum()), (3, 2));
        let alone = Ensemble::new(std::slice::from_ref(&a), &a.0).unwrap();
        assert_eq!((alone.masters(), alone.quorum()), (1, 1));
    }

    #[test]
    fn a_list_with_one_master_twice_or_without_this_one_is_refused() {
        let (a, b) = (place("a"), place("b"));
        let twice = (b.0.clone(), a.1);
        let refused = Ensemble::new(&[a.clone(), twice], &a.0).unwrap_err();
        assert!(matches!(refused, BadEnsemble::Same(..)), "{refused}");
        let refused = Ensemble::new(std::slice::from_ref(&a), &b.0).unwrap_err();
        assert!(matches!(refused, BadEnsemble::NotListed(_)), "{refused}");
    }
}
