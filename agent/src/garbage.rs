//! Sandboxes that nobody needs: kept for a while, for people to look at, then removed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libproc::Context;
use types::{AgentId, ExecutorKind};

use crate::agent::Agent;
use crate::detect::disk_usage_ppm;
use crate::sandbox::gc::{Collector, Policy};
use crate::sandbox::remove;

/// How often it is looked for sandboxes to remove.
const CHECK: Duration = Duration::from_secs(60);
/// Sandboxes removed in one go, so that stopping the agent does not wait for long.
const REMOVALS_MAX: usize = 1_000;
/// Sandboxes kept: more than people look at, fewer than file systems have inodes for.
const SANDBOXES_MAX: usize = 100_000;
/// The directory of a run, from that of its executor.
const RUN_DEPTH: usize = 2;

/// What is not in use any more, until it is removed.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    collector: Collector,
    /// The order in which sandboxes went out of use.
    order: VecDeque<PathBuf>,
    /// What is to be removed whatever its age.
    overdue: Vec<PathBuf>,
    succeeded: usize,
    failed: usize,
}

/// How many directories are to be removed, and how many were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removals {
    pub(crate) pending: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
}

impl Garbage {
    pub(crate) fn new(delay: Duration) -> Garbage {
        let policy = Policy {
            delay,
            ..Policy::default()
        };
        Garbage {
            collector: Collector::new(policy),
            ..Garbage::default()
        }
    }

    pub(crate) fn removals(&self) -> Removals {
        Removals {
            pending: self.collector.len() + self.overdue.len(),
            succeeded: self.succeeded,
            failed: self.failed,
        }
    }

    /// How old what is not in use may become, on the disk as it is.
    pub(crate) fn age_max(&self, work_dir: &Path) -> Option<Duration> {
        let usage_ppm = disk_usage_ppm(work_dir).ok()?;
        Some(self.collector.age_max(usage_ppm))
    }

    fn keep(&mut self, directory: &Path) {
        self.collector.unschedule(directory);
    }

    fn discard(&mut self, directory: &Path, now: Duration) {
        self.collector.schedule(directory, now);
        self.order.push_back(directory.to_owned());
        if self.order.len() > SANDBOXES_MAX
            && let Some(oldest) = self.order.pop_front()
            && self.collector.unschedule(&oldest)
        {
            self.overdue.push(oldest);
        }
    }

    /// What is to be removed by now, the oldest first, and not more than can be in one go.
    fn due(&mut self, now: Duration, usage_ppm: u32) -> Vec<PathBuf> {
        let due = self.collector.due(now, usage_ppm);
        self.overdue.extend(due);
        let rest = self.overdue.split_off(self.overdue.len().min(REMOVALS_MAX));
        let due = std::mem::replace(&mut self.overdue, rest);
        if self.collector.is_empty() {
            self.order.clear();
        }
        due
    }
}

impl Agent {
    /// A sandbox is in use, and the directory of its executor with it.
    pub(crate) fn keep(&mut self, sandbox: &Path) {
        if let Some(executor) = sandbox.ancestors().nth(RUN_DEPTH) {
            self.garbage.keep(executor);
        }
    }

    /// A sandbox is not in use any more.
    pub(crate) fn discard(&mut self, sandbox: &Path, kind: ExecutorKind) {
        let now = self.now();
        // One that was never made has no name.
        let Some(executor) = sandbox.ancestors().nth(RUN_DEPTH) else {
            return;
        };
        if kind != ExecutorKind::Command {
            // Its executor may be started again and again; the last run takes all with it.
            self.garbage.discard(sandbox, now);
        }
        self.garbage.discard(executor, now);
    }

    /// Everything of agents that were here before is not in use any more.
    pub(crate) fn collect_former(&mut self, agent_id: &AgentId) {
        let now = self.now();
        let Ok(entries) = std::fs::read_dir(self.options.work_dir.join("slaves")) else {
            return; // there never was one
        };
        let former = entries
            .flatten()
            .filter(|entry| entry.file_name() != agent_id.as_str());
        let mut former: Vec<PathBuf> = former.map(|entry| entry.path()).collect();
        former.sort();
        for directory in former {
            self.garbage.discard(&directory, now);
        }
    }

    /// Sandboxes that the agent before left, of what ended, are not in use any more.
    pub(crate) fn collect_left(&mut self, agent_id: &AgentId) {
        let now = self.now();
        let frameworks = self.options.work_dir.join("slaves").join(agent_id.as_str());
        let executors = entries(&frameworks.join("frameworks"))
            .flat_map(|framework| entries(&framework.join("executors")));
        let used: Vec<PathBuf> = self.books.sandboxes();
        let is_used = |executor: &PathBuf| used.iter().any(|used| used.starts_with(executor));
        let mut left: Vec<PathBuf> = executors.filter(|executor| !is_used(executor)).collect();
        left.sort();
        for executor in left {
            self.garbage.discard(&executor, now);
        }
    }

    pub(crate) fn collect_garbage_later(&mut self, ctx: &mut Context<Self>) {
        ctx.after(CHECK, Self::collect_garbage);
    }

    fn collect_garbage(&mut self, ctx: &mut Context<Self>) {
        let usage_ppm = match disk_usage_ppm(&self.options.work_dir) {
            Ok(usage_ppm) => usage_ppm,
            Err(error) => {
                tracing::warn!(%error, "could not tell how full the disk is");
                0
            }
        };
        let now = self.now();
        let due = self.garbage.due(now, usage_ppm);
        if due.is_empty() {
            return self.collect_garbage_later(ctx);
        }
        let tried = due.len();
        let removal = move || {
            let removed = due.iter().map(|directory| remove(directory));
            removed.filter_map(Result::err).collect::<Vec<_>>()
        };
        ctx.defer(
            tokio::task::spawn_blocking(removal),
            move |agent, errors, ctx| {
                let errors: Vec<_> = errors.into_iter().flatten().collect();
                agent.garbage.failed += errors.len();
                agent.garbage.succeeded += tried.saturating_sub(errors.len());
                for error in errors {
                    tracing::warn!(%error, "could not remove a sandbox");
                }
                agent.collect_garbage(ctx);
            },
        );
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten(); // none, if it is not there
    entries.flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sandboxes_than_are_kept_go_oldest_first_and_some_at_a_time() {
        let mut garbage = Garbage::new(Duration::from_secs(1_000_000));
        let name = |number: usize| PathBuf::from(number.to_string());
        for number in 0..SANDBOXES_MAX + REMOVALS_MAX + 1 {
            garbage.discard(&name(number), Duration::ZERO);
        }
        garbage.keep(&name(SANDBOXES_MAX));
        let due = garbage.due(Duration::ZERO, 0);
        assert_eq!(due.len(), REMOVALS_MAX);
        assert_eq!(due[..2], [name(0), name(1)]);
        assert_eq!(garbage.due(Duration::ZERO, 0), [name(REMOVALS_MAX)]);
        assert_eq!(garbage.due(Duration::ZERO, 0), Vec::<PathBuf>::new());
    }
}
