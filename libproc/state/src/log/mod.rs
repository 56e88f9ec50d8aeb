//! Variables in a replicated log: many machines, and nothing else to run.
//!
//! A commit is an entry of the log, or several, of which the last makes it count. It says which
//! versions it expects, and whether they hold is found out where the entry is applied, by everybody
//! in the same way: of two writers that race, one comes later in the log and finds another version.
//! So nothing depends on there being one writer; that there is one ([`Writing`]) keeps the log
//! free of what fails, and lets the writer apply what it wrote without reading it back.
//!
//! All variables are in the memory of whoever uses them. A value that changes little is logged as
//! what changed. When the log has grown by as much as the variables weigh, all of them are written
//! into it again, beside what is committed meanwhile, and what was before is forgotten: a log has
//! at most about three times the weight of its variables, and so much is read by who opens it.
//! Mesos keeps snapshots and diffs of each variable instead, and rewrites a variable when its diffs
//! become many ("Replicated Log" and `LogStorage` of its documentation).

mod catch_up;
mod checkpoint;
mod commit;
mod delta;
mod gathering;
mod hands;
mod record;
mod session;
mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use libproc::Node;
use parking_lot::Mutex;
use replog::Log;

use crate::{Change, Entry, Storage, StorageError};
use hands::Hands;
use session::Inner;

/// Bytes of what is committed at once, at most: it is in memory several times while it is written.
pub const COMMIT_MAX: usize = 512 << 20;

/// Whether an entry of a log was written by a [`LogStorage`]: nobody else may append to such a log, or
/// truncate it.
#[must_use]
pub fn is_of_variables(entry: &bytes::Bytes) -> bool {
    record::Piece::decode(entry).is_ok()
}

/// What becomes of a writer when another one has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writing {
    /// It fails with [`StorageError::Superseded`] until it is [started](LogStorage::start) again:
    /// for one that leads, and must hear that it does so no longer.
    #[default]
    Exclusive,
    /// It takes its turn again: for users that share variables as equals. Not for many that all
    /// write much, since each turn costs two round trips.
    InTurns,
}

/// How variables are kept in a log.
#[derive(Debug, Clone)]
pub struct LogStorageOptions {
    /// What becomes of a writer when another one has started.
    pub writing: Writing,
    /// Whether to write only while the near replica leads the log: see
    /// [`replog::Writer::start_here`].
    pub here: bool,
    /// Longest entry, in bytes. What is larger becomes several; a log that takes less says so, and
    /// is heeded.
    pub piece_bytes: usize,
    /// How much the log may grow, in bytes, before variables are written anew: what they weigh, and
    /// no less than this.
    pub checkpoint_bytes: u64,
    /// How long to wait for a log that does not answer.
    pub patience: Duration,
}

impl Default for LogStorageOptions {
    fn default() -> Self {
        LogStorageOptions {
            writing: Writing::default(),
            here: false,
            piece_bytes: 256 << 10,
            checkpoint_bytes: 8 << 20,
            patience: Duration::from_secs(20),
        }
    }
}

/// Keeps entries in a replicated log. A cheap handle: clones are one writer.
///
/// What it does, a process of its node does; reading is done by whoever reads.
#[derive(Clone)]
pub struct LogStorage {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for LogStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogStorage")
    }
}

/// What handles share.
struct Shared {
    log: Log,
    hands: Hands,
    options: LogStorageOptions,
    inner: Mutex<Inner>,
    /// Longest entry: as the options say, or less, when the log says so.
    piece_bytes: AtomicUsize,
    /// Held by who reads the log.
    reading: tokio::sync::Mutex<()>,
    /// Held by who becomes the writer.
    starting: tokio::sync::Mutex<()>,
}

impl LogStorage {
    /// Variables in this log, reached from `node`, which holds nothing else. Nothing is read yet, nor written: the first
    /// commit makes it the writer, unless [`start`](LogStorage::start) has.
    #[must_use]
    pub fn new(node: &Node, log: Log, options: LogStorageOptions) -> LogStorage {
        LogStorage {
            shared: Arc::new(Shared {
                log,
                hands: Hands::new(node),
                piece_bytes: AtomicUsize::new(options.piece_bytes),
                options,
                inner: Mutex::new(Inner::new()),
                reading: tokio::sync::Mutex::new(()),
                starting: tokio::sync::Mutex::new(()),
            }),
        }
    }

    /// Becomes the writer, if it is not, to the exclusion of whoever was; knows all variables then.
    /// After it, no change of a writer before is made any more.
    ///
    /// # Errors
    /// [`StorageError::Failed`] when the log cannot be written now.
    pub async fn start(&self) -> Result<(), StorageError> {
        let shared = self.shared.clone();
        let hands = shared.hands.clone();
        hands
            .finish(async move { shared.start().await.map(drop) })
            .await
    }

    /// Is the writer no longer: what is committed from now on fails with
    /// [`StorageError::Superseded`], until it is [started](LogStorage::start) again. For one that
    /// hears elsewhere that it leads no longer.
    pub fn stop(&self) {
        let mut inner = self.shared.inner.lock();
        if let Some(id) = inner.session().map(|session| session.id) {
            inner.end(id);
        }
    }

    /// Reads what others wrote meanwhile, so that there is less to read when it matters.
    ///
    /// # Errors
    /// When the log does not answer for as long as one has patience, or has what no writer wrote.
    pub async fn follow(&self) -> Result<(), StorageError> {
        self.shared.catch_up().await
    }

    /// Whether it is the writer, as far as it knows.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.shared.inner.lock().session().is_some()
    }

    /// How much the log has grown, in bytes, since all variables were written to it.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.shared.inner.lock().view.growth()
    }

    /// What the variables weigh, in bytes, as far as they are known here.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.shared.inner.lock().view.weight()
    }
}

impl Storage for LogStorage {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>> {
        let (shared, name) = (self.shared.clone(), name.to_owned());
        async move {
            shared.catch_up().await?;
            Ok(shared.inner.lock().view.get(&name).cloned())
        }
        .boxed()
    }

    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>> {
        let shared = self.shared.clone();
        async move {
            shared.catch_up().await?;
            Ok(shared.inner.lock().view.names())
        }
        .boxed()
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>> {
        let shared = self.shared.clone();
        let hands = shared.hands.clone();
        async move {
            hands
                .finish(async move { shared.commit(changes).await })
                .await
        }
        .boxed()
    }
}
