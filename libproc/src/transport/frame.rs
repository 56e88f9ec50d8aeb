//! The frames of a connection: a length, a kind, and a body that depends on the kind.
//!
//! Numbers are little endian. Ids and message names travel once a connection: a frame defines a
//! number for them, later frames use the number.

use std::str;

use crate::pid::ID_MAX;

/// Largest frame, in bytes: a letter beyond it is refused where it is sent.
pub(crate) const FRAME_MAX: usize = 16 << 20;
/// Most entries of each of a connection's tables; a full one is forgotten and begun anew.
pub(crate) const TABLE_MAX: usize = 1 << 16;
/// Bytes of the length that opens a frame.
pub(crate) const LENGTH: usize = 4;
/// Stands for "sent from outside any process".
pub(crate) const NOBODY: u32 = u32::MAX;

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
    Failed = 7,
    Link = 8,
    Unlink = 9,
    Exited = 10,
    Ping = 11,
    Pong = 12,
    /// Forgets every number defined on this side.
    Forget = 13,
}

/// A frame as it was read, borrowing from the read buffer.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    To(&'a str),
    From(&'a str),
    Name(&'a str),
    Letter {
        to: u32,
        from: u32,
        name: u16,
        body: &'a [u8],
    },
    Ask {
        to: u32,
        from: u32,
        name: u16,
        number: u64,
        body: &'a [u8],
    },
    Reply {
        number: u64,
        body: &'a [u8],
    },
    Failed {
        number: u64,
        body: &'a [u8],
    },
    Link(&'a str),
    Unlink(&'a str),
    Exited {
        body: &'a [u8],
    },
    Ping,
    Pong,
    Forget,
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
}

/// Splits the first whole frame off `bytes`: the frame, and how many bytes it took.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, BadFrame> {
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
    Ok(Some((parse(frame)?, LENGTH + length)))
}

fn parse(frame: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let (&kind, mut rest) = frame.split_first().ok_or(BadFrame::Short)?;
    let rest = &mut rest;
    Ok(match kind {
        1 => Frame::To(text(rest)?),
        2 => Frame::From(text(rest)?),
        3 => Frame::Name(text(rest)?),
        4 => Frame::Letter {
            to: u32(rest)?,
            from: u32(rest)?,
            name: u16(rest)?,
            body: rest,
        },
        5 => Frame::Ask {
            to: u32(rest)?,
            from: u32(rest)?,
            name: u16(rest)?,
            number: u64(rest)?,
            body: rest,
        },
        6 => Frame::Reply {
            number: u64(rest)?,
            body: rest,
        },
        7 => Frame::Failed {
            number: u64(rest)?,
            body: rest,
        },
        8 => Frame::Link(text(rest)?),
        9 => Frame::Unlink(text(rest)?),
        10 => Frame::Exited { body: rest },
        11 => Frame::Ping,
        12 => Frame::Pong,
        13 => Frame::Forget,
        kind => return Err(BadFrame::Kind(kind)),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadFrame> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(BadFrame::Short)?;
    *rest = tail;
    Ok(*head)
}

fn u16(rest: &mut &[u8]) -> Result<u16, BadFrame> {
    take(rest).map(u16::from_le_bytes)
}

fn u32(rest: &mut &[u8]) -> Result<u32, BadFrame> {
    take(rest).map(u32::from_le_bytes)
}

fn u64(rest: &mut &[u8]) -> Result<u64, BadFrame> {
    take(rest).map(u64::from_le_bytes)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, BadFrame> {
    if rest.len() > ID_MAX {
        return Err(BadFrame::Text);
    }
    str::from_utf8(rest).map_err(|_| BadFrame::Text)
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
        assert_eq!(split(&whole), Ok(Some((Frame::Link("a"), whole.len()))));
    }

    #[test]
    fn a_frame_that_is_none_is_refused() {
        assert_eq!(
            split(&[255, 255, 255, 255]),
            Err(BadFrame::TooLong(u32::MAX as usize))
        );
        assert_eq!(split(&framed(&[])), Err(BadFrame::Short));
        assert_eq!(split(&framed(&[4, 1, 2])), Err(BadFrame::Short));
        assert_eq!(split(&framed(&[99])), Err(BadFrame::Kind(99)));
        assert_eq!(split(&framed(&[1, 0xff, 0xfe])), Err(BadFrame::Text));
        assert_eq!(
            split(&framed(&[&[1u8][..], &[b'x'; 256]].concat())),
            Err(BadFrame::Text)
        );
    }

    #[test]
    fn no_bytes_make_the_parser_panic() {
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..24 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                bytes.push((seed >> 56) as u8);
            }
            let length = (bytes.len() - LENGTH) as u32;
            bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
            let _ = split(&bytes);
        }
    }
}
