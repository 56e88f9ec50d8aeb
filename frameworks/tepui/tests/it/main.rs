//! The command as people use it: real processes on free ports, whole clusters, exit codes, output.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod daemons;
mod errors;
mod listings;
mod python;
mod run;
mod support;
mod up;
