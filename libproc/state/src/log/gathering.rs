//! Messages that are not complete yet: their pieces, as the log has had them so far.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use replog::Position;

use super::COMMIT_MAX;
use super::record::{Kind, Piece};

/// Bytes of messages that are incomplete, at most: no writer has more under way. Beyond, what
/// comes does not count.
const GATHERED_MAX: usize = 2 * COMMIT_MAX;

/// The incomplete messages of a session, by their numbers.
#[derive(Default)]
pub(super) struct Gathering {
    messages: BTreeMap<u64, Pieces>,
    bytes: usize,
}

/// Pieces of one message, from the first on.
struct Pieces {
    /// Where the first of them is.
    first: Position,
    data: Vec<Bytes>,
}

impl Gathering {
    /// Adds a piece; the message, if it is complete now.
    pub(super) fn add(&mut self, position: Position, piece: Piece) -> Option<Bytes> {
        let Piece {
            kind,
            message,
            index,
            data,
            ..
        } = piece;
        match (kind, index) {
            (Kind::Begin, _) => return None,
            (Kind::Last, 0) => return Some(data),
            (Kind::More | Kind::Last, _) => {}
        }
        let mut pieces = match index {
            0 => {
                self.give_up(message); // begun twice
                Pieces {
                    first: position,
                    data: Vec::new(),
                }
            }
            _ => self.messages.remove(&message)?,
        };
        if pieces.data.len() != index as usize || self.bytes + data.len() > GATHERED_MAX {
            self.bytes -= pieces.bytes();
            return None;
        }
        self.bytes += data.len();
        pieces.data.push(data);
        match kind {
            Kind::Last => {
                self.bytes -= pieces.bytes();
                Some(pieces.join())
            }
            Kind::Begin | Kind::More => {
                self.messages.insert(message, pieces);
                None
            }
        }
    }

    /// The first position that a message needs of which more is to come.
    pub(super) fn first(&self) -> Option<Position> {
        self.messages.values().map(|pieces| pieces.first).min()
    }

    /// Forgets the pieces of a message.
    pub(super) fn give_up(&mut self, message: u64) {
        if let Some(pieces) = self.messages.remove(&message) {
            self.bytes -= pieces.bytes();
        }
    }

    /// Forgets messages of which pieces were before `begin`.
    pub(super) fn forget_before(&mut self, begin: Position) {
        self.messages.retain(|_, pieces| pieces.first >= begin);
        self.bytes = self.messages.values().map(Pieces::bytes).sum();
    }
}

impl Pieces {
    fn bytes(&self) -> usize {
        self.data.iter().map(Bytes::len).sum()
    }

    fn join(self) -> Bytes {
        let mut joined = BytesMut::with_capacity(self.bytes());
        for piece in &self.data {
            joined.extend_from_slice(piece);
        }
        joined.freeze()
    }
}
