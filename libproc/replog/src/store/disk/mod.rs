//! What a store is written to: a directory, or memory that stands for one in tests.

mod directory;
mod memory;

use std::io;
use std::sync::Arc;

pub use directory::Directory;
pub use memory::{Faults, MemoryDisk};

/// A flat directory of files.
pub trait Disk: Send + Sync + 'static {
    /// The names of the files there are, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    ///
    /// # Errors
    /// When it is not, or may not be read or written.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file of `head` and then zeros up to `length` bytes, in place of any other of its
    /// name. After a crash it is there whole and durable, or not at all.
    ///
    /// # Errors
    /// When there is no space, or the operating system refuses: then nothing has changed.
    fn create(&self, name: &str, head: &[u8], length: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Removes files, durably; those that are not there are gone already.
    ///
    /// # Errors
    /// When the operating system refuses.
    fn remove(&self, names: &[String]) -> io::Result<()>;

    /// Whether to make a file takes so long that it is better done beside other work.
    fn is_slow(&self) -> bool {
        false
    }

    /// The name of a file, for people.
    fn path(&self, name: &str) -> String;
}

/// A file of a [`Disk`], read and written at any place by any thread.
pub trait DiskFile: Send + Sync + 'static {
    /// How many bytes it has.
    ///
    /// # Errors
    /// When the operating system refuses.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// When it cannot be read, or ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes`. They are durable only after [`sync`](DiskFile::sync).
    ///
    /// # Errors
    /// When they cannot be written; some of them may have been.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When it may not be: then nobody knows which of it is.
    fn sync(&self) -> io::Result<()>;
}

/// All of a file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}
