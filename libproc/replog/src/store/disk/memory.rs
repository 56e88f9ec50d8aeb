//! A disk in memory that fails as it is told to: for tests, and for simulations.
//!
//! What was written and not synced is lost in a [crash](MemoryDisk::crash), or some of it is, by
//! sectors, in any order; and there is a [switch](Faults) for everything else that disks do.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng;

use super::{Disk, DiskFile};

/// What reaches a disk whole or not at all.
const SECTOR: usize = 512;

/// A disk in memory. Cloning gives another handle to the same one.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    faults: Faults,
    /// Counts crashes: handles of before a crash write nothing.
    crashes: u64,
}

#[derive(Default)]
struct Content {
    /// What is read.
    bytes: Vec<u8>,
    /// Writes that were not synced: where they are, and what was there.
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// What a [`MemoryDisk`] does wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// No new file can be made.
    pub full: bool,
    /// Writes fail, as with a broken cable.
    pub write_fails: bool,
    /// Syncs fail.
    pub sync_fails: bool,
    /// The next write is acknowledged, synced, and never happens.
    pub lose_next: bool,
    /// The next write goes so many bytes further than it should.
    pub misdirect_next: Option<u64>,
}

/// A file of it.
struct Handle {
    disk: MemoryDisk,
    content: Arc<Mutex<Content>>,
    crashes: u64,
}

impl MemoryDisk {
    /// An empty one without faults.
    #[must_use]
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// Changes what it does wrong.
    pub fn fault(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().faults);
    }

    /// Loses power: of each sector that was written and not synced, chance decides what is left.
    /// Whoever had files open cannot use them any more.
    pub fn crash(&self, chance: &mut impl Rng) {
        let mut state = self.0.lock();
        state.crashes += 1;
        for content in state.files.values() {
            let mut content = content.lock();
            let unsynced = std::mem::take(&mut content.unsynced);
            for (offset, before) in unsynced.into_iter().rev() {
                for (part, before) in before.chunks(SECTOR).enumerate() {
                    if chance.random_bool(0.5) {
                        let at = offset + part * SECTOR;
                        content.bytes[at..at + before.len()].copy_from_slice(before);
                    }
                }
            }
        }
    }

    /// Flips a bit, counted from the beginning of a file.
    ///
    /// # Panics
    /// When there is no such bit.
    pub fn flip(&self, name: &str, bit: usize) {
        self.change(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }

    /// Changes the bytes of a file in any way.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let state = self.0.lock();
        let content = state.files.get(name);
        let mut content = content.expect("a file of this name").lock();
        content.unsynced.clear();
        change(&mut content.bytes);
    }

    /// Loses a file.
    pub fn lose(&self, name: &str) {
        self.0.lock().files.remove(name);
    }

    /// Adds a file that nobody of ours wrote.
    pub fn plant(&self, name: &str, bytes: &[u8]) {
        let content = Content {
            bytes: bytes.to_vec(),
            unsynced: Vec::new(),
        };
        let content = Arc::new(Mutex::new(content));
        self.0.lock().files.insert(name.to_owned(), content);
    }

    /// The bytes of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.lock();
        Some(state.files.get(name)?.lock().bytes.clone())
    }

    /// A copy that shares nothing with it, as it is.
    #[must_use]
    pub fn copy(&self) -> MemoryDisk {
        let copy = MemoryDisk::new();
        for (name, content) in &self.0.lock().files {
            copy.plant(name, &content.lock().bytes);
        }
        copy
    }

    fn handle(&self, content: Arc<Mutex<Content>>) -> Arc<dyn DiskFile> {
        Arc::new(Handle {
            disk: self.clone(),
            content,
            crashes: self.0.lock().crashes,
        })
    }
}

impl Disk for MemoryDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let content = self.0.lock().files.get(name).cloned();
        Ok(self.handle(content.ok_or(io::ErrorKind::NotFound)?))
    }

    fn create(&self, name: &str, head: &[u8], length: u64) -> io::Result<Arc<dyn DiskFile>> {
        let faults = self.0.lock().faults.clone();
        if faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if faults.write_fails {
            return Err(io::Error::other("the disk is broken"));
        }
        let mut bytes = head.to_vec();
        bytes.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        self.plant(name, &bytes);
        self.open(name)
    }

    fn remove(&self, names: &[String]) -> io::Result<()> {
        let mut state = self.0.lock();
        state.files.retain(|name, _| !names.contains(name));
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl Handle {
    /// # Errors
    /// When the disk has lost power since the file was opened.
    fn check(&self) -> io::Result<()> {
        if self.disk.0.lock().crashes != self.crashes {
            return Err(io::Error::other("the machine has crashed"));
        }
        Ok(())
    }
}

impl DiskFile for Handle {
    fn length(&self) -> io::Result<u64> {
        Ok(self.content.lock().bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let content = self.content.lock();
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = content.bytes.get(from..).unwrap_or_default();
        let bytes = bytes
            .get(..buffer.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let mut offset = usize::try_from(offset).map_err(io::Error::other)?;
        {
            let faults = &mut self.disk.0.lock().faults;
            if faults.write_fails {
                return Err(io::Error::other("the disk is broken"));
            }
            if std::mem::take(&mut faults.lose_next) {
                return Ok(());
            }
            if let Some(further) = faults.misdirect_next.take() {
                offset += further as usize;
            }
        }
        let mut content = self.content.lock();
        let end = offset + bytes.len();
        if content.bytes.len() < end {
            content.bytes.resize(end, 0);
        }
        let before = content.bytes[offset..end].to_vec();
        content.unsynced.push((offset, before));
        content.bytes[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.check()?;
        if self.disk.0.lock().faults.sync_fails {
            return Err(io::Error::other("the disk is broken"));
        }
        self.content.lock().unsynced.clear();
        Ok(())
    }
}
