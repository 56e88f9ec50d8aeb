//! What runs on the hosts of a cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::simulated::SimulatedLauncher;
use api::agent::Agenting;
use api::master::Mastering;
use election::{Detector, Ensemble, Place};
use libproc::sim::turmoil;
use libproc::{Node, Pid};
use replog::store::MemoryDisk;
use replog::{BrokenDisk, LogOptions};
use types::Resources;

use crate::record::Record;

/// The host of the master, where there is one.
pub(crate) const MASTER_HOST: &str = "master";

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many masters there are: one, `master`, that keeps nothing; or several, `master-1` and so
    /// on, that elect each other through their log, each with a disk that outlives crashes.
    pub masters: usize,
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
            masters: 1,
            agents: 3,
            resources: Resources::new().cpus(4.0).mem_mib(4_096),
            master: master::Options::default(),
            limit: Duration::from_secs(2 * 60 * 60),
            step: Duration::from_millis(10),
        }
    }
}

impl Shape {
    /// The names of the masters' hosts.
    pub fn master_hosts(&self) -> Vec<String> {
        match self.masters {
            1 => vec![MASTER_HOST.to_owned()],
            several => (1..=several)
                .map(|number| format!("{MASTER_HOST}-{number}"))
                .collect(),
        }
    }

    /// The names of the agents' hosts.
    pub fn agent_hosts(&self) -> Vec<String> {
        (1..=self.agents)
            .map(|number| format!("agent-{number}"))
            .collect()
    }
}

/// The way to the master, or to the one that leads.
#[derive(Clone)]
pub(crate) enum Way {
    To(Pid<Mastering>),
    Among(Vec<Place>),
}

impl Way {
    /// The way as seen from a node: who leads is found out there.
    pub(crate) fn from(&self, node: &Node) -> Detector {
        match self {
            Way::To(master) => Detector::fixed(master.clone()),
            Way::Among(places) => Detector::of_list(places.clone(), node),
        }
    }
}

/// Where a master is, as a list names it.
pub(crate) fn place_of(host: &str) -> Place {
    Place {
        host: turmoil::lookup(host).to_string(),
        port: api::MASTER_PORT,
    }
}

/// How the replica of a master is that is one of several: entries are small and its files too, so
/// that their ends are met.
pub(crate) fn replica(shape: &Shape, host: &str, disk: &MemoryDisk) -> LogOptions {
    let masters = shape.master_hosts().into_iter().map(|host| {
        let place = place_of(&host);
        let address = format!("{}:{}", place.host, place.port);
        (place, address.parse().expect("a host has an address"))
    });
    let masters: Vec<_> = masters.collect();
    let ensemble = Ensemble::new(&masters, &place_of(host)).expect("it is one of them");
    let mut options = ensemble.options(replog::Place::Disk(Arc::new(disk.clone())));
    options.protocol.append_bytes = 64 << 10;
    options.store.segment_bytes = 256 << 10;
    options.broken_disk = BrokenDisk::EndsReplica;
    options.commit_delay = Duration::from_millis(2);
    options
}

/// Starts the agent of `host` on its node, with a launcher that tells `record` the truth.
pub(crate) fn start_agent(
    node: &Node,
    host: &str,
    way: &Way,
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
    let (master, detector) = match way {
        Way::To(master) => (master.clone(), None),
        Way::Among(_) => (master::master_of(node), Some(way.from(node))),
    };
    let options = agent::Options {
        hostname: Some(host.to_owned()),
        resources: Some(resources),
        detector,
        ..agent::Options::new(master, work_dir)
    };
    agent::start(node, options, Box::new(launcher), events)
}
