//! A store in a file, with a thread that writes it: whatever waits is one transaction.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use tokio::sync::mpsc::UnboundedSender;

use super::{Change, Records, StoreError};

/// Keys, and their records.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");

/// Commits that are made at once.
const BATCH_MAX: usize = 4096;

/// Memory for pages of the file, in bytes: what is read is read once.
const CACHE_BYTES: usize = 4 << 20;

/// The pause before what could not be written is tried again: a full disk may have been made room on.
const AGAIN: Duration = Duration::from_secs(1);

/// A store in a file. Dropping it waits until everything is written.
#[derive(Debug)]
pub(super) struct FileStore {
    path: PathBuf,
    /// None while it is opened anew, after an error.
    database: Arc<Mutex<Option<Database>>>,
    commits: Option<Sender<Commit>>,
    writer: Option<JoinHandle<()>>,
}

struct Commit {
    changes: Vec<Change>,
    number: u64,
    done: UnboundedSender<u64>,
}

impl FileStore {
    pub(super) fn open(path: &Path) -> Result<FileStore, StoreError> {
        let database = guarded(path, || {
            let mut database = open(path)?;
            // Reading alone verifies no checksums.
            match database.check_integrity()? {
                true => Ok(database),
                false => Err(redb::Error::Corrupted("some of it was lost".to_owned())),
            }
        })?;
        let database = Arc::new(Mutex::new(Some(database)));
        let (commits, waiting) = channel();
        let (ours, name) = (Arc::clone(&database), path.to_owned());
        let writer = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || write(&name, &ours, &waiting))
            .map_err(|error| StoreError::Io(path.to_owned(), error))?;
        Ok(FileStore {
            path: path.to_owned(),
            database,
            commits: Some(commits),
            writer: Some(writer),
        })
    }

    pub(super) fn load(&self) -> Result<Records, StoreError> {
        let database = lock(&self.database);
        match &*database {
            Some(database) => guarded(&self.path, || load(database)),
            None => Ok(Records::new()), // it was just opened, and nothing has been written
        }
    }

    pub(super) fn commit(&self, changes: Vec<Change>, number: u64, done: UnboundedSender<u64>) {
        let commit = Commit {
            changes,
            number,
            done,
        };
        if let Some(commits) = &self.commits {
            let _ = commits.send(commit); // the writer ends with us
        }
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        self.commits = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join(); // it has said why it panicked
        }
    }
}

fn lock(database: &Mutex<Option<Database>>) -> std::sync::MutexGuard<'_, Option<Database>> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer's thread. It ends with the last commit.
fn write(path: &Path, database: &Mutex<Option<Database>>, commits: &Receiver<Commit>) {
    while let Ok(first) = commits.recv() {
        let mut batch = vec![first];
        batch.extend(commits.try_iter().take(BATCH_MAX - 1));
        let mut failed = false;
        while let Err(error) = try_write(path, database, &batch) {
            if !failed {
                tracing::error!(
                    path = %path.display(), %error,
                    "checkpoints cannot be written, and until they are no task starts or is told of"
                );
            }
            failed = true;
            thread::sleep(AGAIN);
        }
        if failed {
            tracing::info!(path = %path.display(), "checkpoints are written again");
        }
        for Commit { number, done, .. } in batch {
            let _ = done.send(number); // the agent may be gone
        }
    }
}

fn try_write(
    path: &Path,
    database: &Mutex<Option<Database>>,
    batch: &[Commit],
) -> Result<(), redb::Error> {
    let mut database = lock(database);
    let open = match database.take() {
        Some(open) => open,
        // After an error a database does no more.
        None => open(path)?,
    };
    let write = open.begin_write()?;
    {
        let mut table = write.open_table(RECORDS)?;
        for (key, record) in batch.iter().flat_map(|commit| &commit.changes) {
            match record {
                Some(record) => drop(table.insert(key.as_str(), record.as_slice())?),
                None => drop(table.remove(key.as_str())?),
            }
        }
    }
    write.commit()?;
    *database = Some(open);
    Ok(())
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create(path)?;
    Ok(database)
}

fn load(database: &Database) -> Result<Records, redb::Error> {
    let read = database.begin_read()?;
    let table = match read.open_table(RECORDS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Records::new()),
        Err(error) => return Err(error.into()),
    };
    let mut records = Records::new();
    for entry in table.iter()? {
        let (key, record) = entry?;
        records.insert(key.value().to_owned(), record.value().to_owned());
    }
    Ok(records)
}

/// Reads what may be damaged. The library answers to some damage with a panic.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    let path = path.to_owned();
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => Err(StoreError::InUse(path)),
        Ok(Err(redb::Error::Io(error))) if !is_damage(error.kind()) => {
            Err(StoreError::Io(path, error))
        }
        Ok(Err(error)) => Err(StoreError::Damaged(path, error.into())),
        Err(_) => Err(StoreError::Damaged(
            path,
            "its pages contradict each other".into(),
        )),
    }
}

/// Whether an error is about what the file holds, and not about the file.
fn is_damage(kind: ErrorKind) -> bool {
    use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(kind, InvalidData | InvalidInput | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn change(key: &str, record: &str) -> Change {
        (key.to_owned(), Some(record.as_bytes().to_vec()))
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart_and_one_agent_works_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let store = FileStore::open(&path).unwrap();
        let busy = FileStore::open(&path).unwrap_err();
        assert!(matches!(busy, StoreError::InUse(_)), "{busy}");
        let (done, mut said) = unbounded_channel();
        store.commit(vec![change("a", "1"), change("b", "2")], 1, done.clone());
        store.commit(vec![("a".to_owned(), None), change("c", "3")], 2, done);
        assert_eq!(said.blocking_recv(), Some(1));
        assert_eq!(said.blocking_recv(), Some(2));
        drop(store);
        let records = FileStore::open(&path).unwrap().load().unwrap();
        let expected = [("b", "2"), ("c", "3")];
        let expected = expected.map(|(key, record)| (key.to_owned(), record.as_bytes().to_vec()));
        assert_eq!(records, Records::from(expected));
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (done, _said) = unbounded_channel();
        let store = FileStore::open(&path).unwrap();
        for number in 0..200 {
            let record = "x".repeat(1_000);
            store.commit(
                vec![change(&number.to_string(), &record)],
                number,
                done.clone(),
            );
        }
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 1, 100, 5_000, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes.truncate(cut);
            std::fs::write(&path, &bytes).unwrap();
            let read = FileStore::open(&path).and_then(|store| store.load());
            match read {
                Ok(records) => assert!(cut == 0 && records.is_empty(), "cut at {cut}"),
                Err(error) => assert!(error.to_string().contains("--recover=cleanup"), "{error}"),
            }
        }
        for flipped in (0..whole.len()).step_by(whole.len() / 30 + 1) {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            // Bytes that nobody uses may be anything; what is read is what was written.
            if let Ok(records) = FileStore::open(&path).and_then(|store| store.load()) {
                assert!(
                    records
                        .values()
                        .all(|record| record.iter().all(|byte| *byte == b'x'))
                );
            }
        }
    }
}
