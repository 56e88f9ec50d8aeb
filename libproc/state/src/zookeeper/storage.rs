//! Variables in ZooKeeper: a znode for each, below one that counts removals.
//!
//! A change goes through only if each znode is at the version at which its entry was read. Versions
//! of znodes begin at zero again when one is deleted and made anew, so the znode above is changed
//! with every removal, and each change depends on its version as well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Ensemble, Keeper, KeeperError, Mode, Op};
use crate::{Change, Entry, Storage, StorageError};

/// What is written as it is in the name of a znode.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'@');
/// Largest request, in bytes: a server takes 1 MiB with all that is around it.
const REQUEST_MAX: usize = 1_000_000;
/// What a part of a request takes beside its path and data, in bytes.
const OP_BYTES: usize = 64;
/// A change is tried again so often when others are at the same variables.
const TRIES: u32 = 1_000;
/// How long to wait for a connection that is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Others change the same variables all the time.
#[derive(Debug, thiserror::Error)]
#[error("others changed the same variables {TRIES} times meanwhile")]
struct Contended;

/// Keeps entries in a ZooKeeper. A cheap handle.
#[derive(Clone)]
pub struct ZooKeeperStorage {
    ensemble: Arc<dyn Ensemble>,
    session: Arc<Mutex<Option<Arc<dyn Keeper>>>>,
    path: Arc<str>,
}

impl std::fmt::Debug for ZooKeeperStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ZooKeeperStorage").field(&self.path).finish()
    }
}

impl ZooKeeperStorage {
    /// Entries below `path`, which is made if need be. A session is begun when it is needed, and
    /// again when it has expired.
    pub fn new(ensemble: impl Ensemble, path: &str) -> ZooKeeperStorage {
        ZooKeeperStorage {
            ensemble: Arc::new(ensemble),
            session: Arc::default(),
            path: path.into(),
        }
    }

    fn node(&self, name: &str) -> String {
        format!("{}/{}", self.path, utf8_percent_encode(name, PLAIN))
    }

    async fn session(&self) -> Result<Arc<dyn Keeper>, KeeperError> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let fresh = self.ensemble.connect().await?;
        fresh
            .create(&self.path, Vec::new(), Mode::Persistent)
            .await?;
        *session = Some(fresh.clone());
        Ok(fresh)
    }

    /// Says whether what failed may pass; has the next operation begin a session, if this one
    /// has ended.
    async fn heed(&self, error: &KeeperError) -> bool {
        match error {
            KeeperError::Lost => true,
            KeeperError::Expired => {
                *self.session.lock().await = None;
                true
            }
            KeeperError::NoNode(_) | KeeperError::Denied | KeeperError::Other(_) => false,
        }
    }

    async fn read(&self, name: &str) -> Result<Option<(Entry, i32)>, ReadError> {
        let session = self.session().await?;
        self.read_in(&session, name).await
    }

    async fn read_in(
        &self,
        session: &Arc<dyn Keeper>,
        name: &str,
    ) -> Result<Option<(Entry, i32)>, ReadError> {
        let Some(node) = session.get(&self.node(name)).await? else {
            return Ok(None);
        };
        let entry = Entry::from_record(name, &node.data);
        let entry = entry.ok_or_else(|| ReadError::Damaged(name.to_owned()))?;
        Ok(Some((entry, node.version)))
    }

    async fn all_names(&self) -> Result<Vec<String>, ReadError> {
        let session = self.session().await?;
        let listed = session.list(&self.path).await?;
        let decode = |child: String| percent_decode_str(&child).decode_utf8().map(String::from);
        // Whatever else somebody put there is no entry.
        let names = listed.children.into_iter().map(decode);
        let mut names: Vec<String> = names.filter_map(Result::ok).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Tries once. None: somebody else was at the same variables, and it is to be tried again.
    ///
    /// When an earlier attempt was sent and never answered, it may have gone through.
    async fn commit_once(
        &self,
        changes: &[Change],
        was_sent: bool,
    ) -> Result<Option<bool>, CommitError> {
        let session = self.session().await?;
        // Before the entries: if one is removed after it was read, this has changed.
        let above = session.get(&self.path).await?;
        let missing = || KeeperError::NoNode(self.path.to_string());
        let above = above.ok_or_else(missing)?.version;
        let path = self.path.to_string();
        let mut ops = vec![match changes.iter().any(is_removal) {
            true => Op::Set {
                path,
                data: Vec::new(),
                version: above,
            },
            false => Op::Check {
                path,
                version: above,
            },
        }];
        for change in changes {
            let read = self.read_in(&session, change.name()).await?;
            let found = read.as_ref().map(|(entry, _)| entry.version);
            if found != change.expected() {
                return match was_sent {
                    false => Ok(Some(false)),
                    true if self.is_done(&session, changes).await? => Ok(Some(true)),
                    true => Err(CommitError::Unknown),
                };
            }
            self.push_ops(change, read.map(|(_, version)| version), &mut ops);
        }
        let bytes = ops.iter().map(size).sum();
        if bytes > REQUEST_MAX {
            let limit = REQUEST_MAX;
            return Err(CommitError::TooLarge { bytes, limit });
        }
        let done = session.multi(ops).await.map_err(CommitError::Sent)?;
        Ok(done.then_some(true))
    }

    /// Whether the changes have been made: one of them is there to be seen.
    async fn is_done(
        &self,
        session: &Arc<dyn Keeper>,
        changes: &[Change],
    ) -> Result<bool, ReadError> {
        for change in changes {
            if let Change::Set { entry, .. } = change {
                let found = self.read_in(session, &entry.name).await?;
                return Ok(found.is_some_and(|(found, _)| found.version == entry.version));
            }
        }
        Ok(false)
    }

    /// Adds what makes a change, given the version of its znode.
    fn push_ops(&self, change: &Change, version: Option<i32>, ops: &mut Vec<Op>) {
        let path = self.node(change.name());
        match (change, version) {
            (Change::Set { entry, .. }, None) => {
                let data = entry.to_record();
                ops.push(Op::Create { path, data });
            }
            (Change::Set { entry, .. }, Some(version)) => {
                let data = entry.to_record();
                ops.push(Op::Set {
                    path,
                    data,
                    version,
                });
            }
            (Change::Check { .. }, Some(version)) => ops.push(Op::Check { path, version }),
            // What can be made and deleted again was not there.
            (Change::Check { .. }, None) => {
                let (made, data) = (path.clone(), Vec::new());
                ops.push(Op::Create { path: made, data });
                ops.push(Op::Delete { path, version: 0 });
            }
            (Change::Expunge { .. }, version) => {
                let version = version.expect("an entry that is expected was read");
                ops.push(Op::Delete { path, version });
            }
        }
    }

    async fn commit_all(&self, changes: &[Change]) -> Result<bool, StorageError> {
        let until = Instant::now() + PATIENCE;
        let mut was_sent = false;
        for _ in 0..TRIES {
            let (error, sent) = match self.commit_once(changes, was_sent).await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => continue,
                Err(CommitError::TooLarge { bytes, limit }) => {
                    return Err(StorageError::TooLarge { bytes, limit });
                }
                Err(CommitError::Unknown) => break,
                Err(CommitError::Read(ReadError::Damaged(name))) => {
                    return Err(StorageError::Damaged(name));
                }
                Err(CommitError::Read(ReadError::Keeper(error))) => (error, false),
                Err(CommitError::Sent(error)) => (error, true),
            };
            let may_pass = self.heed(&error).await;
            was_sent |= sent && may_pass;
            if !may_pass || Instant::now() > until {
                return Err(match was_sent {
                    true => StorageError::Unknown(Arc::new(error)),
                    false => StorageError::failed("write to ZooKeeper", error),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
        match was_sent {
            true => Err(StorageError::Unknown(Arc::new(Contended))),
            false => Err(StorageError::failed("write to ZooKeeper", Contended)),
        }
    }

    /// Reads, again and again while the connection is lost.
    async fn reading<T, F: Future<Output = Result<T, ReadError>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T, StorageError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match read().await {
                Ok(read) => return Ok(read),
                Err(ReadError::Damaged(name)) => return Err(StorageError::Damaged(name)),
                Err(ReadError::Keeper(error)) => {
                    if !self.heed(&error).await || Instant::now() > until {
                        return Err(StorageError::failed("read from ZooKeeper", error));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_removal(change: &Change) -> bool {
    matches!(change, Change::Expunge { .. })
}

/// About how many bytes a part of a request takes.
fn size(op: &Op) -> usize {
    OP_BYTES
        + match op {
            Op::Check { path, .. } | Op::Delete { path, .. } => path.len(),
            Op::Create { path, data } | Op::Set { path, data, .. } => path.len() + data.len(),
        }
}

enum ReadError {
    Keeper(KeeperError),
    Damaged(String),
}

impl From<KeeperError> for ReadError {
    fn from(error: KeeperError) -> ReadError {
        ReadError::Keeper(error)
    }
}

enum CommitError {
    Read(ReadError),
    TooLarge {
        bytes: usize,
        limit: usize,
    },
    /// The request went out.
    Sent(KeeperError),
    /// An earlier one may have gone through, and somebody else was there since.
    Unknown,
}

impl From<KeeperError> for CommitError {
    fn from(error: KeeperError) -> CommitError {
        CommitError::Read(ReadError::Keeper(error))
    }
}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> CommitError {
        CommitError::Read(error)
    }
}

impl Storage for ZooKeeperStorage {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>> {
        let (this, name) = (self.clone(), name.to_owned());
        async move {
            let read = this.reading(|| this.read(&name)).await?;
            Ok(read.map(|(entry, _)| entry))
        }
        .boxed()
    }

    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>> {
        let this = self.clone();
        async move { this.reading(|| this.all_names()).await }.boxed()
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>> {
        let this = self.clone();
        async move { this.commit_all(&changes).await }.boxed()
    }
}
