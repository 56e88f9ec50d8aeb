//! Where a later agent finds the zygotes of those that were here before it: sockets in a directory
//! that nobody but its user may enter.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::{
            fs::DirBuilderExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

/// A zygote's socket; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Opens a socket at `path`, which is nobody's yet.
    ///
    /// # Errors
    /// When its directory is not there, or holds something by that name.
    pub(super) fn open(path: &Path) -> io::Result<Door> {
        let listener = shortened(path, |short| UnixListener::bind(short))?;
        listener.set_nonblocking(true)?;
        let path = path.to_owned();
        Ok(Door { listener, path })
    }

    /// An agent that has come.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        let (socket, _) = self.listener.accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(socket)
    }

    /// What becomes readable when an agent comes.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The descriptor, which children must close.
    pub(super) fn descriptor(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // whoever knocks there is not answered, and removes it
    }
}

/// Makes the directory of doors.
///
/// # Errors
/// When it cannot be made, or the place is taken by something else.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made,
    }
}

/// Knocks at all doors of a directory. Those behind which nobody is left are removed.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn knock(directory: &Path) -> io::Result<Vec<(PathBuf, UnixStream)>> {
    let mut answered = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match shortened(&path, |short| UnixStream::connect(short)) {
            Ok(socket) => answered.push((path, socket)),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(&path)?,
            Err(error) => tracing::warn!(path = %path.display(), %error, "not a launcher's door"),
        }
    }
    answered.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(answered)
}

/// Calls `then` with another name of `path`: that of a socket has 107 bytes at most, and work
/// directories lie deep.
fn shortened<T>(path: &Path, then: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let directory = File::open(directory)?;
    let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
    then(&Path::new(&short).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_however_deep_is_found_and_one_without_anybody_behind_it_removed() {
        let work = tempfile::tempdir().unwrap();
        let deep = work.path().join("x".repeat(200));
        make_directory(&deep).unwrap();
        make_directory(&deep).unwrap();
        let door = Door::open(&deep.join("a")).unwrap();
        assert!(door.accept().is_none());
        let left = Door::open(&deep.join("b")).unwrap();
        let Door { listener, path } = &left;
        nix::unistd::close(listener.as_raw_fd()).unwrap();
        let path = path.clone();
        std::mem::forget(left);
        let knocked = knock(&deep).unwrap();
        assert_eq!(knocked.len(), 1);
        assert!(door.accept().is_some() && !path.exists());
        drop(door);
        assert!(knock(&deep).unwrap().is_empty());
    }
}
