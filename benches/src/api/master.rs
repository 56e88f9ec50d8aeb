//! A master in an OS process of its own, and what it takes of the machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use libproc::Upid;

pub(super) struct Master {
    child: Child,
    pub(super) upid: Upid,
}

impl Master {
    /// Starts one with the program `tepui`, on a free port of this machine.
    pub(super) fn start(tepui: &Path) -> anyhow::Result<Master> {
        ensure!(
            tepui.exists(),
            "no {}: build it with cargo build --release",
            tepui.display()
        );
        let mut command = Command::new(tepui);
        command.args(["master", "--port=0", "--ip=127.0.0.1", "--child"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("could not start tepui master")?;
        let output = child.stdout.take().context("it has an output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let upid = line.trim().parse();
        let upid = upid.with_context(|| format!("the master said '{}'", line.trim()))?;
        Ok(Master { child, upid })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.upid.address()
    }

    /// Processor time of all its threads since it started, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        // The scheduler's own account, in nanoseconds; that in `stat` counts in hundredths.
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split_whitespace().next().context("a number")?;
            nanoseconds += first.parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// Its resident memory, in bytes.
    pub(super) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("a resident size")?.parse::<f64>()? * 1024.0)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // It ends with the pipe that was its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
