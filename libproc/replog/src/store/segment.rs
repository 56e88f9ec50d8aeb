//! Segments: the files of a store, and the page at the head of each that says whose it is.

use super::StoreError;
use super::frame::{u32_at, u64_at};
use super::options::Identity;

/// The version of the format that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;
/// Bytes of a segment unless chosen otherwise.
pub const BYTES: u64 = 16 << 20;
/// Bytes of the head of a segment; its frames begin there.
pub const HEAD: usize = 4096;
/// Smallest segment: its head and some frames.
pub const BYTES_MIN: u64 = 2 * HEAD as u64;
/// Largest segment.
pub const BYTES_MAX: u64 = 1 << 30;

const MAGIC: &[u8; 8] = b"TEPUILOG";
const PREFIX: &str = "segment-";

/// What all files of a store have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The replica it belongs to.
    pub identity: Identity,
    /// Bytes of each segment.
    pub segment_bytes: u64,
    /// Chosen by chance when the store was made: part of every checksum.
    pub salt: u64,
}

/// What is written into a page that says whose a file is: see [`Family::write`].
pub(super) const FAMILY: usize = 64;

impl Family {
    /// Writes magic, version and family into the first bytes of `page`, and a checksum of all of
    /// the page into its last four.
    ///
    /// | bytes | what |
    /// | --- | --- |
    /// | 0..8 | `TEPUILOG` |
    /// | 8..12 | format version |
    /// | 12..16 | zeros |
    /// | 16..24 | cluster |
    /// | 24..32 | zeros |
    /// | 32..40 | node |
    /// | 40..48 | bytes of a segment |
    /// | 48..56 | salt |
    /// | 56..64 | what the file adds: the number of a segment, the sequence of a superblock |
    pub(super) fn write(&self, page: &mut [u8], own: u64) {
        page[..8].copy_from_slice(MAGIC);
        page[8..12].copy_from_slice(&VERSION.to_le_bytes());
        page[16..24].copy_from_slice(&self.identity.cluster.to_le_bytes());
        page[32..40].copy_from_slice(&self.identity.node.to_le_bytes());
        page[40..48].copy_from_slice(&self.segment_bytes.to_le_bytes());
        page[48..56].copy_from_slice(&self.salt.to_le_bytes());
        page[56..64].copy_from_slice(&own.to_le_bytes());
        let body = page.len() - 4;
        let crc = crc32fast::hash(&page[..body]);
        page[body..].copy_from_slice(&crc.to_le_bytes());
    }

    /// What [`write`](Family::write) wrote; none when the page is damaged.
    ///
    /// # Errors
    /// When it is whole, and of another version of the format.
    pub(super) fn read(page: &[u8], file: &str) -> Result<Option<(Family, u64)>, StoreError> {
        let body = page.len().saturating_sub(4);
        if body < FAMILY
            || &page[..8] != MAGIC
            || u32_at(page, body) != crc32fast::hash(&page[..body])
        {
            return Ok(None);
        }
        let found = u32_at(page, 8);
        if found != VERSION {
            return Err(StoreError::Version {
                file: file.to_owned(),
                found,
                known: VERSION,
            });
        }
        let cluster = u64_at(page, 16);
        let node = u64_at(page, 32);
        let segment_bytes = u64_at(page, 40);
        if !is_size(segment_bytes) {
            return Ok(None);
        }
        let family = Family {
            identity: Identity { cluster, node },
            segment_bytes,
            salt: u64_at(page, 48),
        };
        Ok(Some((family, u64_at(page, 56))))
    }

    /// The head of the segment with this number.
    pub(super) fn head(&self, number: u64) -> Vec<u8> {
        let mut page = vec![0; HEAD];
        self.write(&mut page, number);
        page
    }

    /// The position at which the segment with this number begins.
    pub(super) fn base(&self, number: u64) -> u64 {
        number.saturating_mul(self.segment_bytes)
    }

    /// The segment that has this position, and the offset in it.
    pub(super) fn place(&self, position: u64) -> (u64, u64) {
        (position / self.segment_bytes, position % self.segment_bytes)
    }
}

/// Whether segments can have such a size.
pub(super) fn is_size(bytes: u64) -> bool {
    (BYTES_MIN..=BYTES_MAX).contains(&bytes) && bytes.is_multiple_of(HEAD as u64)
}

/// The name of the file.
#[must_use]
pub fn name(number: u64) -> String {
    format!("{PREFIX}{number:016x}.log")
}

/// The number of the segment in a file of this name; none when no segment is called so.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(".log")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (self::name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_and_numbers_names() {
        assert_eq!(name(10), "segment-000000000000000a.log");
        assert_eq!(number(&name(u64::MAX)), Some(u64::MAX));
        for wrong in ["segment-a.log", "segment-000000000000000A.log", "LOCK"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_head_that_changed_in_any_byte_is_damaged() {
        let identity = Identity {
            cluster: 5,
            node: 3,
        };
        let family = Family {
            identity,
            segment_bytes: BYTES,
            salt: 77,
        };
        let head = family.head(9);
        let read = |head: &[u8]| Family::read(head, "x").expect("the version is known");
        assert_eq!(read(&head), Some((family, 9)));
        for at in (0..HEAD).step_by(17) {
            let mut head = head.clone();
            head[at] ^= 0x10;
            assert_eq!(read(&head), None, "byte {at}");
        }
    }
}
