//! What we ask of a session with ZooKeeper.

use std::error::Error as StdError;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// A znode that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it holds.
    pub data: Vec<u8>,
    /// How often that was changed.
    pub version: i32,
}

/// The children of a znode.
pub struct Listing {
    /// Their names, in no order.
    pub children: Vec<String>,
    /// Comes when there may be others: when there are, or when the session has ended.
    pub changed: BoxFuture<'static, ()>,
}

/// How long a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is deleted.
    Persistent,
    /// Until its session ends; ten digits that count are put behind its name.
    EphemeralSequential,
}

/// A part of what is done at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// The znode must be at this version.
    Check {
        /// Which znode.
        path: String,
        /// How often its data was changed.
        version: i32,
    },
    /// Makes a znode that is to stay, where none is.
    Create {
        /// Which znode.
        path: String,
        /// What it holds.
        data: Vec<u8>,
    },
    /// Changes what a znode holds, if it is at this version.
    Set {
        /// Which znode.
        path: String,
        /// What it is to hold.
        data: Vec<u8>,
        /// How often its data was changed.
        version: i32,
    },
    /// Deletes a znode that is at this version.
    Delete {
        /// Which znode.
        path: String,
        /// How often its data was changed.
        version: i32,
    },
}

/// Why a session did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// The session has ended: what it made to live as long as it does is gone.
    #[error("the session with ZooKeeper has expired")]
    Expired,
    /// The connection broke; what was asked for may have happened.
    #[error("the connection to ZooKeeper is lost")]
    Lost,
    /// There is no such znode.
    #[error("there is no znode {0}")]
    NoNode(String),
    /// The session may not do it.
    #[error("ZooKeeper does not allow it")]
    Denied,
    /// Something else.
    #[error("ZooKeeper failed")]
    Other(#[source] Arc<dyn StdError + Send + Sync>),
}

/// A session. It lives on by itself, and ends some time after it was dropped, or cut off.
pub trait Keeper: Send + Sync + 'static {
    /// What a znode holds, if there is one.
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Option<Node>, KeeperError>>;

    /// The children of a znode, and word of their changes.
    fn list(&self, path: &str) -> BoxFuture<'static, Result<Listing, KeeperError>>;

    /// Makes a znode, and those it lies in where they are missing; returns its path. One that is
    /// persistent and there already stays as it is.
    fn create(
        &self,
        path: &str,
        data: Vec<u8>,
        mode: Mode,
    ) -> BoxFuture<'static, Result<String, KeeperError>>;

    /// Deletes a znode, if it is there.
    fn delete(&self, path: &str) -> BoxFuture<'static, Result<(), KeeperError>>;

    /// Does all of it or, when a znode is not as it must be, nothing: then the answer is false.
    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<bool, KeeperError>>;

    /// Comes when the session has ended.
    fn ended(&self) -> BoxFuture<'static, ()>;

    /// How long the session outlives its connection.
    fn timeout(&self) -> std::time::Duration;
}

/// Where sessions are made.
pub trait Ensemble: Send + Sync + 'static {
    /// Begins a session.
    fn connect(&self) -> BoxFuture<'static, Result<Arc<dyn Keeper>, KeeperError>>;
}

impl<E: Ensemble + ?Sized> Ensemble for Arc<E> {
    fn connect(&self) -> BoxFuture<'static, Result<Arc<dyn Keeper>, KeeperError>> {
        (**self).connect()
    }
}
