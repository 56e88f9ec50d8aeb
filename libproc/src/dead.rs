//! Dead letters: what could not be delivered, counted by reason and never silent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Why a letter was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum DeadReason {
    /// Nobody lives at the address, or it exited before its turn came.
    NoProcess,
    /// The mailbox was full.
    MailboxFull,
    /// Too much waits to be sent to that node already.
    PeerBusy,
    /// The node could not be reached, or the connection broke with the letter unsent.
    Unreachable,
    /// The process speaks another protocol.
    NotAccepted,
    /// The body did not decode.
    Undecodable,
    /// The letter is larger than a frame may be.
    TooLarge,
}

const REASONS: [DeadReason; 7] = [
    DeadReason::NoProcess,
    DeadReason::MailboxFull,
    DeadReason::PeerBusy,
    DeadReason::Unreachable,
    DeadReason::NotAccepted,
    DeadReason::Undecodable,
    DeadReason::TooLarge,
];

/// The dead letters of a node, by reason.
#[derive(Default)]
pub(crate) struct DeadLetters([AtomicU64; REASONS.len()]);

impl DeadLetters {
    pub(crate) fn add(&self, reason: DeadReason, count: u64) {
        self.0[reason as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn count(&self, reason: DeadReason) -> u64 {
        self.0[reason as usize].load(Relaxed)
    }

    pub(crate) fn by_reason(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        REASONS.iter().map(|&reason| (reason, self.count(reason)))
    }
}
