//! A cluster of real processes: one master and its agents.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, bail};

/// More than the machine has: what limits the rate shall be the work, not the books.
const RESOURCES: &str = "cpus:1000;mem:1000000";

pub(crate) struct Cluster {
    up: Child,
    master: String,
}

impl Cluster {
    /// Starts one of one agent, on free ports.
    pub(crate) fn start(tepui: &Path) -> anyhow::Result<Cluster> {
        Cluster::start_with(tepui, 1, RESOURCES)
    }

    /// Starts one of agents that each say they have these resources, on free ports.
    pub(crate) fn start_with(
        tepui: &Path,
        agents: u32,
        resources: &str,
    ) -> anyhow::Result<Cluster> {
        let resources = format!("--agent-resources={resources}");
        let agents = format!("--agents={agents}");
        let mut command = Command::new(tepui);
        command.args(["up", "--port=0", &agents, &resources]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut up = command.spawn().context("could not start tepui up")?;
        let output = up.stdout.take().context("it has an output")?;
        let mut lines = BufReader::new(output).lines();
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, master)) = line.split_once("TEPUI_MASTER=") {
                let master = master.trim().to_owned();
                // It may print more: somebody has to read that.
                thread::spawn(move || lines.for_each(drop));
                return Ok(Cluster { up, master });
            }
        }
        bail!("tepui up ended before the cluster stood: {}", up.wait()?)
    }

    pub(crate) fn master(&self) -> &str {
        &self.master
    }

    /// Resident memory of the master, and of the agent with its zygote.
    pub(crate) fn resident_mib(&self) -> anyhow::Result<(f64, f64)> {
        let (mut master, mut agent) = (0.0, 0.0);
        for pid in children(self.up.id())? {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
            match command.split('\0').nth(1) {
                Some("master") => master = resident(pid)?,
                Some("agent") => {
                    agent = resident(pid)?;
                    for zygote in children(pid)? {
                        agent += resident(zygote)?;
                    }
                }
                _ => {}
            }
        }
        Ok((master, agent))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // `up` stops its cluster when it is asked to; `kill` here would leave that to its children.
        let pid = self.up.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.up.wait();
    }
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("children"))?;
        children.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(children)
}

fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .context("a resident size")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
