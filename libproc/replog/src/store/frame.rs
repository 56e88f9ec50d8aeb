//! Frames: a record as it lies in a segment, behind a header that has a checksum of its own.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..4 | CRC-32 of the salt, the position, and the header from byte 4 |
//! | 4..8 | CRC-32 of the body |
//! | 8..12 | length of the body |
//! | 12..16 | kind: 1 meta, 2 slot, 3 seal (nothing follows in this segment) |
//! | 16..24 | number of the meta or slot |
//! | 24..32 | watermark: the position below which everything was durable |
//! | 32.. | body, then zeros up to a multiple of 8 |
//!
//! All numbers are little-endian. The *position* of a frame is its segment's number times the size
//! of a segment, plus its offset: a frame that was written to a wrong place is none there, and
//! neither is one of another store, whose salt differs. Because the header has its own checksum, a
//! spoilt body still shows whose it was, and what follows a spoilt header is found again at the
//! price of one checksum of 28 bytes a step.

use super::Key;

/// Bytes of a header.
pub const HEADER: usize = 32;
/// Frames begin at multiples of it.
pub const ALIGN: usize = 8;
/// Longest body, whatever the size of a segment: a bound for readers.
pub const BODY_MAX: usize = 64 << 20;

const META: u32 = 1;
const SLOT: u32 = 2;
const SEAL: u32 = 3;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record.
    Of(Key),
    /// The end of a segment.
    Seal,
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Bytes of the body.
    pub length: u32,
    /// The position below which everything was durable when it was written.
    pub watermark: u64,
    /// Checksum of the body.
    pub body_crc: u32,
}

/// Bytes that a frame with such a body takes.
#[must_use]
pub fn size(body: usize) -> usize {
    (HEADER + body).next_multiple_of(ALIGN)
}

/// Appends a frame to `buffer`, for `position`.
pub fn write(
    buffer: &mut Vec<u8>,
    kind: Kind,
    body: &[u8],
    position: u64,
    watermark: u64,
    salt: u64,
) {
    let (kind, number) = match kind {
        Kind::Of(Key::Meta(number)) => (META, number),
        Kind::Of(Key::Slot(number)) => (SLOT, number),
        Kind::Seal => (SEAL, 0),
    };
    let mut header = [0; HEADER];
    let length = u32::try_from(body.len()).expect("bodies are shorter than BODY_MAX");
    header[4..8].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    header[8..12].copy_from_slice(&length.to_le_bytes());
    header[12..16].copy_from_slice(&kind.to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    header[24..32].copy_from_slice(&watermark.to_le_bytes());
    let crc = header_crc(&header, position, salt);
    header[0..4].copy_from_slice(&crc.to_le_bytes());
    let end = buffer.len() + size(body.len());
    buffer.extend_from_slice(&header);
    buffer.extend_from_slice(body);
    buffer.resize(end, 0);
}

/// The header at the beginning of `bytes`, which lie at `position`; none when there is none.
#[must_use]
pub fn read_header(bytes: &[u8], position: u64, salt: u64) -> Option<Header> {
    let header: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
    let number = u64_at(header, 16);
    // Cheap looks first: most of what is searched for headers is zeros, or a body.
    let kind = match u32_at(header, 12) {
        META => Kind::Of(Key::Meta(number)),
        SLOT => Kind::Of(Key::Slot(number)),
        SEAL if number == 0 => Kind::Seal,
        _ => return None,
    };
    let length = u32_at(header, 8);
    if length as usize > BODY_MAX || u32_at(header, 0) != header_crc(header, position, salt) {
        return None;
    }
    Some(Header {
        kind,
        length,
        watermark: u64_at(header, 24),
        body_crc: u32_at(header, 4),
    })
}

/// Whether `body` is what the header says.
#[must_use]
pub fn is_whole(header: &Header, body: &[u8]) -> bool {
    body.len() == header.length as usize && crc32fast::hash(body) == header.body_crc
}

fn header_crc(header: &[u8; HEADER], position: u64, salt: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_le_bytes());
    crc.update(&position.to_le_bytes());
    crc.update(&header[4..]);
    crc.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut buffer = Vec::new();
        write(
            &mut buffer,
            Kind::Of(Key::Slot(7)),
            b"hello",
            4096,
            4000,
            99,
        );
        buffer
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = frame();
        assert_eq!(bytes.len(), 40);
        let header = read_header(&bytes, 4096, 99).expect("it was written so");
        assert_eq!(header.kind, Kind::Of(Key::Slot(7)));
        assert_eq!((header.length, header.watermark), (5, 4000));
        assert!(is_whole(&header, b"hello"));
        assert!(!is_whole(&header, b"hellO"));
    }

    #[test]
    fn a_frame_in_a_wrong_place_or_of_another_store_is_none() {
        assert_eq!(read_header(&frame(), 4104, 99), None);
        assert_eq!(read_header(&frame(), 4096, 98), None);
    }

    #[test]
    fn every_flipped_bit_of_a_header_shows() {
        for bit in 0..HEADER * 8 {
            let mut bytes = frame();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_header(&bytes, 4096, 99), None, "bit {bit}");
        }
    }

    #[test]
    fn zeros_and_stumps_are_no_frames() {
        assert_eq!(read_header(&[0; 64], 0, 0), None);
        assert_eq!(read_header(&frame()[..31], 4096, 99), None);
    }
}
