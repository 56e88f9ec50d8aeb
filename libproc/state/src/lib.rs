//! State: versioned variables, for what a distributed system has to remember.
//!
//! A [`Variable`] is fetched by name, given another value, and stored, which works only if nobody
//! else stored it since it was fetched. Where variables are kept is a [`Storage`]'s business:
//!
//! | storage | for |
//! | --- | --- |
//! | [`MemoryStorage`] | tests and simulations, and whatever may be lost with its process |
//! | [`FileStorage`] | one process of one machine: a transactional file |
//! | [`LogStorage`] | processes of many machines, with nothing else to run: values of any size, all in memory; one process writes at a time |
//! | [`zookeeper::ZooKeeperStorage`] | processes of many machines, where there is a ZooKeeper; values below 1 MB |
//!
//! All of them are linearizable: an operation takes effect at one moment between its call and its
//! answer. [`check`] (feature `check`) tells whether a recorded history was.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use state::{MemoryStorage, State};
//!
//! #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
//! struct Registry {
//!     agents: Vec<String>,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), state::Error> {
//! let state = State::new(MemoryStorage::default());
//! let variable = state.fetch::<Registry>("registry").await?;
//! let mut registry = variable.value().cloned().unwrap_or_default();
//! registry.agents.push("10.0.0.1".to_owned());
//! let stale = variable.clone();
//! let stored = state.store(variable.mutate(registry.clone())).await?;
//! assert!(stored.is_some());
//! // Somebody who fetched it before comes too late.
//! assert!(state.store(stale.mutate(registry)).await?.is_none());
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

#[cfg(feature = "check")]
pub mod check;
mod encoded;
mod entry;
mod file;
mod log;
mod memory;
mod storage;
mod variable;
pub mod zookeeper;

pub use encoded::Encoded;
pub use entry::{Entry, NAME_MAX, Version};
pub use file::FileStorage;
pub use log::{COMMIT_MAX, LogStorage, LogStorageOptions, Writing, is_of_variables};
pub use memory::MemoryStorage;
pub use storage::{Change, Storage, StorageError};
pub use variable::{Error, State, Transaction, Variable};
