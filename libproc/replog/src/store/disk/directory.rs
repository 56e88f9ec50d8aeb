//! A directory of the file system, owned by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, DiskFile};
use crate::store::StoreError;

/// Held locked for as long as the directory is open.
const LOCK: &str = "LOCK";
/// What a file is called until it is whole.
const HALF: &str = ".half";
/// Zeros written at once.
const ZEROS: usize = 1 << 20;

/// A directory that no other process has open; let go of when dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Opens the directory, and makes it if need be.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open, and whatever the operating system
    /// says.
    pub fn make(path: &Path) -> Result<Directory, StoreError> {
        let shown = || path.display().to_string();
        if !path.is_dir() {
            fs::create_dir_all(path).map_err(StoreError::io("make", shown()))?;
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            let synced = sync_directory(parent.unwrap_or(Path::new(".")));
            synced.map_err(StoreError::io("make", shown()))?;
        }
        Directory::open(path)
    }

    /// Opens a directory that is there.
    ///
    /// # Errors
    /// As [`make`](Directory::make), and [`StoreError::Missing`] when it is not there.
    pub fn open(path: &Path) -> Result<Directory, StoreError> {
        let shown = || path.display().to_string();
        if !path.is_dir() {
            return Err(StoreError::Missing { directory: shown() });
        }
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path);
        let lock = lock.map_err(StoreError::io("open", lock_path.display().to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { directory: shown() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::io("lock", shown())(error));
            }
        }
        let directory = Directory {
            path: path.to_owned(),
            _lock: lock,
        };
        directory
            .clear_halves()
            .map_err(StoreError::io("clean", shown()))?;
        Ok(directory)
    }

    /// Removes files that a crash left unfinished.
    fn clear_halves(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.to_str().is_some_and(|path| path.ends_with(HALF)) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != LOCK && !name.ends_with(HALF) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn create(&self, name: &str, head: &[u8], length: u64) -> io::Result<Arc<dyn DiskFile>> {
        let half = self.path.join(format!("{name}{HALF}"));
        let made = make_whole(&half, head, length).and_then(|file| {
            fs::rename(&half, self.path.join(name))?;
            sync_directory(&self.path)?;
            Ok(file)
        });
        if made.is_err() {
            // Gives its space back; otherwise the next start does.
            let _ = fs::remove_file(&half);
        }
        Ok(Arc::new(made?))
    }

    fn remove(&self, names: &[String]) -> io::Result<()> {
        for name in names {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) | Ok(()) => {}
            }
        }
        sync_directory(&self.path)
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn path(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

/// Zeros are written, not only reserved: what was reserved would have to be marked as written in
/// the journal of the file system at each append.
fn make_whole(path: &Path, head: &[u8], length: u64) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all_at(head, 0)?;
    let zeros = vec![0; ZEROS];
    let mut at = head.len() as u64;
    while at < length {
        let count = (length - at).min(ZEROS as u64);
        file.write_all_at(&zeros[..count as usize], at)?;
        at += count;
    }
    file.sync_all()?;
    Ok(file)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let owner = Directory::make(&path).unwrap();
        let refused = Directory::make(&path).unwrap_err();
        assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
        drop(owner);
        Directory::open(&path).unwrap();
    }

    #[test]
    fn files_that_a_crash_left_unfinished_are_removed() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("superblock.half"), b"half of it").unwrap();
        let directory = Directory::open(place.path()).unwrap();
        assert_eq!(directory.names().unwrap(), [""; 0]);
        assert!(!place.path().join("superblock.half").exists());
    }

    #[test]
    fn a_file_that_is_made_has_its_head_and_zeros() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let file = directory.create("a", b"head", 3 << 20).unwrap();
        assert_eq!(file.length().unwrap(), 3 << 20);
        let bytes = super::super::read_all(&*file).unwrap();
        assert_eq!(&bytes[..4], b"head");
        assert!(bytes[4..].iter().all(|byte| *byte == 0));
    }
}
