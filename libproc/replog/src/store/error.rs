//! What can be wrong with a store.

use std::io;

use super::Damage;

/// Why a store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("could not {doing} {file}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{directory} is in use by another process")]
    InUse {
        /// The directory.
        directory: String,
    },
    /// It was not made by this replica, or not by a log at all.
    #[error("{file} is not of this replica: {why}")]
    Foreign {
        /// The file that shows it.
        file: String,
        /// What it shows.
        why: String,
    },
    /// It was written by a version of this program that this one does not know.
    #[error("{file} has format version {found}, and only {known} is known")]
    Version {
        /// The file that says so.
        file: String,
        /// The version it has.
        found: u32,
        /// The version that can be read.
        known: u32,
    },
    /// It is not there.
    #[error("{directory} has no log: `tepui log init` makes one")]
    Missing {
        /// The directory.
        directory: String,
    },
    /// It is there already.
    #[error("{directory} has a log already")]
    Exists {
        /// The directory.
        directory: String,
    },
    /// There is no space for another segment; nothing was written.
    #[error("no space is left for {directory}")]
    Full {
        /// The directory.
        directory: String,
    },
    /// A record does not fit into a segment; nothing was written.
    #[error("a record of {length} bytes is larger than the {max} that fit")]
    TooLarge {
        /// Its length in bytes.
        length: usize,
        /// The longest possible.
        max: usize,
    },
    /// A record cannot be read any more.
    #[error("{0}")]
    Damaged(Damage),
    /// An earlier error was fatal.
    #[error("the log could not be written before: what is on disk is not known")]
    Poisoned,
}

impl StoreError {
    /// Whether nobody knows what is on disk after it, so that the process must end.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, StoreError::Io { .. } | StoreError::Poisoned)
    }

    pub(crate) fn io(
        doing: &'static str,
        file: impl Into<String>,
    ) -> impl FnOnce(io::Error) -> StoreError {
        let file = file.into();
        move |source| StoreError::Io {
            doing,
            file,
            source,
        }
    }
}

/// Whether the disk, or somebody's share of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
