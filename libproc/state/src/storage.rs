//! Where variables are kept.

use std::error::Error as StdError;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{Entry, Version};

/// One part of what is committed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Gives a variable a value, if it is at the expected version; none: if there is no such
    /// variable.
    Set {
        /// The value it gets.
        entry: Entry,
        /// The version it must have until then.
        expected: Option<Version>,
    },
    /// Removes a variable that is at this version.
    Expunge {
        /// The variable.
        name: String,
        /// The version it must have.
        expected: Version,
    },
    /// Changes nothing, but must hold for the others to happen.
    Check {
        /// The variable.
        name: String,
        /// The version it must have; none: there must be no such variable.
        expected: Option<Version>,
    },
}

impl Change {
    /// The variable that is changed or checked.
    pub fn name(&self) -> &str {
        match self {
            Change::Set { entry, .. } => &entry.name,
            Change::Expunge { name, .. } | Change::Check { name, .. } => name,
        }
    }

    /// The version it must have.
    pub fn expected(&self) -> Option<Version> {
        match self {
            Change::Set { expected, .. } | Change::Check { expected, .. } => *expected,
            Change::Expunge { expected, .. } => Some(*expected),
        }
    }
}

/// Keeps entries by name. Every operation is linearizable.
pub trait Storage: Send + Sync + 'static {
    /// The current entry of this name, if there is one.
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>>;

    /// The names of all entries, in order.
    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>>;

    /// Makes all changes, and has them kept for good, or none of them: when one does not find the
    /// version it expects, the answer is `false`. No two changes are of one name.
    ///
    /// Whoever stops waiting does not know whether the changes are made.
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>>;
}

impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Entry>, StorageError>> {
        (**self).get(name)
    }

    fn names(&self) -> BoxFuture<'static, Result<Vec<String>, StorageError>> {
        (**self).names()
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<bool, StorageError>> {
        (**self).commit(changes)
    }
}

/// Why a storage did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A value, or what is committed at once, is larger than the storage takes.
    #[error("{bytes} bytes do not fit: the storage takes {limit}")]
    TooLarge {
        /// What was to be kept.
        bytes: usize,
        /// What can be kept.
        limit: usize,
    },
    /// It cannot be reached, or does not work. Nothing has changed.
    #[error("could not {doing}")]
    Failed {
        /// What was attempted.
        doing: String,
        /// Why it failed.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// Another writer has taken over, or the log under it has another leader. Nothing has changed,
    /// and nothing will be until the storage is told to write again.
    #[error("somebody else writes now")]
    Superseded,
    /// It broke off in the middle of a change, which may yet happen or not.
    #[error("could not find out what became of a change")]
    Unknown(#[source] Arc<dyn StdError + Send + Sync>),
    /// What it keeps is not what was put there.
    #[error("the entry {0:?} is damaged")]
    Damaged(String),
}

impl StorageError {
    /// A failure that changed nothing.
    pub fn failed(
        doing: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> StorageError {
        StorageError::Failed {
            doing: doing.into(),
            source: Arc::new(source),
        }
    }
}
