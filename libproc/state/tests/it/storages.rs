//! The storages that are compared.

use std::time::Duration;

use libproc::Node;
use replog::store::MemoryDisk;
use replog::{Log, LogOptions, NodeId, Place};
use state::zookeeper::{SimulatedEnsemble, ZooKeeperStorage};
use state::{FileStorage, LogStorage, LogStorageOptions, MemoryStorage, Storage, Writing};
use std::sync::Arc;

/// Handles for several clients of one storage.
pub(crate) struct Clients {
    pub(crate) name: &'static str,
    pub(crate) handles: Vec<Arc<dyn Storage>>,
    pub(crate) ensemble: Option<SimulatedEnsemble>,
    /// What a log runs on: to be shut down.
    pub(crate) node: Option<Node>,
    _directory: Option<tempfile::TempDir>,
}

/// Every storage, empty, for so many clients.
pub(crate) fn all(clients: usize) -> Vec<Clients> {
    vec![memory(clients), file(clients), zookeeper(clients)]
}

fn of<S: Storage>(name: &'static str, handles: Vec<S>) -> Clients {
    let handles = handles
        .into_iter()
        .map(|handle| Arc::new(handle) as Arc<dyn Storage>);
    Clients {
        name,
        handles: handles.collect(),
        ensemble: None,
        node: None,
        _directory: None,
    }
}

fn memory(clients: usize) -> Clients {
    of("memory", vec![MemoryStorage::default(); clients])
}

fn file(clients: usize) -> Clients {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(directory.path().join("state")).unwrap();
    Clients {
        _directory: Some(directory),
        ..of("file", vec![storage; clients])
    }
}

/// A log of one replica; every client takes its turn to write. Needs a runtime of libproc.
pub(crate) async fn log(clients: usize) -> Clients {
    let node = Node::bind("127.0.0.1:0").await.unwrap();
    let alone = [(NodeId(1), node.address())].into();
    let disk = Place::Disk(Arc::new(MemoryDisk::new()));
    let options = LogOptions::new("contract", NodeId(1), alone, disk);
    let log = Log::open(&node, options).await.unwrap();
    let options = LogStorageOptions {
        writing: Writing::InTurns,
        ..LogStorageOptions::default()
    };
    let handles = (0..clients).map(|_| LogStorage::new(&node, log.clone(), options.clone()));
    Clients {
        node: Some(node.clone()),
        ..of("log", handles.collect())
    }
}

/// Every client has a session of its own.
pub(crate) fn zookeeper(clients: usize) -> Clients {
    let ensemble = SimulatedEnsemble::new(Duration::from_secs(10));
    let handles = (0..clients).map(|_| ZooKeeperStorage::new(ensemble.client(), "/tepui/state"));
    Clients {
        ensemble: Some(ensemble.clone()),
        ..of("zookeeper", handles.collect())
    }
}
