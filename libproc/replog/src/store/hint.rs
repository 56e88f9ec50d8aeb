//! Hints: what a sealed segment holds, in a small file beside it, so that a start need not read the
//! segment.
//!
//! A hint says nothing that its segment does not: one that is missing, spoilt, or of anything but the
//! segment that lies there is left aside, and the segment read. It is written when the segment is
//! sealed and durable, beside whatever is done then, and nothing waits for it.
//!
//! After byte 64, which [`Family`] describes:
//!
//! | bytes | what |
//! | --- | --- |
//! | 64..72 | offset behind the seal |
//! | 72..80 | how many records there are |
//! | 80.. | of each 16 bytes: number, offset of its frame, length of its body; the highest bit of the length is set for metadata |
//! | last 4 | CRC-32 of all before |

use std::collections::BTreeMap;

use super::Key;
use super::disk::{Disk, read_all};
use super::frame::{self, Kind, u32_at, u64_at};
use super::segment::{self, FAMILY, Family, HEAD};

const PREFIX: &str = "hint-";
/// Bytes before the records.
const HEADER: usize = FAMILY + 16;
/// Bytes of a record.
const RECORD: usize = 16;
/// Set in the length of metadata; bodies are shorter.
const META: u32 = 1 << 31;

/// A record of a segment: what it is about, the offset of its frame, the length of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// What a sealed segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// Where its seal ends.
    pub(super) end: u64,
    /// In the order in which they lie there; of metadata only the last of each.
    pub(super) records: Vec<Held>,
}

impl Hint {
    pub(super) fn new(end: u64, mut records: Vec<Held>) -> Hint {
        let mut last = BTreeMap::new();
        for held in &records {
            if let Key::Meta(number) = held.key {
                last.insert(number, held.offset);
            }
        }
        records.retain(|held| match held.key {
            Key::Meta(number) => last.get(&number) == Some(&held.offset),
            Key::Slot(_) => true,
        });
        Hint { end, records }
    }

    /// The bytes of the file beside segment `number`.
    pub(super) fn file(&self, family: &Family, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; FAMILY];
        bytes.extend(self.end.to_le_bytes());
        bytes.extend((self.records.len() as u64).to_le_bytes());
        for Held {
            key,
            offset,
            length,
        } in &self.records
        {
            let (about, length) = match key {
                Key::Meta(about) => (about, length | META),
                Key::Slot(about) => (about, *length),
            };
            bytes.extend(about.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend([0; 4]);
        family.write(&mut bytes, number);
        bytes
    }

    /// What [`file`](Hint::file) wrote for this segment; none when it is anything else.
    fn read(bytes: &[u8], family: &Family, number: u64) -> Option<Hint> {
        let records = bytes.get(HEADER..bytes.len().checked_sub(4)?)?;
        if Family::read(bytes, "").ok()? != Some((*family, number)) {
            return None;
        }
        let (end, count) = (u64_at(bytes, FAMILY), u64_at(bytes, FAMILY + 8));
        let fits = end <= family.segment_bytes && end >= (HEAD + frame::HEADER) as u64;
        if !fits
            || !records.len().is_multiple_of(RECORD)
            || count != (records.len() / RECORD) as u64
        {
            return None;
        }
        let held = records.chunks_exact(RECORD).map(|record| {
            let (about, length) = (u64_at(record, 0), u32_at(record, 12));
            let key = match length & META {
                0 => Key::Slot(about),
                _ => Key::Meta(about),
            };
            let (offset, length) = (u32_at(record, 8), length & !META);
            let after = u64::from(offset) + frame::size(length as usize) as u64;
            (after <= end).then_some(Held {
                key,
                offset,
                length,
            })
        });
        let records: Vec<Held> = held.collect::<Option<_>>()?;
        Some(Hint { end, records })
    }

    /// The hint of a segment, if there is one and the segment looks as it says: of full length, with its
    /// head and its seal.
    pub(super) fn of(disk: &dyn Disk, family: &Family, number: u64) -> Option<Hint> {
        let bytes = read_all(&*disk.open(&name(number)).ok()?).ok()?;
        let hint = Hint::read(&bytes, family, number)?;
        let file = disk.open(&segment::name(number)).ok()?;
        if file.length().ok()? < family.segment_bytes {
            return None;
        }
        let mut head = vec![0; HEAD];
        file.read_at(0, &mut head).ok()?;
        if Family::read(&head, "").ok()? != Some((*family, number)) {
            return None;
        }
        let at = hint.end - frame::HEADER as u64;
        let mut seal = [0; frame::HEADER];
        file.read_at(at, &mut seal).ok()?;
        let seal = frame::read_header(&seal, family.base(number) + at, family.salt)?;
        (seal.kind == Kind::Seal).then_some(hint)
    }
}

/// The name of the file beside a segment.
pub(super) fn name(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

/// The segment that a file of this name is beside.
pub(super) fn number(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok()?;
    (self::name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Identity;

    fn family() -> Family {
        Family {
            identity: Identity {
                cluster: 5,
                node: 3,
            },
            segment_bytes: 1 << 20,
            salt: 77,
        }
    }

    fn held(key: Key, offset: u32) -> Held {
        Held {
            key,
            offset,
            length: 9,
        }
    }

    #[test]
    fn a_hint_is_read_as_it_was_written_and_has_the_last_of_each_metadata() {
        let records = vec![
            held(Key::Meta(1), 4096),
            held(Key::Slot(1 << 60), 4144),
            held(Key::Meta(1), 4192),
        ];
        let hint = Hint::new(5_000, records.clone());
        assert_eq!(hint.records, records[1..]);
        let bytes = hint.file(&family(), 7);
        assert_eq!(Hint::read(&bytes, &family(), 7), Some(hint));
        assert_eq!(number(&name(7)), Some(7));
    }

    #[test]
    fn a_hint_of_another_segment_or_spoilt_in_any_byte_is_none() {
        let bytes = Hint::new(5_000, vec![held(Key::Slot(3), 4096)]).file(&family(), 7);
        assert_eq!(Hint::read(&bytes, &family(), 8), None);
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 0x40;
            assert_eq!(Hint::read(&spoilt, &family(), 7), None, "byte {at}");
            assert_eq!(Hint::read(&bytes[..at], &family(), 7), None, "{at} bytes");
        }
    }
}
