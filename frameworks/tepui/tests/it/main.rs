//! The command as people use it: real processes on free ports, whole clusters, exit codes, output.

mod daemons;
mod errors;
mod listings;
mod run;
mod support;
mod up;
