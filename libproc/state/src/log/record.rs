//! What is in the entries of the log.
//!
//! An entry is a piece of a message: `magic, format, kind, session (8 + 16 bytes), message (8),
//! index (4)`, numbers in little endian, and then data. Pieces of a message count from zero, and
//! the last makes it count. Messages are MessagePack.

use bytes::{BufMut as _, Bytes, BytesMut};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Version;

const MAGIC: u8 = b'S';
const FORMAT: u8 = 1;

/// Bytes of a piece beside its data.
pub(super) const HEADER: usize = 3 + 8 + 16 + 8 + 4;

/// A time in which one writer writes. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct SessionId {
    number: u64,
    salt: Uuid,
}

impl SessionId {
    /// One that is later than this.
    pub(super) fn after(before: Option<SessionId>) -> SessionId {
        SessionId {
            number: before.map_or(0, |before| before.number) + 1,
            salt: Uuid::from_u128(libproc::env::rng().random()),
        }
    }
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From here on, nothing of sessions before counts.
    Begin,
    /// More of the message is to come.
    More,
    /// The message is complete.
    Last,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) session: SessionId,
    /// Which message of the session.
    pub(super) message: u64,
    /// Which piece of the message.
    pub(super) index: u32,
    pub(super) data: Bytes,
}

impl Piece {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + self.data.len());
        bytes.put_u8(MAGIC);
        bytes.put_u8(FORMAT);
        bytes.put_u8(match self.kind {
            Kind::Begin => 0,
            Kind::More => 1,
            Kind::Last => 2,
        });
        bytes.put_u64_le(self.session.number);
        bytes.put_slice(self.session.salt.as_bytes());
        bytes.put_u64_le(self.message);
        bytes.put_u32_le(self.index);
        bytes.put_slice(&self.data);
        bytes.freeze()
    }

    /// Reads what [`encode`](Piece::encode) wrote.
    pub(super) fn decode(bytes: &Bytes) -> Result<Piece, String> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or("it is too short")?;
        let [magic, format, kind, rest @ ..] = header;
        if *magic != MAGIC {
            return Err("it is not from a state".to_owned());
        }
        if *format != FORMAT {
            return Err(format!(
                "its format is {format}, and only {FORMAT} is known"
            ));
        }
        let kind = match kind {
            0 => Kind::Begin,
            1 => Kind::More,
            2 => Kind::Last,
            other => return Err(format!("there is no kind {other}")),
        };
        let [n0, n1, n2, n3, n4, n5, n6, n7, rest @ ..] = rest;
        let (salt, rest) = rest.split_first_chunk::<16>().ok_or("it is too short")?;
        let (message, index) = rest.split_first_chunk::<8>().ok_or("it is too short")?;
        let index = index.first_chunk::<4>().ok_or("it is too short")?;
        let number = u64::from_le_bytes([*n0, *n1, *n2, *n3, *n4, *n5, *n6, *n7]);
        let salt = Uuid::from_bytes(*salt);
        Ok(Piece {
            kind,
            session: SessionId { number, salt },
            message: u64::from_le_bytes(*message),
            index: u32::from_le_bytes(*index),
            data: bytes.slice(HEADER..),
        })
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Message {
    /// A commit: all of it if all of it finds the versions it expects, or nothing.
    Changes(Vec<Logged>),
    /// Some of the variables, as they were when everything up to `at` was applied.
    Saved { at: u64, entries: Vec<Saved> },
    /// That was all of them.
    Checkpoint {
        at: u64,
        /// Nothing before this position is needed any more.
        begin: u64,
        /// How many variables there were.
        count: u64,
        /// What had been the last session that began.
        session: Option<SessionId>,
    },
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Logged {
    Set {
        name: String,
        expected: Option<Version>,
        version: Version,
        value: Value,
    },
    Expunge {
        name: String,
        expected: Version,
    },
    Check {
        name: String,
        expected: Option<Version>,
    },
}

impl Logged {
    /// The variable, and the version it must have.
    pub(super) fn expects(&self) -> (&str, Option<Version>) {
        match self {
            Logged::Set { name, expected, .. } | Logged::Check { name, expected } => {
                (name, *expected)
            }
            Logged::Expunge { name, expected } => (name, Some(*expected)),
        }
    }
}

/// A value that a variable gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Value {
    Whole(Bytes),
    /// What is to be done with the value of the expected version.
    Delta {
        edits: Bytes,
        /// CRC-32 of what comes out.
        crc: u32,
    },
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) value: Bytes,
}

impl Message {
    pub(super) fn encode(&self) -> Bytes {
        let encoded = rmp_serde::to_vec(self);
        encoded.expect("plain data can be written to memory").into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Message, String> {
        rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_piece_is_read_as_it_was_written() {
        let piece = Piece {
            kind: Kind::More,
            session: SessionId::after(None),
            message: 7,
            index: 3,
            data: Bytes::from_static(b"data"),
        };
        let encoded = piece.encode();
        assert_eq!(encoded.len(), HEADER + 4);
        assert_eq!(Piece::decode(&encoded).unwrap(), piece);
        for short in 0..HEADER {
            assert!(Piece::decode(&encoded.slice(..short)).is_err());
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let set = Logged::Set {
            name: "a".to_owned(),
            expected: Some(Version::fresh()),
            version: Version::fresh(),
            value: Value::Whole(Bytes::from_static(b"value")),
        };
        let message = Message::Changes(vec![set]);
        assert_eq!(Message::decode(&message.encode()).unwrap(), message);
    }

    proptest! {
        #[test]
        fn anything_else_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            // Neither panics; what happens to be a message is one.
            drop(Piece::decode(&bytes));
            drop(Message::decode(&bytes));
        }
    }
}
