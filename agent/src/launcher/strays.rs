//! What executors leave behind when they die, found without searching the process table.
//!
//! Every executor is a *child subreaper* (`prctl(2)`): a process whose parent dies becomes the
//! child of its nearest ancestor that is one. While an executor lives, all it ever started,
//! however often forked and in whatever session, therefore stays below it. When it dies, its
//! children become the zygote's, in the same instant as its own death becomes visible. So each
//! child of the zygote is either an executor or a **stray** of a dead one, and no others of the
//! dead one's processes exist but below its strays. Killing strays until there are none is thus
//! exact, and the usual case, nothing left, costs reading one short list for a batch of deaths.
//!
//! Nor can it hit a stranger: a child of ours keeps its pid until we wait for it.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::FileExt,
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, getpgid, getpgrp},
};
use tracing::warn;

use super::processes;

/// How long a killed stray may take to die before nobody waits for it: a process in an
/// uninterruptible sleep, as on a dead network file system, may take for ever.
const DEATH_MAX: Duration = Duration::from_secs(5);

/// Finds and kills strays.
#[derive(Debug)]
pub(super) struct Strays {
    /// The kernel's list of this process's children; absent where it keeps none.
    children: Option<File>,
    /// Killed and not yet waited for, since when.
    killed: BTreeMap<Pid, Instant>,
}

impl Strays {
    /// Opens the list of children of the calling thread, which must be the only one.
    pub(super) fn open() -> Strays {
        let me = Pid::this();
        let children = File::open(format!("/proc/self/task/{me}/children")).ok();
        Strays {
            children,
            killed: BTreeMap::new(),
        }
    }

    /// The descriptor held open, which children must close.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        self.children.as_ref().map(File::as_raw_fd)
    }

    /// Forgets a child that was waited for.
    pub(super) fn reaped(&mut self, child: Pid) {
        self.killed.remove(&child);
    }

    /// Kills every child that `is_executor` does not know. Returns whether all strays are gone, or
    /// given up; if not, there is more to do when the next child died.
    ///
    /// # Errors
    /// When the children cannot be listed.
    pub(super) fn kill(
        &mut self,
        is_executor: impl Fn(Pid) -> bool,
        now: Instant,
    ) -> io::Result<bool> {
        let mut all_gone = true;
        for child in self.children()? {
            if is_executor(child) {
                continue;
            }
            match self.killed.get(&child) {
                Some(since) if now.duration_since(*since) >= DEATH_MAX => {}
                Some(_) => all_gone = false,
                None => {
                    kill_group_of(child);
                    self.killed.insert(child, now);
                    all_gone = false;
                }
            }
        }
        Ok(all_gone)
    }

    /// The children of this process. The kernel calls its list unreliable because children that
    /// are waited for while it is read make it skip others; here the reader is the one who waits.
    fn children(&self) -> io::Result<Vec<Pid>> {
        let Some(file) = &self.children else {
            let me = Pid::this();
            let mut children = processes::scan()?;
            children.retain(|process| process.parent == me);
            return Ok(children.into_iter().map(|process| process.pid).collect());
        };
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let length = file.read_at(&mut chunk, text.len() as u64)?;
            if length == 0 {
                break;
            }
            text.extend_from_slice(&chunk[..length]);
        }
        let numbers = text.split(|byte| *byte == b' ').filter_map(|word| {
            std::str::from_utf8(word)
                .ok()
                .and_then(|word| word.parse().ok())
        });
        Ok(numbers.map(Pid::from_raw).collect())
    }
}

/// Kills a stray, and its process group with it, so that processes that fork faster than they are
/// found die together. The group is one of its executor's, which led a session: groups never
/// reach across sessions. Ours is refused, should a child ever be in it.
fn kill_group_of(stray: Pid) {
    if let Ok(group) = getpgid(Some(stray))
        && group != getpgrp()
    {
        let _ = killpg(group, Signal::SIGKILL); // its members may have gone by themselves
    }
    if let Err(error) = kill(stray, Signal::SIGKILL) {
        warn!(%stray, %error, "a stray process cannot be killed");
    }
}
