//! Masters in OS processes of their own, which are killed and come back.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use election::REGISTRY_LOG;
use libproc::{Node, Pid, Upid};
use nix::sys::signal::{Signal, kill};
use replog::{Log, Position, Replication, Status};
use serde_json::json;

use crate::api::client::{Client, request};
use crate::measure::latency::Latency;

/// How long a client waits before it tries again.
const AGAIN: Duration = Duration::from_millis(2);
/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a master ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Kill,
    Tell,
}

/// Masters of a list.
pub(super) struct Ensemble {
    tepui: PathBuf,
    place: PathBuf,
    addresses: Vec<SocketAddr>,
    running: Vec<Option<Child>>,
    leader: usize,
    upid: Upid,
    writes: u64,
}

impl Ensemble {
    /// Starts so many, and waits until one accepts a write.
    pub(super) fn start(tepui: &Path, count: usize, place: &Path) -> anyhow::Result<Ensemble> {
        // Held until all have one, so that none is given out twice.
        let held: Vec<TcpListener> = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<std::io::Result<_>>()?;
        let addresses: Vec<SocketAddr> = held
            .iter()
            .map(TcpListener::local_addr)
            .collect::<std::io::Result<_>>()?;
        drop(held);
        let upid = Upid::new(api::MASTER, addresses[0])?;
        let mut ensemble = Ensemble {
            tepui: tepui.to_owned(),
            place: place.to_owned(),
            running: addresses.iter().map(|_| None).collect(),
            addresses,
            leader: 0,
            upid,
            writes: 0,
        };
        for index in 0..count {
            ensemble.revive(index)?;
        }
        ensemble.write()?;
        Ok(ensemble)
    }

    /// The master that accepted the last write.
    pub(super) fn leader(&self) -> &Upid {
        &self.upid
    }

    /// Ends the one that leads, and records how long it takes until another has accepted a write.
    /// Then it comes back, and has what the others have.
    pub(super) fn follow(&mut self, end: End, latency: &mut Latency) -> anyhow::Result<()> {
        let before = self.leader;
        let mut child = self.running[before].take().context("the leader runs")?;
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let since = Instant::now();
        kill(
            pid,
            match end {
                End::Kill => Signal::SIGKILL,
                End::Tell => Signal::SIGTERM,
            },
        )?;
        self.write()?;
        latency.record_since(since);
        ensure!(self.leader != before, "who ended accepted a write");
        child.wait()?;
        self.revive(before)?;
        self.await_follower(before)
    }

    /// Resident memory of the one that leads, and the most it ever was, in bytes.
    pub(super) fn memory_of_leader(&self) -> anyhow::Result<(f64, f64)> {
        let child = self.running[self.leader].as_ref();
        let child = child.context("the leader runs")?;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next());
            anyhow::Ok(kib.context("a size")?.parse::<f64>()? * 1024.0)
        };
        Ok((bytes("VmRSS:")?, bytes("VmHWM:")?))
    }

    fn revive(&mut self, index: usize) -> anyhow::Result<()> {
        let addresses: Vec<String> = self.addresses.iter().map(SocketAddr::to_string).collect();
        let work_dir = self.place.join(format!("master-{index}"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.place.join(format!("master-{index}.log")))?;
        let mut child = Command::new(&self.tepui)
            .args(["master", "--ip=127.0.0.1", "--child"])
            .arg(format!("--port={}", self.addresses[index].port()))
            .arg(format!("--masters={}", addresses.join(",")))
            .arg(format!("--work-dir={}", work_dir.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("could not start tepui master")?;
        let output = child.stdout.take().context("it has an output")?;
        self.running[index] = Some(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(
            line.starts_with("master@"),
            "a master said '{}'",
            line.trim()
        );
        Ok(())
    }

    /// Has the registry changed by whichever of the masters does so.
    fn write(&mut self) -> anyhow::Result<()> {
        self.writes += 1;
        let weight = json!({"role": "bench", "weight": 1.0 + self.writes as f64});
        let call = json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [weight]}});
        let headers = [("Content-Type", "application/json")];
        let call = request("POST /api/v1", &headers, call.to_string().as_bytes());
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            for index in 0..self.addresses.len() {
                if self.running[index].is_some() && accepts(self.addresses[index], &call) {
                    self.leader = index;
                    self.upid = Upid::new(api::MASTER, self.addresses[index])?;
                    return Ok(());
                }
            }
            sleep(AGAIN);
        }
        bail!("no master accepts a write")
    }

    /// Waits until one has what the one that leads has.
    fn await_follower(&self, index: usize) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let end = commit(self.addresses[self.leader])?.unwrap_or_default();
        while commit(self.addresses[index])?.is_none_or(|commit| commit < end) {
            ensure!(Instant::now() < until, "who was killed does not catch up");
            sleep(AGAIN * 10);
        }
        Ok(())
    }
}

/// Whether a master takes a call: standbys send it elsewhere, and one that ends hangs up.
fn accepts(address: SocketAddr, call: &[u8]) -> bool {
    let status = || {
        let mut client = Client::connect(address)?;
        client.send(call)?;
        Ok::<_, anyhow::Error>(client.head()?.status)
    };
    status().is_ok_and(|status| status == 200)
}

/// Up to where the replica of a master knows the log; none when it does not vote.
fn commit(address: SocketAddr) -> anyhow::Result<Option<Position>> {
    let upid = Upid::new(REGISTRY_LOG, address)?;
    let asked = libproc::run_alone(async {
        let node = Node::builder().workers(1).bind("127.0.0.1:0").await?;
        let log = Log::at(&node, Pid::<Replication>::assume(upid));
        let status = tokio::time::timeout(PATIENCE, log.status()).await;
        node.shutdown().await;
        Ok(status.ok().and_then(Result::ok))
    });
    let voting = asked?.filter(|status| status.status == Status::Voting);
    Ok(voting.map(|status| status.commit))
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        // They end with the pipe that was their input.
        for child in self.running.iter_mut().flatten() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
