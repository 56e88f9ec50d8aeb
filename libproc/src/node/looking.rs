//! Looking inside: processes, and letters that came to nothing.

use std::sync::atomic::Ordering;

use super::Node;
use crate::dead::DeadReason;
use crate::http::introspection::{self, ProcessPage};
use crate::letter::Letter;
use crate::table::Slot;

impl Node {
    /// How many letters could not be delivered, by reason.
    pub fn dead_letters(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        self.0.dead.by_reason()
    }

    /// How many processes live here.
    pub fn process_count(&self) -> u64 {
        self.0.living.load(Ordering::SeqCst)
    }

    /// The numbers that the node shows of itself as `/metrics/snapshot`, by name.
    pub fn readings(&self) -> Vec<(String, u64)> {
        introspection::values(self)
    }

    pub(crate) fn pages(&self) -> Vec<ProcessPage> {
        let page = |(_, slot): (u32, &Slot)| {
            let mailbox = slot.0.lock();
            Some(ProcessPage {
                id: mailbox.upid.as_ref()?.id().to_owned(),
                kind: mailbox.kind,
                mailbox: mailbox.queue.len(),
                handled: mailbox.handled,
                scheduled: mailbox.scheduled,
                watchers: mailbox.watchers.len(),
                links: mailbox.body.as_ref().map(|body| body.link_count()),
            })
        };
        self.0.table.slots().filter_map(page).collect()
    }

    pub(crate) fn dead(&self, reason: DeadReason, count: u64) {
        self.0.dead.add(reason, count);
    }

    /// Drops letters; whoever waits for an answer to one is told.
    pub(crate) fn refuse_all(&self, reason: DeadReason, letters: impl Iterator<Item = Letter>) {
        let messages = letters
            .filter(|letter| matches!(letter, Letter::Message { .. }))
            .count();
        if messages > 0 {
            self.dead(reason, messages as u64);
        }
    }
}
