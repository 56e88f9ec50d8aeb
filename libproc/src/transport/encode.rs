//! Writing frames.

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
