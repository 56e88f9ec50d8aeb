//! Dead letters: what could not be delivered, counted by reason and never silent.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::letter::Sender;
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::protocol::Wire;

/// Most processes that are told of a node's dead letters.
const OFFICES_MAX: usize = 16;

crate::protocol! {
    /// What a process accepts that is told of [dead letters](Node::report_dead_letters).
    pub protocol DeadLetterOffice {
        /// `message` of `from`, sent from outside any process where there is none, did not reach
        /// `to`.
        message DeadLetter {
            reason: DeadReason,
            to: Upid,
            from: Option<Upid>,
            message: String,
        };
    }
}

/// Why a letter was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DeadReason {
    /// Nobody lives at the address, or it exited before its turn came.
    NoProcess,
    /// The mailbox was full.
    MailboxFull,
    /// Too much waits to be sent to that node already.
    PeerBusy,
    /// No connection to the node came to be.
    Unreachable,
    /// The process speaks another protocol.
    NotAccepted,
    /// The body did not decode.
    Undecodable,
    /// The letter is larger than a frame may be.
    TooLarge,
    /// The connection broke while the letter waited: to be sent, or where it came to, for room in a
    /// mailbox.
    Disconnected,
}

const REASONS: [DeadReason; 8] = [
    DeadReason::NoProcess,
    DeadReason::MailboxFull,
    DeadReason::PeerBusy,
    DeadReason::Unreachable,
    DeadReason::NotAccepted,
    DeadReason::Undecodable,
    DeadReason::TooLarge,
    DeadReason::Disconnected,
];

/// The dead letters of a node: counted by reason, and reported where somebody listens.
#[derive(Default)]
pub(crate) struct DeadLetters {
    counts: [AtomicU64; REASONS.len()],
    offices: Mutex<Vec<Pid<DeadLetterOffice>>>,
    reported: AtomicBool,
}

impl DeadLetters {
    pub(crate) fn add(&self, reason: DeadReason, count: u64) {
        self.counts[reason as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn count(&self, reason: DeadReason) -> u64 {
        self.counts[reason as usize].load(Relaxed)
    }

    pub(crate) fn by_reason(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        REASONS.iter().map(|&reason| (reason, self.count(reason)))
    }
}

impl Node {
    /// How many letters could not be delivered, by reason.
    pub fn dead_letters(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        self.dead_office().by_reason()
    }

    /// Sends every dead letter of this node to `office` as well, until that is gone.
    ///
    /// What an office cannot take in is counted, like any other dead letter, and not reported
    /// again. Of at most sixteen offices the newest are told.
    pub fn report_dead_letters(&self, office: &Pid<DeadLetterOffice>) {
        let dead = self.dead_office();
        let mut offices = dead.offices.lock();
        offices.retain(|other| other != office);
        offices.push(office.clone());
        if offices.len() > OFFICES_MAX {
            offices.remove(0);
        }
        dead.reported.store(true, Relaxed);
    }

    /// Ends what [`report_dead_letters`](Node::report_dead_letters) began.
    pub fn stop_reporting_dead_letters(&self, office: &Pid<DeadLetterOffice>) {
        let dead = self.dead_office();
        let mut offices = dead.offices.lock();
        offices.retain(|other| other != office);
        dead.reported.store(!offices.is_empty(), Relaxed);
    }

    /// Counts a letter that came to nothing, and reports it to whoever listens.
    pub(crate) fn dead(&self, reason: DeadReason, to: &Upid, from: Option<&Upid>, message: &str) {
        self.dead_office().add(reason, 1);
        self.report(reason, to, from, message);
    }

    /// As [`dead`](Node::dead), for letters to an id of this node.
    pub(crate) fn dead_here(&self, reason: DeadReason, id: &str, from: &Sender, message: &str) {
        self.dead_office().add(reason, 1);
        self.report_here(reason, id, from, message);
    }

    /// Reports a letter to an id of this node that is counted elsewhere.
    pub(crate) fn report_here(&self, reason: DeadReason, id: &str, from: &Sender, message: &str) {
        if self.reports_dead() {
            let to = Upid::elsewhere(id, self.address());
            self.report(reason, &to, self.upid_of(from).as_ref(), message);
        }
    }

    /// Whether somebody is told of dead letters.
    pub(crate) fn reports_dead(&self) -> bool {
        self.dead_office().reported.load(Relaxed)
    }

    /// Reports a letter that is counted elsewhere.
    pub(crate) fn report(&self, reason: DeadReason, to: &Upid, from: Option<&Upid>, message: &str) {
        let dead = self.dead_office();
        if !dead.reported.load(Relaxed) || message == DeadLetter::NAME {
            return;
        }
        tracing::debug!(?reason, %to, ?from, message, "dead letter");
        let offices = dead.offices.lock().clone();
        for office in offices {
            if self.is_gone(office.upid()) {
                self.stop_reporting_dead_letters(&office);
                continue;
            }
            let report = DeadLetter {
                reason,
                to: to.clone(),
                from: from.cloned(),
                message: message.to_owned(),
            };
            self.tell(&office, report);
        }
    }
}
