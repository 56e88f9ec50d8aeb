//! Records on disk: what a replica has promised and accepted, kept through crashes and told apart
//! from what a disk has spoilt.
//!
//! A store is a directory of [segments](segment): files of one fixed size, filled with zeros when
//! they are made, so that appending changes no metadata of the file system and a file that was cut
//! shows. A [frame](frame) is a record with its checksum; each says up to where everything was
//! durable when it was written, its *watermark*. What cannot be read below the highest watermark
//! was durable once, and is *damage*; what cannot be read above it was being written in a crash,
//! was acknowledged to nobody, and is cut off. The [superblock] says the same when nothing follows.
//!
//! # What is verified when
//! A start reads the last segment in full, and of each sealed one its [hint](hint), its length, its head
//! and its seal. If anything is not as it should be, it reads every byte of all. What a start did
//! not read is verified by [`StoreReader::verify`], which the replica calls for one segment after the
//! other as soon as it runs; and every record has its checksum compared whenever it is read.
//! [`survey`] reads every byte. So damage in an old segment may be found after the start, and never by
//! whoever was answered with it.
//!
//! [`SegmentedStore`] writes to any [`Disk`]: a [directory](disk::Directory), or
//! [memory](disk::MemoryDisk) that fails as tests want it to.

pub mod check;
pub mod disk;
mod error;
pub mod frame;
mod hint;
mod index;
mod options;
mod recovery;
mod scan;
pub mod segment;
mod segmented;
pub mod superblock;

pub use check::{Finding, Survey, survey};
pub use disk::{Directory, Disk, DiskFile, MemoryDisk};
pub use error::StoreError;
pub use options::{Identity, StoreOptions};
pub use recovery::{Damage, Lost, Recovered};
pub use segmented::{SegmentedStore, StoreReader};

/// What a record is about. Of the records with one key, the last that was written counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Something there is one of: a promise, a status, a configuration. Few, and small: they are
    /// written again at the head of each segment.
    Meta(u64),
    /// A slot of the log. Dropped when the log is truncated past it.
    Slot(u64),
}

/// One thing to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub key: Key,
    /// What it says.
    pub body: Vec<u8>,
}

/// Keeps records, so that they are there after a crash.
///
/// After [`StoreError::is_fatal`] nobody knows what is on disk: the process must end, and read
/// what there is when it starts again. To go on and try again could find the pages marked clean.
pub trait LogStore: Send + 'static {
    /// Writes records in this order; they are durable when it returns, with one flush for all.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::TooLarge`]: nothing was written, and the same may be
    /// tried again. Anything else is fatal.
    fn append(&mut self, records: &[Record]) -> Result<(), StoreError>;

    /// Forgets the slots below `begin`, and gives back the space of whole segments.
    ///
    /// # Errors
    /// When files could not be removed, or the superblock not written, which is fatal.
    fn truncate(&mut self, begin: u64) -> Result<(), StoreError>;

    /// Notes that everything is durable, for when no record follows: to be called after some
    /// milliseconds without one, and at the end.
    ///
    /// # Errors
    /// When it could not be written, which is fatal.
    fn settle(&mut self) -> Result<(), StoreError>;

    /// Notes that whoever uses the store has written down what all damage found so far means, so
    /// that it need not be reported again.
    ///
    /// # Errors
    /// When it could not be written, which is fatal.
    fn damage_noted(&mut self) -> Result<(), StoreError>;

    /// What reads records while others are written.
    fn reader(&self) -> StoreReader;
}
