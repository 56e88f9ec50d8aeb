//! What tasks left to their executor, which has to wait for it.
//!
//! The launcher makes every executor a child subreaper: whatever its tasks leave behind becomes
//! its child, so that all of it can be found and killed. Its children are also its own to wait
//! for. A task that starts something in the background every minute and forgets it would
//! otherwise use up all process ids in a few weeks.

use std::{
    collections::BTreeSet,
    fs, io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::{
    sys::wait::{WaitPidFlag, waitpid},
    unistd::{Pid, getpgid, getpgrp},
};

/// The task processes of this executor, which wait for themselves. Held while one is started, as
/// it exists a moment before its pid is known.
static TASKS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Locks the set of this executor's own task processes.
pub(super) fn tasks() -> MutexGuard<'static, BTreeSet<u32>> {
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the dead among the processes that tasks left to this executor, whose main thread is
/// the one that adopts. Does not wait for task processes, nor for anything in the executor's own
/// process group: whoever started that waits.
///
/// # Errors
/// When the system does not list children.
pub(super) fn reap() -> io::Result<()> {
    let me = Pid::this();
    let own_group = getpgrp();
    let tasks = tasks();
    let children = fs::read_to_string(format!("/proc/self/task/{me}/children"))?;
    for pid in children
        .split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
    {
        let child = Pid::from_raw(pid);
        let is_adopted = getpgid(Some(child)).is_ok_and(|group| group != own_group);
        if is_adopted && !tasks.contains(&(pid as u32)) {
            // Also "waited for" when it reports a signal nix has no name for.
            let _ = waitpid(child, Some(WaitPidFlag::WNOHANG));
        }
    }
    Ok(())
}
