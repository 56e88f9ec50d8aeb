//! Waits for the processes of a local cluster, and for those that they leave behind.
//!
//! This process is made the parent of whatever its children leave, so that everything they ever
//! started can be waited for, and a stopped cluster is known to be gone.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::member::{Exit, Member};

/// How long a process may take to end after being asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// Waits for children.
pub(crate) struct Reaper {
    died: tokio::signal::unix::Signal,
}

impl Reaper {
    /// Begins to wait, before anything is started.
    ///
    /// # Errors
    /// When the operating system does not let us.
    pub(crate) fn new() -> Result<Reaper> {
        prctl::set_child_subreaper(true).context("could not become a subreaper")?;
        let died = signal(SignalKind::child()).context("could not take signals")?;
        Ok(Reaper { died })
    }

    /// The next process that ended; waits for one.
    pub(crate) async fn next(&mut self) -> (i32, Exit) {
        loop {
            match reap() {
                Ok(Some(ended)) => return ended,
                Ok(None) | Err(_) => drop(self.died.recv().await),
            }
        }
    }

    /// Ends members: politely first, then by force.
    pub(crate) async fn end(&mut self, members: &mut [Member]) {
        for (how, wait) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, KILLED)] {
            let until = Instant::now() + wait;
            members.iter().for_each(|member| member.signal(how));
            while members.iter().any(Member::is_running) {
                let Ok((pid, _)) = timeout_at(until, self.next()).await else {
                    break;
                };
                members
                    .iter_mut()
                    .filter(|member| member.pid() == pid)
                    .for_each(Member::has_ended);
            }
        }
    }

    /// Ends whatever else is left of us: politely first, then by force.
    pub(crate) async fn end_orphans(&mut self) {
        for (how, wait) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, KILLED)] {
            let until = Instant::now() + wait;
            for pid in children() {
                let _ = kill(Pid::from_raw(pid), how); // our child, so the number is nobody else's
            }
            loop {
                match reap() {
                    Ok(Some(_)) => {}
                    Ok(None) if timeout_at(until, self.died.recv()).await.is_ok() => {}
                    Ok(None) => break,
                    Err(_) => return, // no children
                }
            }
        }
    }
}

/// A child that has ended, if one has; an error when there are no children.
fn reap() -> nix::Result<Option<(i32, Exit)>> {
    loop {
        return Ok(match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => Some((pid.as_raw(), Exit::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                Some((pid.as_raw(), Exit::Signal(signal as i32)))
            }
            Ok(WaitStatus::StillAlive) => None,
            Ok(_) | Err(Errno::EINTR) => continue, // stopped or continued: not ended
            Err(errno) => return Err(errno),
        });
    }
}

/// The children of this process.
fn children() -> Vec<i32> {
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = |list: String| -> Vec<i32> {
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect()
    };
    lists.flat_map(pids).collect()
}
