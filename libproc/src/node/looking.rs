//! Looking inside: the processes there are.

use std::sync::atomic::Ordering;

use super::Node;
use crate::http::introspection::ProcessPage;
use crate::table::Slot;

impl Node {
    /// How many processes live here.
    pub fn process_count(&self) -> u64 {
        self.0.living.load(Ordering::SeqCst)
    }

    pub(crate) fn pages(&self) -> Vec<ProcessPage> {
        let page = |(_, slot): (u32, &Slot)| {
            let mailbox = slot.0.lock();
            if !mailbox.alive {
                return None;
            }
            Some(ProcessPage {
                id: mailbox.upid.as_ref()?.id().to_owned(),
                kind: mailbox.kind.map_or("", |kind| (kind.name)()),
                mailbox: mailbox.len(),
                handled: mailbox.lane.as_ref().map_or(0, |lane| lane.handled()),
                scheduled: mailbox.scheduled,
                watchers: mailbox
                    .waiting
                    .as_ref()
                    .map_or(0, |waiting| waiting.watchers.len()),
                links: mailbox.body.as_ref().map(|body| body.link_count()),
            })
        };
        self.0.table.slots().filter_map(page).collect()
    }
}
