//! The command that a local cluster is started for.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::local::executable;
use crate::security::SecurityFlags;

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Job {
    pid: i32,
}

impl Job {
    /// Starts a command with where the master is in its environment, and what it needs to be
    /// let in there. It is told to end when
    /// this program is gone.
    ///
    /// # Errors
    /// When no process can be started. What is wrong with the command shows in its exit code.
    pub(crate) fn start(command: &[String], master: &str, security: &SecurityFlags) -> Result<Job> {
        let executable = executable();
        let mut job = Command::new(&executable);
        job.arg("child-of")
            .arg(std::process::id().to_string())
            .arg("--");
        match command {
            [script] => job.args(["sh", "-c", script]),
            words => job.args(words),
        };
        job.env("TEPUI_MASTER", master)
            .env("MESOS_MASTER", master)
            .envs(security.variables());
        if let Some(path) = path_with(env::var_os("PATH"), &executable) {
            job.env("PATH", path);
        }
        let child = job.spawn().context("could not start the command")?;
        Ok(Job {
            pid: child.id().cast_signed(),
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // One that ended just now is still to be waited for: the number is not another's.
        let _ = kill(Pid::from_raw(self.pid), signal);
    }
}

/// The search path with this program at its end, so that the command can use it.
fn path_with(path: Option<OsString>, executable: &std::path::Path) -> Option<OsString> {
    let directory = executable.parent()?.to_owned();
    let path = path.unwrap_or_default();
    env::join_paths(env::split_paths(&path).chain([directory])).ok()
}
