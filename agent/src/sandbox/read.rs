//! Reading what a task left in its sandbox, without being led anywhere else.
//!
//! The kernel resolves the path (`openat2` with `RESOLVE_BENEATH`, Linux 5.6): checking it first
//! and opening it then would leave the task time to put a link in between.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{SFlag, lstat},
};

use super::{Sandbox, SandboxError};

/// The most read at once, in bytes. Browsers of sandboxes ask for less.
pub const READ_BYTES_MAX: usize = 1024 * 1024;
/// The most entries of a directory listed: a task can make millions.
const ENTRIES_MAX: usize = 100_000;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes; fewer than asked for, or none, at the end of the file.
    pub data: Vec<u8>,
    /// The size of the whole file, in bytes.
    pub size: u64,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what of it is not text is replaced.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size, in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// The user that owns it.
    pub uid: u32,
    /// The group that owns it.
    pub gid: u32,
    /// Its hard links.
    pub links: u64,
    /// When it was last changed, in seconds since 1970.
    pub modified_s: i64,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, wherever it leads.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

impl Sandbox {
    /// Reads at most `limit` bytes, and at most [`READ_BYTES_MAX`], from `offset` of a file, given
    /// by its path from the sandbox.
    ///
    /// # Errors
    /// When it is not a file, leads out of the sandbox, or cannot be read.
    pub fn read(&self, path: &Path, offset: u64, limit: usize) -> Result<Chunk, SandboxError> {
        // Opening a pipe must not wait for its writer.
        let file = self.open(path, OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
        let failed = || SandboxError::io("read", path);
        let metadata = file.metadata().map_err(failed())?;
        if !metadata.is_file() {
            return Err(SandboxError::Kind {
                path: path.into(),
                expected: "file",
            });
        }
        let size = metadata.size();
        let rest = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut data = vec![0; rest.min(limit).min(READ_BYTES_MAX)];
        let mut length = 0;
        while length < data.len() {
            match file.read_at(&mut data[length..], offset + length as u64) {
                Ok(0) => break, // it was cut meanwhile
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed()(error)),
            }
        }
        data.truncate(length);
        Ok(Chunk { data, size })
    }

    /// Lists a directory by name, given by its path from the sandbox; the sandbox itself when
    /// empty. Of a very large one the rest is left out.
    ///
    /// # Errors
    /// When it is not a directory, leads out of the sandbox, or cannot be read.
    pub fn list(&self, path: &Path) -> Result<Vec<Entry>, SandboxError> {
        let directory = self.open(path, OFlag::O_DIRECTORY)?;
        let failed = || SandboxError::io("list", path);
        // By its descriptor: the path may lead elsewhere by now.
        let opened = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        let mut entries = Vec::new();
        for entry in fs::read_dir(&opened).map_err(failed())?.take(ENTRIES_MAX) {
            let name = entry.map_err(failed())?.file_name();
            let Ok(stat) = lstat(&opened.join(&name)) else {
                continue; // removed meanwhile
            };
            entries.push(Entry {
                name: name.to_string_lossy().into_owned(),
                kind: kind(stat.st_mode),
                size: stat.st_size as u64,
                mode: stat.st_mode & 0o7777,
                uid: stat.st_uid,
                gid: stat.st_gid,
                links: stat.st_nlink,
                modified_s: stat.st_mtime,
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn open(&self, path: &Path, flags: OFlag) -> Result<File, SandboxError> {
        let root = File::open(self.directory())
            .map_err(SandboxError::io("open sandbox", self.directory()))?;
        let how = OpenHow::new()
            .flags(flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        // The kernel gives up when something was renamed just then, and asks to try again.
        let opened = (0..16).find_map(|_| match openat2(&root, path, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => None,
            result => Some(result),
        });
        match opened.unwrap_or(Err(Errno::EAGAIN)) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::EXDEV) => Err(SandboxError::Outside(path.into())),
            Err(Errno::ENOTDIR) if flags.contains(OFlag::O_DIRECTORY) => Err(SandboxError::Kind {
                path: path.into(),
                expected: "directory",
            }),
            // A socket, or a device without a driver.
            Err(Errno::ENXIO) => Err(SandboxError::Kind {
                path: path.into(),
                expected: "file",
            }),
            Err(errno) => Err(SandboxError::io("open", path)(errno.into())),
        }
    }
}

fn kind(mode: u32) -> EntryKind {
    match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => EntryKind::File,
        SFlag::S_IFDIR => EntryKind::Directory,
        SFlag::S_IFLNK => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    /// A sandbox `box` beside a file `secret`.
    fn sandbox() -> (tempfile::TempDir, Sandbox) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("box")).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        let sandbox = Sandbox::at(directory.path().join("box"));
        fs::write(sandbox.directory().join("stdout"), "0123456789").unwrap();
        (directory, sandbox)
    }

    fn text(sandbox: &Sandbox, offset: u64, limit: usize) -> (String, u64) {
        let Chunk { data, size } = sandbox.read(Path::new("stdout"), offset, limit).unwrap();
        (String::from_utf8(data).unwrap(), size)
    }

    #[test]
    fn a_file_is_read_in_pieces_up_to_its_end() {
        let (_directory, sandbox) = sandbox();
        assert_eq!(text(&sandbox, 0, 4), ("0123".into(), 10));
        assert_eq!(text(&sandbox, 8, 4), ("89".into(), 10));
        assert_eq!(text(&sandbox, 10, 4), (String::new(), 10));
        assert_eq!(text(&sandbox, u64::MAX, usize::MAX), (String::new(), 10));
    }

    #[test]
    fn a_read_is_bounded_whatever_is_asked_for() {
        let (_directory, sandbox) = sandbox();
        let sparse = File::create(sandbox.directory().join("stdout")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let chunk = sandbox.read(Path::new("stdout"), 1, usize::MAX).unwrap();
        assert_eq!((chunk.data.len(), chunk.size), (READ_BYTES_MAX, 1 << 40));
    }

    #[test]
    fn no_path_and_no_link_leads_out() {
        let (directory, sandbox) = sandbox();
        let root = sandbox.directory();
        symlink("../secret", root.join("relative")).unwrap();
        symlink(directory.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        for path in [
            "relative",
            "absolute",
            "up/secret",
            "../secret",
            "/etc/passwd",
        ] {
            let result = sandbox.read(Path::new(path), 0, 10);
            assert!(
                matches!(result, Err(SandboxError::Outside(_))),
                "{path}: {result:?}"
            );
        }
        for path in ["up", "..", "/"] {
            let result = sandbox.list(Path::new(path));
            assert!(
                matches!(result, Err(SandboxError::Outside(_))),
                "{path}: {result:?}"
            );
        }
    }

    #[test]
    fn links_that_stay_inside_are_followed() {
        let (_directory, sandbox) = sandbox();
        symlink("stdout", sandbox.directory().join("link")).unwrap();
        assert_eq!(sandbox.read(Path::new("link"), 0, 2).unwrap().data, b"01");
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let (_directory, sandbox) = sandbox();
        mkfifo(&sandbox.directory().join("fifo"), Mode::S_IRWXU).unwrap();
        for path in ["fifo", "."] {
            let result = sandbox.read(Path::new(path), 0, 10);
            assert!(matches!(
                result,
                Err(SandboxError::Kind {
                    expected: "file",
                    ..
                })
            ));
        }
        let result = sandbox.list(Path::new("stdout"));
        assert!(matches!(
            result,
            Err(SandboxError::Kind {
                expected: "directory",
                ..
            })
        ));
    }

    #[test]
    fn a_listing_tells_what_entries_are_without_following_them() {
        let (_directory, sandbox) = sandbox();
        symlink("/etc", sandbox.directory().join("link")).unwrap();
        fs::create_dir(sandbox.directory().join("directory")).unwrap();
        mkfifo(&sandbox.directory().join("fifo"), Mode::S_IRWXU).unwrap();
        let entries = sandbox.list(Path::new("")).unwrap();
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.kind))
            .collect();
        assert_eq!(
            entries,
            [
                ("directory", EntryKind::Directory),
                ("fifo", EntryKind::Other),
                ("link", EntryKind::Link),
                ("stdout", EntryKind::File),
            ]
        );
    }
}
