//! Variables in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use parking_lot::Mutex;

use crate::{Change, Entry, Storage, StorageError};

/// Keeps entries in memory. A cheap handle: clones share the entries, as processes share a disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

impl Storage for MemoryStorage {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>> {
        let entry = self.entries.lock().get(name).cloned();
        ready(Ok(entry)).boxed()
    }

    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>> {
        let names = self.entries.lock().keys().cloned().collect();
        ready(Ok(names)).boxed()
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>> {
        let mut entries = self.entries.lock();
        let holds = |change: &Change| {
            entries.get(change.name()).map(|entry| entry.version) == change.expected()
        };
        let hold = changes.iter().all(holds);
        if hold {
            changes
                .into_iter()
                .for_each(|change| apply(&mut entries, change));
        }
        ready(Ok(hold)).boxed()
    }
}

/// Makes a change whose expectation holds.
fn apply(entries: &mut BTreeMap<String, Entry>, change: Change) {
    match change {
        Change::Set { entry, .. } => drop(entries.insert(entry.name.clone(), entry)),
        Change::Expunge { name, .. } => drop(entries.remove(&name)),
        Change::Check { .. } => {}
    }
}
