//! Writing frames.

use std::io;

use serde::Serialize;

use super::frame::{FRAME_MAX, Kind, LENGTH};
use crate::ask::AskError;

/// Bytes of room that a buffer keeps after a frame that was too large for any.
const KEEP: usize = 128 << 10;

/// A frame would be larger than one may be.
pub(super) struct TooLarge;

/// Begins a frame whose length is not known yet.
pub(super) fn begin(bytes: &mut Vec<u8>, kind: Kind) {
    bytes.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
}

/// Ends the frame that begins at `start` with `value`; its length, or nothing of it.
///
/// Fields are written with their names, so that others can be added later.
#[inline]
pub(super) fn finish<T: Serialize>(
    bytes: &mut Vec<u8>,
    start: usize,
    value: &T,
) -> Result<usize, TooLarge> {
    let encoded = rmp_serde::encode::write_named(bytes, value);
    let length = bytes.len() - start - LENGTH;
    if encoded.is_err() || length > FRAME_MAX {
        bytes.truncate(start);
        bytes.shrink_to(KEEP);
        return Err(TooLarge);
    }
    bytes[start..start + LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(LENGTH + length)
}

/// Returns whether `parts` of a message, written one after the other, and `rest` bytes beside them
/// are small enough to be sent to another node in one message, which is 16 MiB.
///
/// What is larger is a dead letter where it is sent: who has to say so before, asks this.
#[must_use]
pub fn fits_in_a_message(parts: &impl Serialize, rest: usize) -> bool {
    let mut room = Room(FRAME_MAX.saturating_sub(rest));
    rmp_serde::encode::write_named(&mut room, parts).is_ok()
}

/// Takes in so many bytes, and keeps none.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        self.0 = self.0.checked_sub(bytes.len()).ok_or_else(full)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Adds a frame of a few bytes.
pub(super) fn plain(bytes: &mut Vec<u8>, kind: Kind, body: &[u8]) {
    bytes.extend_from_slice(&(1 + body.len() as u32).to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(body);
}

/// Adds why an ask has no answer; how many bytes that took.
pub(super) fn failure(bytes: &mut Vec<u8>, kind: Kind, number: u64, error: &AskError) -> usize {
    let start = bytes.len();
    begin(bytes, kind);
    bytes.extend_from_slice(&number.to_le_bytes());
    // Never too large: an error is a few bytes.
    finish(bytes, start, error).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_bytes::ByteBuf;

    use super::*;

    #[test]
    fn what_fits_in_a_message_is_known_before_it_is_sent() {
        let fits = |length: usize, rest| {
            let parts = ("name", ByteBuf::from(vec![0; length]));
            fits_in_a_message(&parts, rest)
        };
        assert!(fits(0, 0) && fits(FRAME_MAX - 100, 50));
        assert!(!fits(FRAME_MAX - 100, 100) && !fits(FRAME_MAX, 0) && !fits(0, FRAME_MAX + 1));
    }
}
