//! A directory and an address that are this test's alone.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// How many places this program has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A directory that goes with the test, unless that fails; and a loopback address of its own, so
/// that a port given up for a moment is nobody else's.
pub(crate) struct Place {
    directory: Option<TempDir>,
    /// An address of this machine that no other test uses.
    pub(crate) ip: IpAddr,
    /// Marks every process of the test, in its environment.
    pub(crate) marker: String,
}

impl Place {
    pub(crate) fn new(test: &str) -> Place {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let [_, high, middle, low] = (pid.wrapping_mul(8).wrapping_add(number)).to_be_bytes();
        let directory = tempfile::Builder::new()
            .prefix(&format!("tepui-{test}-"))
            .tempdir();
        Place {
            directory: Some(directory.expect("a directory for the test")),
            ip: Ipv4Addr::new(127, high | 64, middle, low).into(),
            marker: format!("{test}-{pid}-{number}"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory
            .as_ref()
            .expect("it is there until the end")
            .path()
    }

    /// A directory in it.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).expect("a directory of the test");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let wanted = std::env::var_os("TEPUI_TEST_KEEP").is_some();
        if (wanted || std::thread::panicking())
            && let Some(directory) = self.directory.take()
        {
            eprintln!(
                "logs and journals are kept in {}",
                directory.keep().display()
            );
        }
    }
}
