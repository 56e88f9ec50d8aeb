//! The frames of a connection: a length, a kind, and a body that depends on the kind.
//!
//! Numbers are little endian. Ids and message names travel once a connection: a frame defines a
//! number for them, later frames use the number.

use std::str;

use crate::pid::ID_MAX;

/// Largest frame, in bytes: a letter beyond it is refused where it is sent.
pub(crate) const FRAME_MAX: usize = 16 << 20;
/// Most processes of a side that a connection has numbers for; then all are forgotten, and begun
/// anew.
pub(crate) const TABLE_MAX: usize = 1 << 16;
/// Most message names that a connection has numbers for: programs have some hundreds.
pub(crate) const NAMES_MAX: usize = 1 << 12;
/// Bytes of the length that opens a frame.
pub(crate) const LENGTH: usize = 4;
/// Bytes of the length and the kind.
pub(crate) const HEAD: usize = LENGTH + 1;
/// Stands for "sent from outside any process".
pub(crate) const NOBODY: u32 = u32::MAX;
/// Bytes of the ordered lane that may be under way before the receiver says that it took them in.
/// A frame may begin within it and end beyond.
pub(crate) const WINDOW: usize = 8 << 20;
/// Bytes after which the receiver says so.
pub(crate) const WINDOW_STEP: usize = WINDOW / 8;

/// The kinds of frames, as their numbers on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Defines the next number for a process of the receiver.
    To = 1,
    /// Defines the next number for a process of the sender.
    From = 2,
    /// Defines the next number for a message name.
    Name = 3,
    Letter = 4,
    Ask = 5,
    Reply = 6,
    /// An ask that has no answer, in its place among what its process sent.
    Failed = 7,
    Link = 8,
    Unlink = 9,
    Exited = 10,
    Ping = 11,
    Pong = 12,
    /// Forgets every number defined on this side.
    Forget = 13,
    /// An ask that reached no process, or was not sent on: said at once.
    Refused = 14,
    /// How many bytes of the ordered lane the sender of this frame has taken in so far.
    Consumed = 15,
    /// The trace that the letter or ask in the next frame belongs to.
    Trace = 16,
}

impl Kind {
    /// Whether frames of this kind pass those that wait: they never wait for a mailbox, are not
    /// counted against [`WINDOW`], and have no order with letters to keep.
    pub(crate) fn is_control(self) -> bool {
        matches!(
            self,
            Kind::Link | Kind::Unlink | Kind::Ping | Kind::Pong | Kind::Refused | Kind::Consumed
        )
    }

    fn of(number: u8) -> Result<Kind, BadFrame> {
        Ok(match number {
            1 => Kind::To,
            2 => Kind::From,
            3 => Kind::Name,
            4 => Kind::Letter,
            5 => Kind::Ask,
            6 => Kind::Reply,
            7 => Kind::Failed,
            8 => Kind::Link,
            9 => Kind::Unlink,
            10 => Kind::Exited,
            11 => Kind::Ping,
            12 => Kind::Pong,
            13 => Kind::Forget,
            14 => Kind::Refused,
            15 => Kind::Consumed,
            16 => Kind::Trace,
            kind => return Err(BadFrame::Kind(kind)),
        })
    }
}

/// A frame as it was read, borrowing from the read buffer.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    /// How many bytes it took on the wire.
    pub(crate) fn length(&self) -> usize {
        HEAD + self.body.len()
    }
}

/// What a letter and an ask begin with.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) struct Address {
    pub(crate) to: u32,
    pub(crate) from: u32,
    pub(crate) name: u16,
}

/// Why bytes are no frame. The connection that carried them is closed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("a frame ends before its fields do")]
    Short,
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a frame holds an invalid name")]
    Text,
    #[error("a frame uses a number that was not defined")]
    Undefined,
    #[error("more names than a connection may define")]
    TooMany,
    #[error("a peer that does not read what it asks for")]
    Unread,
    #[error("more was sent than the window allows")]
    Window,
}

/// The first whole frame of `bytes`, if there is one.
#[inline]
pub(crate) fn split(bytes: &[u8]) -> Result<Option<Frame<'_>>, BadFrame> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FRAME_MAX {
        return Err(BadFrame::TooLong(length));
    }
    let Some(frame) = rest.get(..length) else {
        return Ok(None);
    };
    let (&kind, body) = frame.split_first().ok_or(BadFrame::Short)?;
    let kind = Kind::of(kind)?;
    Ok(Some(Frame { kind, body }))
}

/// Splits what a letter and an ask begin with off their body.
#[inline]
pub(crate) fn address(body: &[u8]) -> Result<(Address, &[u8]), BadFrame> {
    let ([a, b, c, d, e, f, g, h, i, j], rest) =
        body.split_first_chunk::<10>().ok_or(BadFrame::Short)?;
    let address = Address {
        to: u32::from_le_bytes([*a, *b, *c, *d]),
        from: u32::from_le_bytes([*e, *f, *g, *h]),
        name: u16::from_le_bytes([*i, *j]),
    };
    Ok((address, rest))
}

/// Splits a number off a body.
#[inline]
pub(crate) fn number(body: &[u8]) -> Result<(u64, &[u8]), BadFrame> {
    let (number, rest) = body.split_first_chunk::<8>().ok_or(BadFrame::Short)?;
    Ok((u64::from_le_bytes(*number), rest))
}

/// A body that is an id or a name.
pub(crate) fn text(body: &[u8]) -> Result<&str, BadFrame> {
    if body.len() > ID_MAX {
        return Err(BadFrame::Text);
    }
    str::from_utf8(body).map_err(|_| BadFrame::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn half_a_frame_waits_for_the_rest() {
        let whole = framed(&[8, b'a']);
        for end in 0..whole.len() {
            assert_eq!(split(&whole[..end]), Ok(None));
        }
        let link = Frame {
            kind: Kind::Link,
            body: b"a",
        };
        assert_eq!(split(&whole), Ok(Some(link)));
        assert_eq!(link.length(), whole.len());
    }

    #[test]
    fn a_frame_that_is_none_is_refused() {
        let longest = [255, 255, 255, 255];
        assert_eq!(split(&longest), Err(BadFrame::TooLong(u32::MAX as usize)));
        assert_eq!(split(&framed(&[])), Err(BadFrame::Short));
        assert_eq!(split(&framed(&[0])), Err(BadFrame::Kind(0)));
        assert_eq!(split(&framed(&[99])), Err(BadFrame::Kind(99)));
        assert_eq!(address(&[1, 2]), Err(BadFrame::Short));
        assert_eq!(number(&[1; 7]), Err(BadFrame::Short));
        assert_eq!(text(&[0xff, 0xfe]), Err(BadFrame::Text));
        assert_eq!(text(&[b'x'; ID_MAX + 1]), Err(BadFrame::Text));
    }

    #[test]
    fn the_numbers_of_the_kinds_are_those_of_the_wire() {
        let kinds = (0..=u8::MAX).filter_map(|number| Some((number, Kind::of(number).ok()?)));
        assert!(kinds.clone().all(|(number, kind)| kind as u8 == number));
        assert_eq!(kinds.count(), 16);
    }
}
