//! The superblock: what a store knows of itself when no record follows that could say it.
//!
//! Two slots, written in turn, so that one is always whole. After byte 64, which [`Family`]
//! describes:
//!
//! | bytes | what |
//! | --- | --- |
//! | 64..72 | watermark |
//! | 72..80 | number of the first segment |
//! | 80..88 | slots below it are truncated |
//! | 88..96 | position below which damage is known to whoever uses the store |
//! | 96..104 | 1 when an earlier superblock was lost, and no damage was noted since |

use super::StoreError;
use super::disk::DiskFile;
use super::frame::u64_at;
use super::segment::{FAMILY, Family};

/// The file.
pub const NAME: &str = "superblock";
/// Bytes of a slot: what a disk writes at once, so that one write spoils one slot at most.
pub const SLOT: usize = 4096;
/// Bytes of the file.
pub const BYTES: usize = 2 * SLOT;

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// Whose the store is.
    pub family: Family,
    /// Counts how often it was written; the higher of two slots counts.
    pub sequence: u64,
    /// Everything below this position is durable.
    pub watermark: u64,
    /// Segments before it were dropped.
    pub first: u64,
    /// Slots below it are truncated.
    pub begin: u64,
    /// Damage below this position is known to whoever uses the store: records say what it means.
    pub noted: u64,
    /// 1 when an earlier one was lost, so that nobody knows what else is.
    pub doubt: u64,
}

impl Superblock {
    /// That of a store in which nothing was written yet.
    pub(super) fn new(family: Family) -> Superblock {
        Superblock {
            family,
            sequence: 0,
            watermark: 0,
            first: 0,
            begin: 0,
            noted: 0,
            doubt: 0,
        }
    }

    /// The whole file, both slots of it.
    pub(super) fn file(&self) -> Vec<u8> {
        let next = Superblock {
            sequence: self.sequence + 1,
            ..*self
        };
        let mut slots = [*self, next];
        slots.sort_by_key(|slot| slot.sequence % 2);
        slots.iter().flat_map(Superblock::slot).collect()
    }

    fn slot(&self) -> Vec<u8> {
        let mut page = vec![0; SLOT];
        let Superblock {
            watermark,
            first,
            begin,
            noted,
            doubt,
            ..
        } = *self;
        let numbers = [watermark, first, begin, noted, doubt];
        for (number, place) in numbers.iter().zip(page[FAMILY..].chunks_exact_mut(8)) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        self.family.write(&mut page, self.sequence);
        page
    }

    /// Writes it into the older slot, durably.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(super) fn write(&mut self, file: &dyn DiskFile) -> Result<(), StoreError> {
        self.sequence += 1;
        let offset = (self.sequence % 2) * SLOT as u64;
        let written = file.write_at(offset, &self.slot());
        written
            .and_then(|()| file.sync())
            .map_err(StoreError::io("write", NAME))
    }

    /// The latest of the slots in the bytes of a file, and how many of them are whole.
    ///
    /// # Errors
    /// When one is whole, and of another version of the format.
    pub(super) fn read(bytes: &[u8]) -> Result<(Option<Superblock>, usize), StoreError> {
        let mut found = Vec::new();
        for page in bytes.chunks_exact(SLOT).take(2) {
            if let Some((family, sequence)) = Family::read(page, NAME)? {
                found.push(Superblock {
                    family,
                    sequence,
                    watermark: u64_at(page, FAMILY),
                    first: u64_at(page, FAMILY + 8),
                    begin: u64_at(page, FAMILY + 16),
                    noted: u64_at(page, FAMILY + 24),
                    doubt: u64_at(page, FAMILY + 32),
                });
            }
        }
        let whole = found.len();
        Ok((found.into_iter().max_by_key(|slot| slot.sequence), whole))
    }
}
