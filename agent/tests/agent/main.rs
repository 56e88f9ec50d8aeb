//! The agent on virtual time, between a stand-in of its master and stand-ins of its executors.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod executors;
mod files;
mod registration;
mod rig;
mod simulated;
mod tasks;
