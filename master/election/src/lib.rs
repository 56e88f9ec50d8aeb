//! Who leads: how masters elect one of themselves, and how agents, frameworks and people find it.
//!
//! | part | about |
//! | --- | --- |
//! | [`Masters`] | what people write: one address, a list of them, or `zk://…` |
//! | [`Detector`] | who leads, as it changes |
//! | [`Contest`] | how a master becomes the one that leads, and hears that it no longer is |
//! | [`Ensemble`] | masters of a static list, which elect each other through a log of their own |
//! | [`Electing`] | what the process `election` of a master says: who leads |
//!
//! Through ZooKeeper the znodes are those of Apache Mesos: a master announces itself as
//! `json.info_` and a number below the path, and the one with the least number leads. Tools written
//! for Mesos find our masters there, and ours theirs.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod contest;
mod detect;
mod ensemble;
mod log;
mod masters;
mod protocol;
mod zookeeper;

pub use contest::{Candidacy, Contest, ElectionError, Resign, Standing};
pub use detect::{Detector, Leader};
pub use ensemble::{BadEnsemble, Ensemble, REGISTRY_LOG};
pub use log::LogContest;
pub use masters::{BadMasters, Masters, Place};
pub use protocol::{ELECTION, Electing, Leadership, WhoLeads};
pub use zookeeper::{SESSION_TIMEOUT, ZooKeeperContest};
