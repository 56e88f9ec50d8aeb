//! Looking inside: processes, and letters that came to nothing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Node;
use crate::dead::DeadReason;
use crate::http::RouteList;
use crate::http::introspection::{LETTERS_SEEN, OnePage, ProcessPage, State};
use crate::letter::Letter;
use crate::metrics::Metrics;
use crate::pid::Upid;
use crate::protocol::MessageInfo;
use crate::table::{Mailbox, Slot};
use crate::transport::PeerLook;

impl Node {
    /// How many letters could not be delivered, by reason.
    pub fn dead_letters(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        self.0.dead.by_reason()
    }

    /// How many processes live here.
    pub fn process_count(&self) -> u64 {
        self.0.living.load(Ordering::SeqCst)
    }

    /// Registers metrics of this node; those of a process go through
    /// [`Context::metrics`](crate::Context::metrics).
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.0.metrics.clone(), None)
    }

    pub(crate) fn peer_looks(&self) -> Vec<PeerLook> {
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        peers.iter().map(|peer| peer.look()).collect()
    }

    /// The processes in this part of the table whose ids begin with `prefix`.
    pub(crate) fn pages(
        &self,
        part: Range<u32>,
        prefix: &str,
    ) -> impl Iterator<Item = ProcessPage> {
        self.slots(part).filter_map(move |slot| {
            let mailbox = slot.0.lock();
            let upid = mailbox.upid.as_ref()?;
            upid.id()
                .starts_with(prefix)
                .then(|| self.describe(&mailbox, upid))
        })
    }

    /// The process `id`, and what waits for it.
    pub(crate) fn page(&self, id: &str) -> Option<OnePage> {
        let at = self.find(id)?;
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        let upid = mailbox.upid.as_ref().filter(|upid| upid.id() == id)?;
        let mut waiting = BTreeMap::new();
        for letter in mailbox.queue.iter().take(LETTERS_SEEN) {
            *waiting.entry(letter.name(mailbox.messages)).or_default() += 1;
        }
        Some(OnePage {
            process: self.describe(&mailbox, upid),
            accepts: names(mailbox.messages),
            waiting,
            waiting_unseen: mailbox.queue.len().saturating_sub(LETTERS_SEEN),
        })
    }

    /// The kind of the process `id`, and the names of the messages it accepts.
    pub(crate) fn kind(&self, id: &str) -> Option<(&'static str, Vec<&'static str>)> {
        let mailbox = self.0.table.slot(self.find(id)?.index)?.0.lock();
        Some((mailbox.kind, names(mailbox.messages)))
    }

    /// What lists the routes of the process `id`; none while it is being run.
    pub(crate) fn route_list(&self, id: &str) -> Option<RouteList> {
        let mailbox = self.0.table.slot(self.find(id)?.index)?.0.lock();
        mailbox.body.as_ref().map(|body| body.route_list())
    }

    /// Ids, kinds and [`route_list`](Node::route_list)s of the processes in this part of the table.
    pub(crate) fn route_lists(
        &self,
        part: Range<u32>,
    ) -> impl Iterator<Item = (String, &'static str, Option<RouteList>)> {
        self.slots(part).filter_map(|slot| {
            let mailbox = slot.0.lock();
            let id = mailbox.upid.as_ref()?.id().to_owned();
            let list = mailbox.body.as_ref().map(|body| body.route_list());
            Some((id, mailbox.kind, list))
        })
    }

    fn slots(&self, part: Range<u32>) -> impl Iterator<Item = &Slot> {
        part.filter_map(|index| self.0.table.slot(index))
    }

    fn describe(&self, mailbox: &Mailbox, upid: &Upid) -> ProcessPage {
        ProcessPage {
            id: upid.id().to_owned(),
            kind: mailbox.kind,
            state: match mailbox {
                Mailbox { alive: false, .. } => State::Ending,
                Mailbox { body: None, .. } => State::Running,
                Mailbox {
                    scheduled: true, ..
                } => State::Queued,
                Mailbox { .. } => State::Idle,
            },
            mailbox: mailbox.queue.len(),
            capacity: mailbox.capacity,
            handled: mailbox.handled,
            busy_ns: busy_ns(mailbox),
            links: mailbox.body.as_ref().map(|body| body.link_count()),
            watchers: mailbox.watchers.len(),
            age_s: (self.uptime().as_secs() as u32).saturating_sub(mailbox.born_s),
        }
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

/// Time the process has spent on letters: not taken yet.
fn busy_ns(_: &Mailbox) -> u64 {
    0
}

fn names(messages: &[MessageInfo]) -> Vec<&'static str> {
    messages.iter().map(|message| message.name).collect()
}
