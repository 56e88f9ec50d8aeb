//! The agent between a stand-in of its master and stand-ins of its executors; on virtual time where
//! there are no sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod authentication;
mod bad_input;
mod client;
mod draining;
mod executor_api;
mod executor_refusals;
mod executors;
mod files;
mod groups;
mod operator_api;
mod pages;
mod recovery;
mod registration;
mod rig;
mod simulated;
#[path = "../../../master/api/tests/support/strange.rs"]
mod strange;
mod tasks;
