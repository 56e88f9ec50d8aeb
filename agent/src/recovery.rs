//! What an agent does with what the one before it wrote down: a decision, without clock or disk.

use std::collections::BTreeSet;
use std::path::PathBuf;

use types::{ContainerId, Reason, Resources, TaskState};

use crate::books::{Books, Fate, Phase};
use crate::checkpoints::Snapshot;
use crate::launcher::Survivors;
use crate::status_updates::StatusUpdates;

/// Whether the machine has been running since the checkpoints were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// It has.
    Running,
    /// It has started again: nothing that ran does, and process ids say nothing.
    Restarted,
}

/// What an agent begins with.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) books: Books,
    pub(crate) updates: StatusUpdates,
    /// Containers whose executors are to come back, or have ended, which an event will tell.
    pub(crate) awaited: Vec<ContainerId>,
    /// Containers that were told to end.
    pub(crate) ending: Vec<ContainerId>,
    /// Containers that are not there any more; how their tasks ended is in the books.
    pub(crate) gone: Vec<ContainerId>,
    /// Containers nobody knows: to be ended without a word.
    pub(crate) strangers: Vec<String>,
    /// Processes, with their sandboxes, whose launcher has gone from under them.
    pub(crate) orphans: Vec<(u32, PathBuf)>,
}

impl Recovery {
    /// What an agent begins with that is the first.
    pub(crate) fn none(total: Resources) -> Recovery {
        decide(
            Snapshot::default(),
            total,
            &Survivors::new(),
            Machine::Running,
        )
    }

    /// Whether anything runs that was started by an agent before.
    pub(crate) fn has_living(&self) -> bool {
        !self.awaited.is_empty() || !self.ending.is_empty()
    }
}

/// Decides what becomes of everything in a snapshot, on a machine where `survivors` are.
pub(crate) fn decide(
    snapshot: Snapshot,
    total: Resources,
    survivors: &Survivors,
    machine: Machine,
) -> Recovery {
    let Snapshot {
        frameworks,
        executors,
        tasks,
        streams,
        ..
    } = snapshot;
    let books = Books::restored(total, frameworks, executors, tasks);
    let mut recovery = Recovery {
        books,
        updates: StatusUpdates::restored(streams),
        awaited: Vec::new(),
        ending: Vec::new(),
        gone: Vec::new(),
        strangers: Vec::new(),
        orphans: Vec::new(),
    };
    let containers = recovery.books.containers();
    let known: BTreeSet<&str> = containers.iter().map(ContainerId::as_str).collect();
    let strangers = survivors.keys().filter(|id| !known.contains(id.as_str()));
    recovery.strangers = strangers.cloned().collect();
    for container_id in containers {
        recovery.place(container_id, survivors, machine);
    }
    recovery
}

impl Recovery {
    fn place(&mut self, container_id: ContainerId, survivors: &Survivors, machine: Machine) {
        let ending = self.books.is_ending(&container_id);
        let Some(executor) = self.books.in_container(&container_id) else {
            return;
        };
        if let Some(pid) = survivors.get(container_id.as_str()) {
            executor.os_pid = Some(*pid);
            let to_end = ending || executor.phase == Phase::Ending;
            return match to_end {
                true => self.ending.push(container_id),
                false => self.awaited.push(container_id),
            };
        }
        let fate = match (machine, executor.os_pid, executor.phase) {
            (Machine::Restarted, ..) => fate(TaskState::Gone, "The machine was restarted"),
            (Machine::Running, None, Phase::Starting) => fate(
                TaskState::Dropped,
                "The agent was restarted before it had started the executor",
            ),
            (Machine::Running, pid, _) => {
                let sandbox = executor.sandbox.clone();
                self.orphans.extend(pid.map(|pid| (pid, sandbox)));
                fate(
                    TaskState::Gone,
                    "The agent was restarted, and what ran under it has gone",
                )
            }
        };
        executor.fate.get_or_insert(fate);
        self.gone.push(container_id);
    }
}

fn fate(state: TaskState, message: &str) -> Fate {
    Fate {
        state,
        reason: Reason::AgentRestarted,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
