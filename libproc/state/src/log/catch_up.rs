//! Reading what others wrote, up to where the log was when it was asked.

use std::time::Duration;

use replog::{Entries, LogError, Position, Refused};
use tokio::time::Instant;

use super::Shared;
use super::view::View;
use crate::StorageError;

/// How long to wait before a log that is without a leader is asked again.
const AGAIN: Duration = Duration::from_millis(50);

impl Shared {
    /// Applies everything that was in the log when this was called.
    ///
    /// # Errors
    /// When the log does not answer for as long as one has patience, or has what no writer wrote.
    pub(super) async fn catch_up(&self) -> Result<(), StorageError> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let error = match tokio::time::timeout_at(deadline, self.try_catch_up()).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => None,
                Ok(Err(Problem::Storage(error))) => return Err(error),
                Ok(Err(Problem::Log(error))) => Some(error),
                Err(_) => Some(LogError::Ask(libproc::AskError::Timeout)),
            };
            if Instant::now() + AGAIN >= deadline {
                let error = error.unwrap_or(LogError::Ask(libproc::AskError::Timeout));
                return Err(StorageError::failed("read the log", error));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Once; false if there is more to read than was known of.
    async fn try_catch_up(&self) -> Result<bool, Problem> {
        let bounds = self.log.bounds().await?;
        {
            let mut inner = self.inner.lock();
            if let Some(damage) = &inner.damage {
                return Err(StorageError::Damaged(damage.to_string()).into());
            }
            if !inner.opened {
                inner.view = View::new(bounds.begin);
                inner.opened = true;
            }
            if inner.view.is_known() && inner.view.applied() >= bounds.end {
                return Ok(true);
            }
        }
        let _one = self.reading.lock().await;
        let reader = self.log.reader();
        loop {
            let from = self.inner.lock().view.applied().next();
            if from > bounds.end {
                return self.is_known();
            }
            match reader.read_some(from, bounds.end).await {
                Ok(entries) if entries.next == from => return Ok(false),
                Ok(entries) => self.take(entries)?,
                Err(LogError::Refused(Refused::Truncated { begin })) => {
                    self.begin_anew(begin);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// False when the log goes on to where they will be known.
    fn is_known(&self) -> Result<bool, Problem> {
        Ok(self.inner.lock().view.is_known())
    }

    fn take(&self, entries: Entries) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        for appended in entries.appended {
            let applied = inner.apply(appended.position, &appended.data);
            applied.map_err(|damage| StorageError::Damaged(damage.to_string()))?;
        }
        inner.view.advance(entries.next.previous());
        Ok(())
    }

    /// What was to be read next is forgotten: all variables come again, later in the log.
    fn begin_anew(&self, begin: Position) {
        let mut inner = self.inner.lock();
        if inner.view.applied().next() < begin {
            inner.skip_to(begin);
        }
    }
}

/// Why reading did not succeed.
enum Problem {
    /// It may be tried again.
    Log(LogError),
    Storage(StorageError),
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Problem {
        Problem::Log(error)
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Problem {
        Problem::Storage(error)
    }
}
