//! Variables in a file of one machine: a transactional store with checksums.
//!
//! The file belongs to one process at a time. A commit is on disk before it is answered; commits
//! that wait at the same moment are made in turn.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _,
    TableDefinition, TableError,
};

use crate::{Change, Entry, Storage, StorageError};

/// Names, and the records of their entries.
const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");

/// Longest value, in bytes: what is kept in memory by whoever fetches it.
const VALUE_MAX: usize = 1 << 30;

/// Keeps entries in a file. A cheap handle.
#[derive(Clone)]
pub struct FileStorage {
    database: Arc<Database>,
}

impl std::fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileStorage")
    }
}

impl FileStorage {
    /// Opens the file, or makes it.
    ///
    /// This blocks on the disk.
    ///
    /// # Errors
    /// When another process has the file open, it is something else, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<FileStorage, StorageError> {
        let path = path.as_ref();
        let doing = || format!("open {}", path.display());
        let database = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StorageError::failed(
                format!("open {}: another process has it open", path.display()),
                error,
            ),
            error => StorageError::failed(doing(), error),
        })?;
        let storage = FileStorage {
            database: Arc::new(database),
        };
        storage
            .make_table()
            .map_err(|error| StorageError::failed(doing(), error))?;
        Ok(storage)
    }

    fn make_table(&self) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(ENTRIES)?;
        write.commit()?;
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Entry>, ReadError> {
        let read = self.database.begin_read().map_err(redb::Error::from)?;
        let table = read.open_table(ENTRIES).map_err(redb::Error::from)?;
        let Some(record) = table.get(name).map_err(redb::Error::from)? else {
            return Ok(None);
        };
        let entry = Entry::from_record(name, record.value());
        entry.map(Some).ok_or(ReadError::Damaged)
    }

    fn all_names(&self) -> Result<Vec<String>, redb::Error> {
        let table = self.database.begin_read()?.open_table(ENTRIES)?;
        let names = table.iter()?.map(|entry| Ok(entry?.0.value().to_owned()));
        names.collect()
    }

    fn write(&self, changes: &[Change]) -> Result<bool, WriteError> {
        let mut write = self.database.begin_write().map_err(redb::Error::from)?;
        write
            .set_durability(Durability::Immediate)
            .map_err(redb::Error::from)?;
        let hold = {
            let mut table = write.open_table(ENTRIES).map_err(redb::Error::from)?;
            let hold = expected(&table, changes)?;
            if hold {
                apply(&mut table, changes).map_err(redb::Error::from)?;
            }
            hold
        };
        if hold {
            // From here on the disk may or may not have it.
            write
                .commit()
                .map_err(|error| WriteError::Unknown(error.into()))?;
        }
        Ok(hold)
    }
}

enum ReadError {
    Damaged,
    Failed(redb::Error),
}

impl From<redb::Error> for ReadError {
    fn from(error: redb::Error) -> ReadError {
        ReadError::Failed(error)
    }
}

enum WriteError {
    Damaged(String),
    Failed(redb::Error),
    Unknown(redb::Error),
}

impl From<redb::Error> for WriteError {
    fn from(error: redb::Error) -> WriteError {
        WriteError::Failed(error)
    }
}

impl From<TableError> for WriteError {
    fn from(error: TableError) -> WriteError {
        WriteError::Failed(error.into())
    }
}

/// Whether every change finds the version it expects.
fn expected(
    table: &redb::Table<'_, &'static str, &'static [u8]>,
    changes: &[Change],
) -> Result<bool, WriteError> {
    for change in changes {
        let name = change.name();
        let record = table.get(name).map_err(redb::Error::from)?;
        let version = match record {
            None => None,
            Some(record) => {
                let entry = Entry::from_record(name, record.value());
                let damaged = || WriteError::Damaged(name.to_owned());
                Some(entry.ok_or_else(damaged)?.version)
            }
        };
        if version != change.expected() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn apply(
    table: &mut redb::Table<'_, &'static str, &'static [u8]>,
    changes: &[Change],
) -> Result<(), redb::StorageError> {
    for change in changes {
        match change {
            Change::Set { entry, .. } => {
                table.insert(entry.name.as_str(), entry.to_record().as_slice())?;
            }
            Change::Expunge { name, .. } => {
                table.remove(name.as_str())?;
            }
            Change::Check { .. } => {}
        }
    }
    Ok(())
}

/// Runs what blocks where it blocks nobody.
async fn aside<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StorageError::failed(doing, error)))
}

impl Storage for FileStorage {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>> {
        let (this, name) = (self.clone(), name.to_owned());
        let work = move || {
            this.read(&name).map_err(|error| match error {
                ReadError::Damaged => StorageError::Damaged(name),
                ReadError::Failed(error) => StorageError::failed("read the file", error),
            })
        };
        aside("read the file", work).boxed()
    }

    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>> {
        let this = self.clone();
        let failed = |error| StorageError::failed("read the file", error);
        aside("read the file", move || this.all_names().map_err(failed)).boxed()
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>> {
        let this = self.clone();
        let work = move || {
            for change in &changes {
                if let Change::Set { entry, .. } = change
                    && entry.value.len() > VALUE_MAX
                {
                    let (bytes, limit) = (entry.value.len(), VALUE_MAX);
                    return Err(StorageError::TooLarge { bytes, limit });
                }
            }
            this.write(&changes).map_err(|error| match error {
                WriteError::Damaged(name) => StorageError::Damaged(name),
                WriteError::Failed(error) => StorageError::failed("write the file", error),
                WriteError::Unknown(error) => StorageError::Unknown(Arc::new(error)),
            })
        };
        aside("write the file", work).boxed()
    }
}
