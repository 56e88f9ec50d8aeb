//! Status updates on their way to the master: in order, one at a time, again until acknowledged.
//!
//! Each task has a stream of its own. The first update of a stream that is not acknowledged is
//! sent, and sent again with growing pauses; the next one follows its acknowledgement. Nothing is
//! sent while there is no master to send to. The rules are those of Mesos
//! (`src/slave/task_status_update_manager.cpp`), but for its files: a stream is one record.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use api::agent::TaskOf;
use types::{FrameworkId, TaskState, TaskStatus, UpdateId};

use crate::checkpoints::{Key, StreamRecord, encode};

/// Pause before an update is sent again for the first time; it doubles from there.
pub(crate) const RETRY_MIN_MS: u64 = 10_000;
/// Longest pause before an update is sent again.
pub(crate) const RETRY_MAX_MS: u64 = 10 * 60_000;
/// Updates of one task that may wait: an executor that tells more faster than its framework hears
/// is refused, and tells again.
pub(crate) const PENDING_MAX: usize = 1_000;
/// Update ids of one task that are remembered, to recognize what an executor tells twice.
const SEEN_MAX: usize = 2 * PENDING_MAX;

/// The streams of all tasks.
#[derive(Debug, Default)]
pub(crate) struct StatusUpdates {
    streams: BTreeMap<TaskOf, Stream>,
    /// When what is to be sent again.
    due: BTreeSet<(u64, TaskOf)>,
    sending: bool,
    /// What is not any more as it was when this was last taken.
    changed: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Stream {
    pending: VecDeque<TaskStatus>,
    seen: VecDeque<UpdateId>,
    /// When the first pending update was last sent, it was to be sent again after this.
    pause_ms: u64,
    due_ms: Option<u64>,
    /// A terminal update was taken: nothing can follow.
    ended: bool,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It will reach the framework.
    Fresh,
    /// It was taken before.
    Duplicate,
    /// It comes after the end of its task and is dropped.
    AfterEnd,
    /// Too many wait already: it is not taken, and may come again.
    Full,
}

/// An update to send to the master.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forward {
    pub(crate) framework_id: FrameworkId,
    pub(crate) status: TaskStatus,
    pub(crate) latest: TaskState,
}

/// An acknowledgement that was expected.
#[derive(Debug, PartialEq)]
pub(crate) struct Acknowledged {
    /// Whether that was the last update of the task.
    pub(crate) ended: bool,
    /// The next one.
    pub(crate) next: Option<Forward>,
}

impl StatusUpdates {
    /// Takes an update, which must have an id, and says whether it is to be sent at once.
    pub(crate) fn update(
        &mut self,
        of: &TaskOf,
        status: TaskStatus,
        now_ms: u64,
    ) -> (Taken, Option<Forward>) {
        let stream = self.streams.entry(of.clone()).or_default();
        let update_id = status
            .update_id
            .expect("the caller gives every update an id");
        if stream.seen.contains(&update_id) {
            return (Taken::Duplicate, None);
        }
        if stream.ended {
            return (Taken::AfterEnd, None);
        }
        // The end of a task is taken in any case: it is the last one, and nobody may miss it.
        if stream.pending.len() >= PENDING_MAX && !status.state.is_terminal() {
            return (Taken::Full, None);
        }
        if stream.seen.len() >= SEEN_MAX {
            stream.seen.pop_front();
        }
        self.changed.insert(Key::Stream(of.clone()));
        stream.seen.push_back(update_id);
        stream.ended = status.state.is_terminal();
        stream.pending.push_back(status);
        let first = stream.pending.len() == 1;
        (
            Taken::Fresh,
            first.then(|| self.send(of, RETRY_MIN_MS, now_ms)).flatten(),
        )
    }

    /// The streams that these records were made of. Nothing is sent yet.
    pub(crate) fn restored(records: Vec<StreamRecord>) -> StatusUpdates {
        let streams = records.into_iter().map(|record| {
            let stream = Stream {
                pending: record.pending.into(),
                seen: record.seen.into(),
                pause_ms: 0,
                due_ms: None,
                ended: record.ended,
            };
            (record.of, stream)
        });
        StatusUpdates {
            streams: streams.collect(),
            ..StatusUpdates::default()
        }
    }

    /// Takes the keys of everything that has changed.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.changed)
    }

    /// The record of a task's stream; none if there is nothing to tell of it.
    pub(crate) fn record_of(&self, of: &TaskOf) -> Option<Vec<u8>> {
        let stream = self.streams.get(of)?;
        Some(encode(&StreamRecord {
            of: of.clone(),
            pending: stream.pending.iter().cloned().collect(),
            seen: stream.seen.iter().copied().collect(),
            ended: stream.ended,
        }))
    }

    /// Whether an update is known, so that its executor only has to be told once more.
    pub(crate) fn is_known(&self, of: &TaskOf, update_id: UpdateId) -> bool {
        self.streams
            .get(of)
            .is_some_and(|stream| stream.seen.contains(&update_id))
    }

    /// Whether there is anything to tell of a task.
    pub(crate) fn has(&self, of: &TaskOf) -> bool {
        self.streams.contains_key(of)
    }

    /// The framework has seen an update; none when that is not the one it was sent.
    pub(crate) fn acknowledge(
        &mut self,
        of: &TaskOf,
        update_id: UpdateId,
        now_ms: u64,
    ) -> Option<Acknowledged> {
        let stream = self.streams.get_mut(of)?;
        if stream.pending.front()?.update_id != Some(update_id) {
            return None;
        }
        let status = stream.pending.pop_front()?;
        self.changed.insert(Key::Stream(of.clone()));
        if let Some(due_ms) = stream.due_ms.take() {
            self.due.remove(&(due_ms, of.clone()));
        }
        if status.state.is_terminal() {
            self.streams.remove(of);
            return Some(Acknowledged {
                ended: true,
                next: None,
            });
        }
        let next = self.send(of, RETRY_MIN_MS, now_ms);
        Some(Acknowledged { ended: false, next })
    }

    /// The first update of a task that is not acknowledged.
    pub(crate) fn front(&self, of: &TaskOf) -> Option<&TaskStatus> {
        self.streams.get(of)?.pending.front()
    }

    /// The tasks of which something is not acknowledged.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = &TaskOf> {
        let waiting = self.streams.iter();
        let waiting = waiting.filter(|(_, stream)| !stream.pending.is_empty());
        waiting.map(|(of, _)| of)
    }

    /// There is no master: nothing is sent any more.
    pub(crate) fn pause(&mut self) {
        self.sending = false;
        self.due.clear();
        for stream in self.streams.values_mut() {
            stream.due_ms = None;
        }
    }

    /// There is a master: all that waits to be acknowledged is sent.
    pub(crate) fn resume(&mut self, now_ms: u64) -> Vec<Forward> {
        self.pause(); // forgets when things were to be sent to the master before
        self.sending = true;
        let waiting = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.pending.is_empty());
        let waiting: Vec<_> = waiting.map(|(of, _)| of.clone()).collect();
        waiting
            .iter()
            .filter_map(|of| self.send(of, RETRY_MIN_MS, now_ms))
            .collect()
    }

    /// When something is to be sent again.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// What is to be sent again by now.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<Forward> {
        let mut forwards = Vec::new();
        while self.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            let Some((_, of)) = self.due.pop_first() else {
                break;
            };
            let pause_ms = self.streams.get(&of).map_or(0, |stream| stream.pause_ms);
            forwards.extend(self.send(&of, pause_ms.saturating_mul(2).min(RETRY_MAX_MS), now_ms));
        }
        forwards
    }

    /// Forgets all of a framework that is gone.
    pub(crate) fn forget_framework(&mut self, framework_id: &FrameworkId) {
        let streams = std::mem::take(&mut self.streams);
        let (gone, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = streams
            .into_iter()
            .partition(|(of, _)| of.framework_id == *framework_id);
        self.streams = rest;
        self.changed.extend(gone.into_keys().map(Key::Stream));
        self.due.retain(|(_, of)| of.framework_id != *framework_id);
    }

    fn send(&mut self, of: &TaskOf, pause_ms: u64, now_ms: u64) -> Option<Forward> {
        if !self.sending {
            return None;
        }
        let stream = self.streams.get_mut(of)?;
        let status = stream.pending.front()?.clone();
        let latest = stream.pending.back()?.state;
        let due_ms = now_ms.saturating_add(pause_ms);
        (stream.pause_ms, stream.due_ms) = (pause_ms, Some(due_ms));
        self.due.insert((due_ms, of.clone()));
        Some(Forward {
            framework_id: of.framework_id.clone(),
            status,
            latest,
        })
    }
}

#[cfg(test)]
mod tests;
