//! Ending executors whose zygote was killed: nobody is their parent, so the whole process table
//! is searched, which is slow, and a process is taken for one of theirs only with proof.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tracing::warn;

use super::processes::{self, Process};

/// How often to search: each time finds those that were just being forked the time before.
const ROUNDS_MAX: u32 = 50;
/// The time between two searches.
const PAUSE: Duration = Duration::from_millis(20);

/// Kills executors, given with their sandboxes, and all they started, until none is left.
///
/// An executor adopts what its descendants leave, so while it lives nothing of it is lost: it is
/// stopped, not killed, until all below it are dead. Of one that died with the zygote only the
/// session is found, and what descends from that.
///
/// An executor's pid may be another's by the time it is dead. It is trusted while a process of
/// its session has the sandbox as its working directory.
pub(crate) async fn kill_all(executors: Vec<(u32, &Path)>) {
    if executors.is_empty() {
        return;
    }
    for _ in 0..ROUNDS_MAX {
        let table = match processes::scan() {
            Ok(table) => table,
            Err(error) => return warn!(%error, "executors without a zygote cannot be found"),
        };
        let roots: BTreeSet<Pid> = executors
            .iter()
            .map(|(pid, sandbox)| (Pid::from_raw(*pid as i32), *sandbox))
            .filter(|(pid, sandbox)| is_executor(&table, *pid, sandbox))
            .map(|(pid, _)| pid)
            .collect();
        let family = processes::family(&table, &roots);
        if family.is_empty() {
            return;
        }
        let (living, below): (Vec<Pid>, Vec<Pid>) =
            family.into_iter().partition(|pid| roots.contains(pid));
        match below.is_empty() {
            true => send(Signal::SIGKILL, &living),
            false => {
                send(Signal::SIGSTOP, &living);
                send(Signal::SIGKILL, &below);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    warn!(
        executors = executors.len(),
        "processes of executors without a zygote do not die"
    );
}

fn send(signal: Signal, pids: &[Pid]) {
    for pid in pids {
        let _ = kill(*pid, signal); // gone already
    }
}

/// Whether the session led by `pid` is the one that was started in `sandbox`.
fn is_executor(table: &[Process], pid: Pid, sandbox: &Path) -> bool {
    let in_sandbox = |process: &Process| {
        fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|cwd| cwd == sandbox)
    };
    table
        .iter()
        .filter(|process| process.session == pid)
        .any(in_sandbox)
}
