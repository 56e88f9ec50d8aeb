//! The verbs of a cluster: one protocol page per conversation partner.
//!
//! | page | spoken to | by |
//! | --- | --- | --- |
//! | [`master`] | the master | schedulers, agents, operators |
//! | [`agent`] | an agent | the master, executors, operators |
//! | [`executor`] | an executor | its agent |
//! | [`scheduler`] | a framework's scheduler | the master |
//!
//! Master and agent know each other only by these pages. What the world outside speaks is the
//! [public v1 API](v1) of Apache Mesos, over HTTP with [`recordio`] for its streams.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod agent;
pub mod executor;
pub mod master;
pub mod recordio;
pub mod scheduler;
pub mod v1;

/// The process id of a master on its node.
pub const MASTER: &str = "master";
/// The process id of an agent on its node.
pub const AGENT: &str = "agent";
/// The version of this software, plain `X.Y.Z`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The port of a master unless another is given.
pub const MASTER_PORT: u16 = 5050;
/// The port of an agent unless another is given.
pub const AGENT_PORT: u16 = 5051;
