//! Directories of sandboxes, spread over the disk.
//!
//! On ext4 a directory's entries are looked for in its own part of the disk first, and what was
//! deleted there within the last minutes is passed over one by one. An agent that removes old
//! sandboxes while it makes new ones pays that for each: 1 to 4 ms measured where a tenth would
//! do. Frameworks have nothing to do with each other, which is what the attribute for the top of
//! unrelated hierarchies says (`chattr +T`): each gets a part of the disk of its own. Sandboxes
//! could each have one too, but finding it costs as much as making the sandbox.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// The directory whose entries are unrelated.
const UNRELATED: &str = "frameworks";

/// Creates a directory and those above it that are missing; one whose entries are unrelated is
/// told to spread them.
///
/// # Errors
/// When one of them cannot be created.
pub(super) fn create_dir_all(directory: &Path) -> io::Result<()> {
    match create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = directory.parent().ok_or(error)?;
            create_dir_all(above)?;
            create_dir(directory)
        }
        created => created,
    }
}

fn create_dir(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => {
            if directory.file_name().is_some_and(|name| name == UNRELATED) {
                // A file system that knows no such attribute needs none.
                let _ = spread(directory);
            }
            Ok(())
        }
        failed => failed,
    }
}

fn spread(directory: &Path) -> io::Result<()> {
    let directory = File::open(directory)?;
    let flags = ioctl_getflags(&directory)?;
    Ok(ioctl_setflags(&directory, flags | IFlags::TOPDIR)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_whole_and_may_be_there_already() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("frameworks/f/executors/e/runs");
        for _ in 0..2 {
            create_dir_all(&runs).unwrap();
            assert!(runs.is_dir());
        }
        fs::write(runs.join("file"), "").unwrap();
        assert!(create_dir_all(&runs.join("file/below")).is_err());
    }
}
