//! The storages that are compared.

use std::time::Duration;

use state::zookeeper::{SimulatedEnsemble, ZooKeeperStorage};
use state::{FileStorage, MemoryStorage, Storage};
use std::sync::Arc;

/// Handles for several clients of one storage.
pub(crate) struct Clients {
    pub(crate) name: &'static str,
    pub(crate) handles: Vec<Arc<dyn Storage>>,
    pub(crate) ensemble: Option<SimulatedEnsemble>,
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

/// Every client has a session of its own.
pub(crate) fn zookeeper(clients: usize) -> Clients {
    let ensemble = SimulatedEnsemble::new(Duration::from_secs(10));
    let handles = (0..clients).map(|_| ZooKeeperStorage::new(ensemble.client(), "/tepui/state"));
    Clients {
        ensemble: Some(ensemble.clone()),
        ..of("zookeeper", handles.collect())
    }
}
