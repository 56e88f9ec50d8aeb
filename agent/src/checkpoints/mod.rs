//! What an agent writes down so that the next one can go on: records by key, changed together or
//! not at all.
//!
//! Apache Mesos keeps a tree of files for this (`src/slave/paths.hpp`), written one after the other;
//! a crash in between left some of them empty and agents that would not start. Here a transaction
//! holds whatever belongs together, in one file with checksums.

mod file;
mod records;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use self::file::FileStore;

pub(crate) use self::records::{
    AgentRecord, ExecutorRecord, FORMAT, FrameworkRecord, Key, Snapshot, StreamRecord, TaskRecord,
    Waiting, encode,
};

/// The store's name in the work directory.
pub const FILE: &str = "checkpoints";

/// One change: the record of a key, or that there is none any more.
pub(crate) type Change = (String, Option<Vec<u8>>);

/// The records of a store.
pub(crate) type Records = BTreeMap<String, Vec<u8>>;

/// Where an agent writes down what the next one must know. Clones are of the same store, which one
/// agent uses at a time.
#[derive(Debug, Clone)]
pub struct Store(Inner);

#[derive(Debug, Clone)]
enum Inner {
    File(Arc<FileStore>),
    Memory(Arc<Mutex<Records>>),
}

/// Why checkpoints cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another agent works with them.
    #[error(
        "could not open {}: another agent uses this work directory; stop that one, or give this one \
         another --work-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file is damaged, or is something else.
    #[error(
        "could not read the checkpoints in {}, which are damaged: start once with --recover=cleanup \
         to end what runs and begin anew, or with --strict=false to begin anew and keep the file \
         under another name",
        .0.display()
    )]
    Damaged(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk does not let us.
    #[error("could not use the checkpoints in {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

impl Store {
    /// Opens the store in a work directory, or makes it. This blocks on the disk.
    ///
    /// # Errors
    /// When another agent has it open, it is damaged, or there is no room for it.
    pub fn open(work_dir: &Path) -> Result<Store, StoreError> {
        let store = FileStore::open(&work_dir.join(FILE))?;
        Ok(Store(Inner::File(Arc::new(store))))
    }

    /// Opens the store in a work directory; one that is damaged is put aside and begun anew.
    ///
    /// # Errors
    /// When another agent has it open, or there is no room for it.
    pub fn open_or_begin(work_dir: &Path) -> Result<Store, StoreError> {
        match Store::open(work_dir) {
            Err(StoreError::Damaged(path, error)) => {
                let aside = path.with_extension("damaged");
                tracing::error!(
                    path = %path.display(), aside = %aside.display(), %error,
                    "damaged checkpoints put aside"
                );
                std::fs::rename(&path, aside).map_err(|error| StoreError::Io(path, error))?;
                Store::open(work_dir)
            }
            opened => opened,
        }
    }

    /// A store that ends with the program: for simulations, and for agents that nothing outlives.
    #[must_use]
    pub fn memory() -> Store {
        Store(Inner::Memory(Arc::default()))
    }

    /// Reads everything. This blocks on the disk.
    pub(crate) fn load(&self) -> Result<Records, StoreError> {
        match &self.0 {
            Inner::File(store) => store.load(),
            Inner::Memory(records) => Ok(lock(records).clone()),
        }
    }

    /// Forgets everything, and waits until that is on disk.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        let changes: Vec<Change> = self.load()?.into_keys().map(|key| (key, None)).collect();
        let (done, mut said) = tokio::sync::mpsc::unbounded_channel();
        if !self.commit(changes, 0, &done) {
            // The writer tells, or tries for ever.
            while said.try_recv().is_err() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Has changes made, all of them or none, after those that were given before. Says `number`
    /// when they are on disk; true when that has happened before this returns, and nothing is said.
    pub(crate) fn commit(
        &self,
        changes: Vec<Change>,
        number: u64,
        done: &UnboundedSender<u64>,
    ) -> bool {
        match &self.0 {
            Inner::File(store) => {
                store.commit(changes, number, done.clone());
                false
            }
            Inner::Memory(records) => {
                let mut records = lock(records);
                for (key, record) in changes {
                    match record {
                        Some(record) => drop(records.insert(key, record)),
                        None => drop(records.remove(&key)),
                    }
                }
                true
            }
        }
    }
}

fn lock(records: &Mutex<Records>) -> std::sync::MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}
