//! Sandboxes that nobody needs: kept for a while, for people to look at, then removed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libproc::Context;
use types::AgentId;

use crate::agent::Agent;
use crate::detect::disk_usage_ppm;
use crate::sandbox::remove;

/// How often it is looked for sandboxes to remove.
const CHECK: Duration = Duration::from_secs(60);
/// Sandboxes removed between two looks, so that one removal does not hold up the machine.
const REMOVALS_MAX: usize = 1_000;
/// The directory of a run, from that of its executor.
const RUN_DEPTH: usize = 2;

impl Agent {
    /// A sandbox is in use, and the directory of its executor with it.
    pub(crate) fn keep(&mut self, sandbox: &Path) {
        self.collector.unschedule(sandbox);
        if let Some(executor) = sandbox.ancestors().nth(RUN_DEPTH) {
            self.collector.unschedule(executor);
        }
    }

    /// A sandbox is not in use any more.
    pub(crate) fn discard(&mut self, sandbox: &Path) {
        let now = self.now();
        // One that was never made has no name.
        let Some(executor) = sandbox.ancestors().nth(RUN_DEPTH) else {
            return;
        };
        self.collector.schedule(sandbox, now);
        self.collector.schedule(executor, now);
    }

    /// Everything of agents that were here before is not in use any more.
    pub(crate) fn collect_former(&mut self, agent_id: &AgentId) {
        let now = self.now();
        let Ok(entries) = std::fs::read_dir(self.options.work_dir.join("slaves")) else {
            return; // there never was one
        };
        let former = entries.flatten().filter(|entry| entry.file_name() != agent_id.as_str());
        let former: Vec<PathBuf> = former.map(|entry| entry.path()).collect();
        for directory in former {
            self.collector.schedule(directory, now);
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
        let mut due = self.collector.due(now, usage_ppm);
        for later in due.drain(due.len().min(REMOVALS_MAX)..) {
            self.collector.schedule(later, Duration::ZERO);
        }
        if due.is_empty() {
            return self.collect_garbage_later(ctx);
        }
        let removal = move || {
            let removed = due.iter().map(|directory| remove(directory));
            removed.filter_map(Result::err).collect::<Vec<_>>()
        };
        ctx.defer(tokio::task::spawn_blocking(removal), |agent, errors, ctx| {
            for error in errors.into_iter().flatten() {
                tracing::warn!(%error, "could not remove a sandbox");
            }
            agent.collect_garbage_later(ctx);
        });
    }
}
