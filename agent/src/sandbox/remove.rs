//! Removing what tasks leave, whatever they did to it.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::SandboxError;

/// How often to try again when a task that is still dying adds files.
const ATTEMPTS_MAX: u32 = 8;

/// Removes a directory and everything in it. Links are removed, never followed. Directories whose
/// permissions forbid it are given others first. What does not exist is removed already.
///
/// What carries the immutable flag, or is mounted, stays, and is an error.
///
/// # Errors
/// When something cannot be removed; the rest may be gone.
pub fn remove(directory: &Path) -> Result<(), SandboxError> {
    let mut result = Ok(());
    for _ in 0..ATTEMPTS_MAX {
        // The standard library descends by descriptors, so no link can be slipped in.
        result = fs::remove_dir_all(directory);
        match &result {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                unlock(directory).map_err(SandboxError::io("unlock", directory))?;
            }
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            Ok(()) | Err(_) => break,
        }
    }
    result.map_err(SandboxError::io("remove", directory))
}

/// Gives its owner, who must be us, all rights to each directory. This goes by paths, which a
/// task could turn into links to elsewhere; but without root's rights, of which a task that runs
/// as our own user has as many, and root is never denied.
fn unlock(top: &Path) -> io::Result<()> {
    let mut left = vec![top.to_path_buf()];
    while let Some(directory) = left.pop() {
        if !fs::symlink_metadata(&directory)?.is_dir() {
            continue;
        }
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn locked_directories_are_removed_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("kept");
        fs::create_dir(&kept).unwrap();
        let run = directory.path().join("run");
        let locked = run.join("a/b");
        fs::create_dir_all(&locked).unwrap();
        fs::write(locked.join("file"), "").unwrap();
        symlink(&kept, run.join("link")).unwrap();
        for path in [&locked, &run.join("a"), &run] {
            fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        }
        remove(&run).unwrap();
        assert!(!run.exists() && kept.exists());
        remove(&run).unwrap();
    }

    #[test]
    fn unlocking_reaches_every_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o500)).unwrap();
        unlock(directory.path()).unwrap();
        assert_eq!(
            fs::metadata(&inner).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}
