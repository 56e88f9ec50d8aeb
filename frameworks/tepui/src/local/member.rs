//! One process of a local cluster: a master or an agent.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use libproc::Upid;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe;

use crate::security::SecurityFlags;

/// Longest line in which a member says where it is, in bytes.
const ADDRESS_MAX: u64 = 1024;
/// How much of a log is looked at for its end, in bytes.
const TAIL_BYTES: u64 = 8 << 10;
/// How many lines the end of a log has.
const TAIL_LINES: usize = 12;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A process of a local cluster.
#[derive(Debug)]
pub(crate) struct Member {
    name: String,
    pid: i32,
    ended: bool,
    log: PathBuf,
    /// Says once where the member is.
    stdout: Option<OwnedFd>,
    address: Option<SocketAddr>,
    /// Open for as long as we live: when it closes, for whatever reason, the member ends.
    _lifeline: Option<ChildStdin>,
}

impl Member {
    /// Starts a command of this executable.
    ///
    /// # Errors
    /// When that fails, or its log cannot be opened.
    pub(crate) fn start(
        name: &str,
        command: &str,
        flags: &[String],
        security: &SecurityFlags,
        log: &Path,
    ) -> Result<Member> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("could not open {}", log.display()))?;
        let child = Command::new(executable())
            .arg0("tepui")
            .arg(command)
            .args(flags)
            .envs(security.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .process_group(0) // Ctrl-C is for us, who then end it in order
            .spawn();
        let mut child = child.with_context(|| format!("could not start {name}"))?;
        Ok(Member {
            name: name.to_owned(),
            pid: child.id().cast_signed(),
            ended: false,
            log: log.to_owned(),
            stdout: child.stdout.take().map(OwnedFd::from),
            address: None,
            _lifeline: child.stdin.take(),
        })
    }

    /// Where it listens; waits until it says so.
    ///
    /// When it ends before, this never returns: its end is noticed elsewhere.
    ///
    /// # Errors
    /// When what it says is no address.
    pub(crate) async fn address(&mut self) -> Result<SocketAddr> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        let mut line = String::new();
        if let Some(stdout) = self.stdout.take() {
            let stdout = BufReader::new(pipe::Receiver::from_owned_fd(stdout)?);
            stdout.take(ADDRESS_MAX).read_line(&mut line).await?;
        }
        if line.is_empty() {
            std::future::pending::<()>().await;
        }
        let upid: Upid = line
            .trim()
            .parse()
            .with_context(|| format!("{} failed", self.name))?;
        self.address = Some(upid.address());
        Ok(upid.address())
    }

    /// Where it listens, once it said so.
    pub(crate) fn known_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Its name in the cluster.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Remembers that it has ended: its process id may be another's.
    pub(crate) fn has_ended(&mut self) {
        self.ended = true;
    }

    /// Whether it runs, as far as is known.
    pub(crate) fn is_running(&self) -> bool {
        !self.ended
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if !self.ended {
            // One that ended just now is still to be waited for: the number is not another's.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_default()
    }
}

/// The last lines of a file.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    Ok(last
        .iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// This very program, also when its file was replaced meanwhile.
pub(crate) fn executable() -> PathBuf {
    let path = std::env::current_exe()
        .ok()
        .filter(|path| fs::exists(path).unwrap_or(false));
    path.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = (1..=2_000).map(|number| format!("line {number}")).collect();
        fs::write(file.path(), lines.join("\n")).unwrap();
        let text = tail(file.path()).unwrap();
        assert_eq!(text.lines().count(), TAIL_LINES);
        assert!(
            text.starts_with("  line 1989\n") && text.ends_with("\n  line 2000"),
            "{text}"
        );
    }
}
