//! Sandboxes: the directory of each run of an executor, what may be read of it, and its end.
//!
//! Tasks own their sandbox and may put anything in it, at any moment: links that lead out, pipes
//! that never answer, directories nobody may enter. Whatever touches one treats it as hostile.

pub mod gc;
mod read;
mod remove;
mod spread;

pub use read::{Chunk, Entry, EntryKind, READ_BYTES_MAX};
pub use remove::remove;

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt as _, chown, fchown, symlink},
    path::{Path, PathBuf},
};

use nix::unistd::User;

/// The name of the link beside the runs that leads to the latest of them.
const LATEST: &str = "latest";
/// The file in a sandbox with what an executor shows to its agent, until it has read it.
const CREDENTIALS: &str = ".credentials";
/// The longest file name Linux takes, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why a sandbox cannot be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// An id that cannot be a directory's name.
    #[error("{0:?} cannot be the name of a directory")]
    Name(String),
    /// No such user.
    #[error("user {0:?} is unknown")]
    User(String),
    /// A path that leads out of the sandbox, by itself or by a link in it.
    #[error("path {} leads out of the sandbox", .0.display())]
    Outside(PathBuf),
    /// Neither a file nor a directory, as was asked for.
    #[error("path {} is not a {expected}", path.display())]
    Kind {
        /// The path asked for.
        path: PathBuf,
        /// What it should have been.
        expected: &'static str,
    },
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl SandboxError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SandboxError {
        let path = path.to_path_buf();
        move |source| SandboxError::Io {
            action,
            path,
            source,
        }
    }
}

/// Whose sandbox it is: the ids that make its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The agent.
    pub agent: &'a str,
    /// The framework.
    pub framework: &'a str,
    /// Its executor.
    pub executor: &'a str,
    /// The run of the executor.
    pub container: &'a str,
}

/// The directory of one run of an executor. The layout is that of Mesos:
/// `slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>` under the agent's
/// work directory, with a link `runs/latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    directory: PathBuf,
}

impl Sandbox {
    /// The sandbox of `owner`, which may not exist.
    ///
    /// # Errors
    /// When an id is no directory name.
    pub fn of(work_directory: &Path, owner: Owner<'_>) -> Result<Sandbox, SandboxError> {
        let mut directory = work_directory.to_path_buf();
        for (kind, id) in [
            ("slaves", owner.agent),
            ("frameworks", owner.framework),
            ("executors", owner.executor),
            ("runs", owner.container),
        ] {
            check_name(id)?;
            directory.push(kind);
            directory.push(id);
        }
        Ok(Sandbox { directory })
    }

    /// The sandbox that is `directory`, such as one found on disk.
    pub fn at(directory: impl Into<PathBuf>) -> Sandbox {
        Sandbox {
            directory: directory.into(),
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates it, with all above it, and leads `latest` to it. It is open to its owner alone:
    /// `user`, or the agent's own user. Creating one that exists changes only its owner.
    ///
    /// # Errors
    /// When there is no such user, or no right or room to do it.
    pub fn create(&self, user: Option<&str>) -> Result<(), SandboxError> {
        let owner = match user {
            Some(name) => Some(find_user(name)?),
            None => None,
        };
        let directory = self.directory.as_path();
        let runs = directory.parent().unwrap_or(Path::new("."));
        spread::create_dir_all(runs).map_err(SandboxError::io("create", runs))?;
        match DirBuilder::new().mode(0o750).create(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(SandboxError::io("create", directory))?,
        }
        if let Some(owner) = owner {
            chown(
                directory,
                Some(owner.uid.as_raw()),
                Some(owner.gid.as_raw()),
            )
            .map_err(SandboxError::io("change the owner of", directory))?;
        }
        self.link_latest(runs)
    }

    /// Puts a secret into a sandbox that was just created and that nothing has run in, for its owner
    /// alone: `user`, or the agent's own user.
    ///
    /// # Errors
    /// When there is no such user, or something is there already.
    pub fn entrust(&self, secret: &[u8], user: Option<&str>) -> Result<PathBuf, SandboxError> {
        let path = self.directory.join(CREDENTIALS);
        let made = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let mut file = made.map_err(SandboxError::io("create", &path))?;
        if let Some(name) = user {
            let owner = find_user(name)?;
            fchown(&file, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
                .map_err(SandboxError::io("change the owner of", &path))?;
        }
        file.write_all(secret)
            .map_err(SandboxError::io("write", &path))?;
        Ok(path)
    }

    /// Replaces `latest` in one step: whoever follows it finds the old run or this one.
    fn link_latest(&self, runs: &Path) -> Result<(), SandboxError> {
        let Some(container) = self.directory.file_name() else {
            return Ok(()); // the root of the file system has no runs
        };
        let mut name = std::ffi::OsString::from(".latest.");
        name.push(container);
        let (next, latest) = (runs.join(name), runs.join(LATEST));
        match symlink(container, &latest) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            first => return first.map_err(SandboxError::io("create", &latest)),
        }
        let _ = fs::remove_file(&next); // left by an agent that died right here
        symlink(container, &next).map_err(SandboxError::io("create", &next))?;
        fs::rename(&next, &latest).map_err(SandboxError::io("replace", &latest))
    }
}

/// Refuses what would be no directory, or another than meant.
fn check_name(id: &str) -> Result<(), SandboxError> {
    let special = matches!(id, "" | "." | "..") || id == LATEST;
    match special || id.contains(['/', '\0']) || id.len() > NAME_BYTES_MAX {
        true => Err(SandboxError::Name(id.to_string())),
        false => Ok(()),
    }
}

fn find_user(name: &str) -> Result<User, SandboxError> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(SandboxError::User(name.to_string())),
        Err(errno) => Err(SandboxError::io("look up", Path::new(name))(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(container: &str) -> Owner<'_> {
        Owner {
            agent: "S1",
            framework: "F1",
            executor: "e",
            container,
        }
    }

    #[test]
    fn the_layout_is_that_of_mesos_and_latest_leads_to_the_last_one_created() {
        let work = tempfile::tempdir().unwrap();
        for container in ["one", "two"] {
            let sandbox = Sandbox::of(work.path(), owner(container)).unwrap();
            sandbox.create(None).unwrap();
            let runs = work.path().join("slaves/S1/frameworks/F1/executors/e/runs");
            assert_eq!(sandbox.directory(), runs.join(container));
            assert_eq!(
                fs::read_link(runs.join("latest")).unwrap(),
                Path::new(container)
            );
        }
    }

    #[test]
    fn creating_a_sandbox_twice_keeps_its_files() {
        let work = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::of(work.path(), owner("one")).unwrap();
        sandbox.create(None).unwrap();
        fs::write(sandbox.directory().join("file"), "kept").unwrap();
        sandbox.create(None).unwrap();
        assert!(sandbox.directory().join("file").exists());
    }

    #[test]
    fn ids_that_are_no_directory_names_are_refused() {
        let long = "x".repeat(256);
        for id in ["", ".", "..", "a/b", "/", "a\0b", "latest", &long] {
            let result = Sandbox::of(Path::new("/work"), owner(id));
            assert!(matches!(result, Err(SandboxError::Name(name)) if name == id));
        }
    }

    #[test]
    fn an_unknown_user_is_an_error_and_creates_nothing() {
        let work = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::of(work.path(), owner("one")).unwrap();
        let result = sandbox.create(Some("no such user"));
        assert!(matches!(result, Err(SandboxError::User(name)) if name == "no such user"));
        assert!(!work.path().join("slaves").exists());
    }
}
