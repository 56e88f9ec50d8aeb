//! Where a local cluster keeps everything: a directory of its user's, or one that comes and goes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The directory of a local cluster.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    temporary: bool,
}

impl Directory {
    /// Makes it: where it is wanted, or somewhere temporary.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(wanted: Option<&Path>, keep: bool) -> Result<Directory> {
        let directory = match wanted {
            Some(path) => {
                let made = fs::create_dir_all(path).and_then(|()| fs::canonicalize(path));
                let path = made.with_context(|| format!("could not make {}", path.display()))?;
                Directory {
                    path,
                    temporary: false,
                }
            }
            None => {
                let template = std::env::temp_dir().join("tepui-up-XXXXXX");
                let path = nix::unistd::mkdtemp(&template);
                let path =
                    path.with_context(|| format!("could not make {}", template.display()))?;
                Directory {
                    path,
                    temporary: !keep,
                }
            }
        };
        directory.make_for("logs")?;
        Ok(directory)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is removed in the end.
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// A directory in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make_for(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let made = fs::create_dir_all(&path);
        made.with_context(|| format!("could not make {}", path.display()))?;
        Ok(path)
    }

    /// The log of a member.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Removes it, if it is temporary.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(self) -> Result<()> {
        if !self.temporary {
            return Ok(());
        }
        let removed = fs::remove_dir_all(&self.path);
        removed.with_context(|| format!("could not remove {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_temporary_goes_and_what_is_wanted_stays() {
        let temporary = Directory::make(None, false).unwrap();
        let path = temporary.path().to_owned();
        assert!(path.join("logs").is_dir());
        temporary.remove().unwrap();
        assert!(!path.exists());

        let parent = tempfile::tempdir().unwrap();
        let wanted = parent.path().join("a/b");
        let kept = Directory::make(Some(&wanted), false).unwrap();
        kept.remove().unwrap();
        assert!(wanted.is_dir());
    }
}
