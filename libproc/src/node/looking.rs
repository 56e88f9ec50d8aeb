//! Looking inside: the processes there are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Node;
use crate::http::RouteList;
use crate::http::introspection::{LETTERS_SEEN, OnePage, ProcessPage, State};
use crate::metrics::{self, Metrics};
use crate::pid::Upid;
use crate::table::{Mailbox, Slot};
use crate::transport::{Backlog, PeerLook};

impl Node {
    /// How many processes live here.
    pub fn process_count(&self) -> u64 {
        self.0.living.load(Ordering::SeqCst)
    }

    /// The numbers that the node shows of itself as `/metrics/snapshot`, by name; not those that
    /// were [registered](Node::metrics).
    pub fn readings(&self) -> BTreeMap<String, serde_json::Number> {
        metrics::snapshot::flat(&metrics::node::readings(self, ""))
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

    /// What waits between this node and each of its peers, by address.
    pub fn backlogs(&self) -> Vec<Backlog> {
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        peers.iter().map(|peer| peer.backlog()).collect()
    }

    /// The processes in this part of the table whose ids begin with `prefix`.
    pub(crate) fn pages(
        &self,
        part: Range<u32>,
        prefix: &str,
    ) -> impl Iterator<Item = ProcessPage> {
        self.slots(part).filter_map(move |slot| {
            let mailbox = slot.0.lock();
            let upid = living(&mailbox)?;
            upid.id()
                .starts_with(prefix)
                .then(|| self.describe(&mailbox, upid))
        })
    }

    /// The process `id`, and what waits for it.
    pub(crate) fn page(&self, id: &str) -> Option<OnePage> {
        let at = self.find(id)?;
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        let upid = living(&mailbox).filter(|upid| upid.id() == id)?;
        let mut waiting = BTreeMap::new();
        let lane = mailbox.lane.as_ref();
        for name in lane.map_or_else(Vec::new, |lane| lane.waiting(LETTERS_SEEN)) {
            *waiting.entry(name).or_default() += 1;
        }
        Some(OnePage {
            process: self.describe(&mailbox, upid),
            accepts: names(&mailbox),
            waiting,
            waiting_unseen: mailbox.len().saturating_sub(LETTERS_SEEN),
        })
    }

    /// The kind of the process `id`, and the names of the messages it accepts.
    pub(crate) fn kind(&self, id: &str) -> Option<(&'static str, Vec<&'static str>)> {
        let mailbox = self.0.table.slot(self.find(id)?.index)?.0.lock();
        Some((kind_of(&mailbox), names(&mailbox)))
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
            let id = living(&mailbox)?.id().to_owned();
            let list = mailbox.body.as_ref().map(|body| body.route_list());
            Some((id, kind_of(&mailbox), list))
        })
    }

    fn slots(&self, part: Range<u32>) -> impl Iterator<Item = &Slot> {
        part.filter_map(|index| self.0.table.slot(index))
    }

    fn describe(&self, mailbox: &Mailbox, upid: &Upid) -> ProcessPage {
        ProcessPage {
            id: upid.id().to_owned(),
            kind: kind_of(mailbox),
            state: match mailbox {
                Mailbox { alive: false, .. } => State::Ending,
                // The body of a pinned one is with its worker, also while nobody runs it.
                Mailbox {
                    body: None,
                    pinned: 0,
                    ..
                } => State::Running,
                Mailbox {
                    scheduled: true, ..
                } => State::Queued,
                Mailbox { .. } => State::Idle,
            },
            mailbox: mailbox.len(),
            capacity: mailbox.kind.map_or(0, |kind| kind.capacity),
            handled: mailbox.handled,
            busy_ns: mailbox.busy_ns,
            links: mailbox.body.as_ref().map(|body| body.link_count()),
            watchers: mailbox.waiting.watcher_count(),
            age_s: (self.uptime().as_secs() as u32).saturating_sub(mailbox.born_s),
        }
    }
}

/// The address of the process in a slot, if one lives there.
fn living(mailbox: &Mailbox) -> Option<&Upid> {
    mailbox.upid.as_ref().filter(|_| mailbox.alive)
}

fn kind_of(mailbox: &Mailbox) -> &'static str {
    mailbox.kind.map_or("", |kind| (kind.name)())
}

fn names(mailbox: &Mailbox) -> Vec<&'static str> {
    let messages = mailbox.kind.map_or(&[][..], |kind| kind.messages);
    messages.iter().map(|message| message.name).collect()
}
