//! Where a framework keeps what must survive, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use election::{SESSION_TIMEOUT, ZooKeeperContest};
use state::zookeeper::{BadUrl, RealEnsemble, ZkUrl, ZooKeeperStorage};
use state::{FileStorage, MemoryStorage, State, StorageError};

/// Below a path of ZooKeeper: where schedulers elect each other.
const LEADER: &str = "leader";
/// Below a path of ZooKeeper: where the variables are.
const STATE: &str = "state";

/// Where what must survive is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptIn {
    /// Nowhere: it ends with the process.
    Memory,
    /// A file of this machine, for one process at a time.
    File(PathBuf),
    /// Below a path of ZooKeeper, where the schedulers also elect each other.
    ZooKeeper(ZkUrl),
}

/// Why a text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPlace {
    /// It is meant as an ensemble, and is none.
    #[error(transparent)]
    ZooKeeper(#[from] BadUrl),
    /// It says nothing.
    #[error("expected the path of a file, `memory`, or zk://host1:port1,host2:port2/path")]
    Empty,
}

impl FromStr for KeptIn {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<KeptIn, BadPlace> {
        let text = text.trim();
        match text {
            "" => Err(BadPlace::Empty),
            "memory" => Ok(KeptIn::Memory),
            _ if ZkUrl::is_one(text) => Ok(KeptIn::ZooKeeper(text.parse()?)),
            _ => {
                let path = text.strip_prefix("file://").unwrap_or(text);
                Ok(KeptIn::File(path.into()))
            }
        }
    }
}

impl fmt::Display for KeptIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeptIn::Memory => f.write_str("memory"),
            KeptIn::File(path) => path.display().fmt(f),
            KeptIn::ZooKeeper(url) => url.fmt(f),
        }
    }
}

impl KeptIn {
    /// Opens it. This blocks on the disk, if it is a file.
    ///
    /// # Errors
    /// When it is a file that another process has open, or that cannot be read.
    pub fn open(&self) -> Result<State, StorageError> {
        Ok(match self {
            KeptIn::Memory => State::new(MemoryStorage::default()),
            KeptIn::File(path) => State::new(FileStorage::open(path)?),
            KeptIn::ZooKeeper(url) => {
                let url = url.below(STATE);
                let ensemble = RealEnsemble::new(url.clone(), SESSION_TIMEOUT);
                State::new(ZooKeeperStorage::new(ensemble, url.path()))
            }
        })
    }

    /// The election of those that keep it there, where several may.
    pub fn contest(&self) -> Option<ZooKeeperContest> {
        match self {
            KeptIn::Memory | KeptIn::File(_) => None,
            KeptIn::ZooKeeper(url) => {
                let url = url.below(LEADER);
                let ensemble = RealEnsemble::new(url.clone(), SESSION_TIMEOUT);
                Some(ZooKeeperContest::new(ensemble, url.path()))
            }
        }
    }

    /// Where those who use the framework find the scheduler that leads: a text that
    /// [`Masters`](election::Masters) reads.
    pub fn leader_url(&self) -> Option<String> {
        match self {
            KeptIn::Memory | KeptIn::File(_) => None,
            KeptIn::ZooKeeper(url) => Some(url.below(LEADER).to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_people_write() {
        let read = |text: &str| text.parse::<KeptIn>();
        assert_eq!(read("memory"), Ok(KeptIn::Memory));
        assert_eq!(read("/var/jobs"), Ok(KeptIn::File("/var/jobs".into())));
        assert_eq!(
            read("file:///var/jobs"),
            Ok(KeptIn::File("/var/jobs".into()))
        );
        let zookeeper = read("zk://a:1,b:2/jobs").unwrap();
        assert_eq!(zookeeper.leader_url().unwrap(), "zk://a:1,b:2/jobs/leader");
        assert_eq!(zookeeper.to_string(), "zk://a:1,b:2/jobs");
        assert_eq!(read(" "), Err(BadPlace::Empty));
        assert!(read("zk://").is_err());
    }
}
