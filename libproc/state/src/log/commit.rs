//! Committing: a message in pieces, whose last makes it count, and what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use replog::{LogError, Refused};
use tokio::time::Instant;

use super::record::{HEADER, Kind, Message, Piece, SessionId};
use super::session::{SessionOver, Unsent};
use super::view::{Entries, Outcome, logged};
use super::{COMMIT_MAX, Shared, Writing};
use crate::{Change, StorageError};

/// Pieces of a message that are under way at once, at most.
const WINDOW: usize = 16;

/// What takes longer than a turn of a process should, in bytes, is prepared aside.
const LONG: usize = 256 << 10;

/// How long to wait before a log that is busy is tried again, or a turn that was lost.
const AGAIN: Duration = Duration::from_millis(20);

/// Why a message has no outcome.
pub(super) enum Unwritten {
    /// The log does not take it now. The session goes on.
    Refused(Arc<LogError>),
    /// It is not in the log, and the session is over.
    Over,
    /// The session is over, and it may be in the log, or come yet.
    Open((SessionId, u64), Option<Arc<LogError>>),
}

impl Shared {
    /// Makes all changes, or none.
    pub(super) async fn commit(
        self: &Arc<Self>,
        changes: Vec<Change>,
    ) -> Result<bool, StorageError> {
        let bytes: usize = changes.iter().map(bytes_of).sum();
        if bytes > COMMIT_MAX {
            let limit = COMMIT_MAX;
            return Err(StorageError::TooLarge { bytes, limit });
        }
        let deadline = Instant::now() + self.options.patience;
        let changes: Arc<[Change]> = changes.into();
        for turn in 1.. {
            let session = self.writing().await?;
            let mut entries = self.inner.lock().view.entries().clone();
            if !hold(&entries, &changes) {
                self.catch_up().await?;
                entries = self.inner.lock().view.entries().clone();
                if !hold(&entries, &changes) {
                    return Ok(false);
                }
            }
            let body = encode(entries, changes.clone(), bytes).await;
            match self.write(session, body).await {
                Ok(Outcome::Changed(changed)) => {
                    self.save_if_grown(session);
                    return Ok(changed);
                }
                Ok(Outcome::Void | Outcome::Noted) | Err(Unwritten::Over) => {}
                Err(Unwritten::Refused(source)) => {
                    let doing = "write the log".to_owned();
                    return Err(StorageError::Failed { doing, source });
                }
                Err(Unwritten::Open(id, error)) => {
                    if let Some(changed) = self.find_out(id, error).await? {
                        return Ok(changed);
                    }
                }
            }
            if self.options.writing == Writing::Exclusive || Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(AGAIN * turn.min(10)).await;
        }
        Err(StorageError::Superseded)
    }

    /// The session in which to write.
    async fn writing(&self) -> Result<SessionId, StorageError> {
        {
            let inner = self.inner.lock();
            if let Some(session) = inner.session() {
                return Ok(session.id);
            }
            if inner.superseded && self.options.writing == Writing::Exclusive {
                return Err(StorageError::Superseded);
            }
        }
        self.start().await
    }

    /// What became of a commit whose session is over; none: nothing, and it never will.
    async fn find_out(
        &self,
        id: (SessionId, u64),
        error: Option<Arc<LogError>>,
    ) -> Result<Option<bool>, StorageError> {
        let found = match self.options.writing {
            Writing::Exclusive => self.catch_up().await,
            // What begins now ends what was before, and reads it.
            Writing::InTurns => self.start().await.map(drop),
        };
        let mut inner = self.inner.lock();
        let outcome = inner.take_outcome(id);
        let is_all_read = inner.forget(id);
        match outcome {
            Some(Outcome::Changed(changed)) => return Ok(Some(changed)),
            Some(Outcome::Void | Outcome::Noted) => return Ok(None),
            None => {}
        }
        match found {
            Ok(()) if is_all_read && inner.view.session() > Some(id.0) => Ok(None),
            Ok(()) => Err(StorageError::Unknown(match error {
                Some(error) => error,
                None => Arc::new(StorageError::Superseded),
            })),
            Err(error) => Err(StorageError::Unknown(Arc::new(error))),
        }
    }

    /// Writes a message, and waits for what becomes of it.
    pub(super) async fn write(
        &self,
        session: SessionId,
        body: Bytes,
    ) -> Result<Outcome, Unwritten> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let message = self.inner.lock().number(session);
            let id = (session, message.ok_or(Unwritten::Over)?);
            match self.write_pieces(id, &body).await {
                Ok(()) => {}
                Err(Unsent::Unknown(error)) => return Err(Unwritten::Open(id, Some(error))),
                Err(Unsent::Over(_)) => {
                    self.inner.lock().forget(id);
                    return Err(Unwritten::Over);
                }
                Err(Unsent::Refused(error)) => {
                    self.inner.lock().give_up(id);
                    if !self.can_be_tried_again(&error) || Instant::now() >= deadline {
                        return Err(Unwritten::Refused(error));
                    }
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            let bell = self.inner.lock().bell(id);
            if let Some(bell) = bell {
                // Whoever should ring it does so before it goes.
                let _ = bell.await;
            }
            let outcome = self.inner.lock().take_outcome(id);
            return outcome.ok_or(Unwritten::Open(id, None));
        }
    }

    /// Whether a message that was refused may be taken when it is written again.
    fn can_be_tried_again(&self, error: &LogError) -> bool {
        match error {
            LogError::Refused(Refused::Busy) => true,
            LogError::Refused(Refused::TooLarge { max }) => {
                let max = usize::try_from(*max).unwrap_or(usize::MAX);
                max > HEADER && self.piece_bytes.fetch_min(max, Ordering::Relaxed) > max
            }
            _ => false,
        }
    }

    /// Sends all pieces, and the last when the others are there.
    async fn write_pieces(&self, id: (SessionId, u64), body: &Bytes) -> Result<(), Unsent> {
        let most = self.piece_bytes.load(Ordering::Relaxed).max(HEADER + 1) - HEADER;
        let count = body.len().div_ceil(most).max(1);
        let piece = |index: usize| Piece {
            kind: match index + 1 == count {
                true => Kind::Last,
                false => Kind::More,
            },
            session: id.0,
            message: id.1,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            data: body.slice(index * most..body.len().min((index + 1) * most)),
        };
        let over = |SessionOver| Unsent::Over(Arc::new(LogError::Refused(Refused::Superseded)));
        // Each is waited for, even when one before has failed: its fate must be known.
        let mut under_way = FuturesOrdered::new();
        let mut problem = None;
        for index in 0..count - 1 {
            if under_way.len() >= WINDOW
                && let Some(Err(unsent)) = under_way.next().await
            {
                problem = problem.or(Some(unsent));
            }
            if problem.is_some() {
                break;
            }
            match self.send(piece(index)) {
                Ok(sending) => under_way.push_back(sending),
                Err(gone) => problem = Some(over(gone)),
            }
        }
        while let Some(sent) = under_way.next().await {
            problem = problem.or(sent.err());
        }
        match problem {
            None => {}
            // Without the last one it is nothing.
            Some(Unsent::Unknown(error)) => return Err(Unsent::Over(error)),
            Some(unsent) => return Err(unsent),
        }
        self.send(piece(count - 1)).map_err(over)?.await.map(drop)
    }
}

/// Whether all find the versions they expect.
fn hold(entries: &Entries, changes: &[Change]) -> bool {
    changes
        .iter()
        .all(|change| entries.get(change.name()).map(|entry| entry.version) == change.expected())
}

fn bytes_of(change: &Change) -> usize {
    match change {
        Change::Set { entry, .. } => entry.name.len() + entry.value.len(),
        Change::Expunge { name, .. } | Change::Check { name, .. } => name.len(),
    }
}

async fn encode(entries: Entries, changes: Arc<[Change]>, bytes: usize) -> Bytes {
    let encode = move || Message::Changes(logged(&entries, &changes)).encode();
    match bytes > LONG {
        true => libproc::blocking(encode).await,
        false => encode(),
    }
}
