//! What waits to be sent to one peer, encoded, with the numbers its connection has defined.

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use super::frame::{FRAME_MAX, Kind, LENGTH, NOBODY, TABLE_MAX};
use crate::link::ExitReason;
use crate::pid::Upid;
use crate::protocol::Wire;

/// Past this many bytes unsent, a `tell` is a counted dead letter and an `ask` fails with `Busy`.
const HIGH_WATER: usize = 16 << 20;

/// Past this many bytes unsent of failures and exits, which are never dropped, nothing more is read
/// from the peer: what it says makes them, and it does not read them.
const OWED_MAX: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct Outbox {
    bytes: BytesMut,
    /// How many of them are failures and exits.
    owed: usize,
    /// Pings and pongs: they pass everything else.
    first: BytesMut,
    to: HashMap<Box<str>, u32>,
    from: HashMap<u64, u32>,
    names: HashMap<&'static str, u16>,
}

/// Why something was not put into the outbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Busy,
    TooLarge,
}

impl Outbox {
    /// Whether there is something to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.first.is_empty()
    }

    /// Whether so much waits that answers are refused.
    pub(crate) fn is_busy(&self) -> bool {
        self.bytes.len() > HIGH_WATER
    }

    /// Whether so much waits that the peer is not to cause more of it.
    pub(crate) fn is_overfull(&self) -> bool {
        self.owed > OWED_MAX
    }

    /// Everything to send, leaving `spare` for what comes next.
    pub(crate) fn take(&mut self, spare: BytesMut) -> BytesMut {
        self.owed = 0;
        if self.first.is_empty() {
            return std::mem::replace(&mut self.bytes, spare);
        }
        let mut out = std::mem::take(&mut self.first);
        out.extend_from_slice(&self.bytes);
        self.bytes.clear();
        out
    }

    /// Adds a message: a plain one, or with a number one that expects an answer.
    pub(crate) fn letter<M: Wire>(
        &mut self,
        to: &Upid,
        from: Option<&Upid>,
        message: &M,
        number: Option<u64>,
    ) -> Result<(), Refused> {
        if self.is_busy() {
            return Err(Refused::Busy);
        }
        self.make_room();
        let to = self.to(to);
        let from = from.map_or(NOBODY, |from| self.from(from));
        let name = self.name(M::NAME);
        let kind = if number.is_some() {
            Kind::Ask
        } else {
            Kind::Letter
        };
        self.frame(kind, |bytes| {
            bytes.put_u32_le(to);
            bytes.put_u32_le(from);
            bytes.put_u16_le(name);
            if let Some(number) = number {
                bytes.put_u64_le(number);
            }
            encode(bytes, message)
        })
    }

    /// Adds the answer to an ask.
    pub(crate) fn reply<T: Serialize>(&mut self, number: u64, value: &T) -> Result<(), Refused> {
        if self.is_busy() {
            return Err(Refused::Busy);
        }
        self.frame(Kind::Reply, |bytes| {
            bytes.put_u64_le(number);
            encode(bytes, value)
        })
    }

    pub(crate) fn failed(&mut self, number: u64, error: &crate::AskError) {
        let before = self.bytes.len();
        // Never refused: an error is a few bytes.
        let _ = self.frame(Kind::Failed, |bytes| {
            bytes.put_u64_le(number);
            encode(bytes, error)
        });
        self.owed += self.bytes.len() - before;
    }

    pub(crate) fn exited(&mut self, id: &str, reason: &ExitReason) {
        let text: ExitReason = match reason {
            ExitReason::Panicked(text) => ExitReason::Panicked(text.chars().take(1000).collect()),
            ExitReason::Stopped
            | ExitReason::NoProcess
            | ExitReason::Disconnected
            | ExitReason::Unreachable
            | ExitReason::Denied(_) => reason.clone(),
        };
        let before = self.bytes.len();
        // Never refused: the only text in it was cut above.
        let _ = self.frame(Kind::Exited, |bytes| encode(bytes, &(id, text)));
        self.owed += self.bytes.len() - before;
    }

    pub(crate) fn link(&mut self, id: &str) {
        self.text(Kind::Link, id);
    }

    pub(crate) fn unlink(&mut self, id: &str) {
        self.text(Kind::Unlink, id);
    }

    pub(crate) fn beat(&mut self, kind: Kind) {
        // One says as much as several.
        if self
            .first
            .chunks(LENGTH + 1)
            .any(|beat| beat.last() == Some(&(kind as u8)))
        {
            return;
        }
        self.first.put_u32_le(1);
        self.first.put_u8(kind as u8);
    }

    fn to(&mut self, to: &Upid) -> u32 {
        if let Some(&number) = self.to.get(to.id()) {
            return number;
        }
        let number = self.to.len() as u32;
        self.to.insert(to.id().into(), number);
        self.text(Kind::To, to.id());
        number
    }

    fn from(&mut self, from: &Upid) -> u32 {
        // Only processes of this node send: each has its handle.
        let Some(at) = from.hint() else { return NOBODY };
        if let Some(&number) = self.from.get(&at.pack()) {
            return number;
        }
        let number = self.from.len() as u32;
        self.from.insert(at.pack(), number);
        self.text(Kind::From, from.id());
        number
    }

    fn name(&mut self, name: &'static str) -> u16 {
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let number = self.names.len() as u16;
        self.names.insert(name, number);
        self.text(Kind::Name, name);
        number
    }

    /// Forgets all numbers when a table is full: before any number of a letter is chosen.
    fn make_room(&mut self) {
        if self.to.len() < TABLE_MAX && self.from.len() < TABLE_MAX {
            return;
        }
        self.to.clear();
        self.from.clear();
        self.names.clear();
        let _ = self.frame(Kind::Forget, |_| Ok(()));
    }

    fn text(&mut self, kind: Kind, text: &str) {
        // Never refused: ids and names are shorter than a frame.
        let _ = self.frame(kind, |bytes| {
            bytes.put_slice(text.as_bytes());
            Ok(())
        });
    }

    fn frame(
        &mut self,
        kind: Kind,
        fill: impl FnOnce(&mut BytesMut) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let start = self.bytes.len();
        self.bytes.put_u32_le(0);
        self.bytes.put_u8(kind as u8);
        let filled = fill(&mut self.bytes);
        let length = self.bytes.len() - start - LENGTH;
        if filled.is_err() || length > FRAME_MAX {
            self.bytes.truncate(start);
            return Err(Refused::TooLarge);
        }
        self.bytes[start..start + LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
        Ok(())
    }
}

/// Writes `value` with its field names, so that fields can be added later.
fn encode<T: Serialize>(bytes: &mut BytesMut, value: &T) -> Result<(), Refused> {
    rmp_serde::encode::write_named(&mut bytes.writer(), value).map_err(|_| Refused::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_reads_nothing_is_refused_answers_and_one_beat_is_enough() {
        let mut outbox = Outbox::default();
        let page = "x".repeat(1 << 20);
        let taken = (0..100)
            .take_while(|number| outbox.reply(*number, &page).is_ok())
            .count();
        assert!(taken > 0 && taken < 20, "{taken} answers of a mebibyte");
        assert!(outbox.is_busy() && !outbox.is_overfull());
        while !outbox.is_overfull() {
            outbox.failed(1, &crate::AskError::Busy);
        }
        for kind in [Kind::Pong, Kind::Ping, Kind::Pong, Kind::Ping] {
            outbox.beat(kind);
        }
        assert_eq!(outbox.first.len(), 2 * (LENGTH + 1));
        outbox.take(BytesMut::new());
        assert!(!outbox.is_busy() && !outbox.is_overfull());
        assert_eq!(outbox.reply(1, &page), Ok(()));
    }
}
