//! The command as people use it: real processes on free ports, whole clusters, exit codes, output.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod daemons;
mod doors;
mod errors;
mod failover;
mod jobs;
mod listings;
mod log;
mod masters;
mod python;
mod recovery;
mod run;
mod security;
mod support;
mod top;
mod transcripts;
mod up;
mod zookeeper;
