//! What runs on the hosts of a cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::simulated::SimulatedLauncher;
use api::agent::Agenting;
use api::master::Mastering;
use libproc::{Node, Pid};
use types::Resources;

use crate::record::Record;

/// The host of the master.
pub(crate) const MASTER_HOST: &str = "master";

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many agents there are: `agent-1` and so on.
    pub agents: usize,
    /// What each of them has.
    pub resources: Resources,
    /// How the master is.
    pub master: master::Options,
    /// How long a simulation may take, of its own time.
    pub limit: Duration,
    /// How often the simulated network moves.
    pub step: Duration,
}

impl Default for Shape {
    /// Three agents with four processors and 4 GiB each; two hours at most, 10 ms a step.
    fn default() -> Shape {
        Shape {
            agents: 3,
            resources: Resources::new().cpus(4.0).mem_mib(4_096),
            master: master::Options::default(),
            limit: Duration::from_secs(2 * 60 * 60),
            step: Duration::from_millis(10),
        }
    }
}

impl Shape {
    /// The names of the agents' hosts.
    pub fn agent_hosts(&self) -> Vec<String> {
        (1..=self.agents)
            .map(|number| format!("agent-{number}"))
            .collect()
    }
}

/// Starts the agent of `host` on its node, with a launcher that tells `record` the truth.
pub(crate) fn start_agent(
    node: &Node,
    host: &str,
    master: Pid<Mastering>,
    resources: Resources,
    work_dir: PathBuf,
    record: &Record,
) -> Result<Pid<Agenting>, agent::AgentError> {
    record.add_host(host, resources.clone());
    let (of, record) = (host.to_owned(), record.clone());
    let watch = Arc::new(move |happening: agent::simulated::Happening<'_>| {
        record.happened(&of, happening);
    });
    let (launcher, events) = SimulatedLauncher::watched(node, watch);
    let options = agent::Options {
        hostname: Some(host.to_owned()),
        resources: Some(resources),
        ..agent::Options::new(master, work_dir)
    };
    agent::start(node, options, Box::new(launcher), events)
}
