//! Reading: ranges of a log, and what comes after them.

use std::collections::VecDeque;

use paxos::Position;

use crate::error::LogError;
use crate::log::Log;
use crate::protocol::{Appended, AwaitMore, Bounds, Entries, ReadEntries};

/// Reads a log by one replica: what that knows to be chosen. It may know less than others; who must
/// know everything asks for [`bounds`](Reader::bounds) before.
#[derive(Clone)]
pub struct Reader {
    log: Log,
}

impl Reader {
    pub(crate) fn new(log: Log) -> Reader {
        Reader { log }
    }

    /// See [`Log::bounds`].
    ///
    /// # Errors
    /// As there.
    pub async fn bounds(&self) -> Result<Bounds, LogError> {
        self.log.bounds().await
    }

    /// Everything appended from `from` to `to`, both included, as far as this replica knows.
    ///
    /// # Errors
    /// [`Refused::Truncated`](crate::Refused::Truncated) when `from` is before the beginning,
    /// [`Refused::Damaged`](crate::Refused::Damaged) when this replica has lost some of it.
    pub async fn read(&self, from: Position, to: Position) -> Result<Vec<Appended>, LogError> {
        let mut appended = Vec::new();
        let mut from = from;
        while from <= to {
            let entries = self.read_some(from, to).await?;
            if entries.next == from {
                break;
            }
            from = entries.next;
            appended.extend(entries.appended);
        }
        Ok(appended)
    }

    /// As much as fits into a letter: see [`Entries::next`]. Nothing when the replica knows of
    /// nothing from `from` on.
    ///
    /// # Errors
    /// As [`read`](Reader::read).
    pub async fn read_some(&self, from: Position, to: Position) -> Result<Entries, LogError> {
        Ok(self.log.ask(ReadEntries { from, to }).await??)
    }

    /// Reads from `from` on, and waits for more where the log ends.
    #[must_use]
    pub fn follow(&self, from: Position) -> Follower {
        Follower {
            log: self.log.clone(),
            next: from,
            read: VecDeque::new(),
        }
    }
}

/// Reads what there is, and then what comes.
pub struct Follower {
    log: Log,
    next: Position,
    read: VecDeque<Appended>,
}

impl Follower {
    /// The next that was appended.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn next(&mut self) -> Result<Appended, LogError> {
        loop {
            if let Some(appended) = self.read.pop_front() {
                return Ok(appended);
            }
            let (from, to) = (self.next, Position::MAX);
            let entries: Entries = self.log.ask(ReadEntries { from, to }).await??;
            if entries.next == from {
                let known = from.previous();
                self.log.ask(AwaitMore { known }).await?;
                continue;
            }
            self.next = entries.next;
            self.read.extend(entries.appended);
        }
    }

    /// The position that is read next, but for what was read ahead.
    #[must_use]
    pub fn position(&self) -> Position {
        self.read.front().map_or(self.next, |first| first.position)
    }
}
