//! A replicated log: what was appended is on a majority of disks, in one order, for everybody.
//!
//! The protocol is the crate `paxos`, which is pure; this crate gives it a disk ([`store`]), a
//! network and a clock, as a process of libproc.
//!
//! ```
//! use libproc::Node;
//! use paxos::{NodeId, Position};
//! use replog::{Log, LogOptions, Place, store::MemoryDisk};
//!
//! # libproc::run_alone(async {
//! let node = Node::bind("127.0.0.1:0").await?;
//! let alone = [(NodeId(1), node.address())].into();
//! let disk = Place::Disk(std::sync::Arc::new(MemoryDisk::new()));
//! let log = Log::open(&node, LogOptions::new("example", NodeId(1), alone, disk)).await.unwrap();
//!
//! let mut writer = log.writer();
//! writer.start().await.unwrap();
//! let position = writer.append("hello").await.unwrap();
//!
//! let reader = log.reader();
//! let read = reader.read(position, position).await.unwrap();
//! assert_eq!(read[0].data, "hello");
//! node.shutdown().await;
//! # Ok(())
//! # }).unwrap();
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod error;
mod ledger;
mod log;
mod network;
mod options;
mod protocol;
mod reader;
mod replica;
pub mod store;
mod writer;

pub use error::{LogError, Refused};
pub use log::Log;
pub use options::{BrokenDisk, LogOptions, NAME, Place, cluster_of};
pub use protocol::{
    Appended, Bounds, Entries, Leadership, Reconfiguration, ReplicaStatus, Replication, Started,
    WriterId,
};
pub use reader::{Follower, Reader};
pub use writer::Writer;

/// The words of the protocol that users of a log meet.
pub use paxos::{
    Ballot, ClusterId, Epoch, Member, Millis, NodeId, Position, Quorums, Span, Status,
};
