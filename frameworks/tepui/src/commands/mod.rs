//! The commands, one file each: their flags, their help, what they do.

pub(crate) mod agent;
pub(crate) mod agents;
pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod example;
pub(crate) mod frameworks;
pub(crate) mod hidden;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod keygen;
pub(crate) mod kill;
pub(crate) mod log;
pub(crate) mod logs;
pub(crate) mod master;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod teardown;
pub(crate) mod top;
pub(crate) mod up;

use std::future::Future;

use anyhow::Result;

/// Runs a command on this thread alone, which is all that a client needs.
pub(crate) fn alone<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    libproc::run_alone(async { Ok(command.await) })?
}

/// Runs a daemon, with workers on every core.
pub(crate) fn on_every_core<T>(daemon: impl Future<Output = Result<T>>) -> Result<T> {
    libproc::run(async { Ok(daemon.await) })?
}
