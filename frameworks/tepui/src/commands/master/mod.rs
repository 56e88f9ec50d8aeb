//! `tepui master`: the master, with the flags of Mesos's.

mod ensemble;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use election::ZooKeeperContest;
use libproc::Node;
use master::Stand;
use state::zookeeper::{RealEnsemble, ZkUrl, ZooKeeperStorage};
use state::{FileStorage, MemoryStorage, State};
use types::Role;

use crate::authentication::MasterAuthenticationFlags;
use crate::commands::daemon::{self, Listen};
use crate::flags::{self, MinAllocatable, Weights};
use crate::security::DaemonSecurityFlags;

/// The name of the registry, as a file of the work directory and in ZooKeeper.
const REGISTRY: &str = "registry";

/// Runs a master: it makes offers to frameworks, and keeps the books.
///
/// Prints its address on standard output once it listens, as `master@ip:port`, and goes on until
/// SIGTERM or Ctrl-C. Every flag can also be given as a variable, `--work-dir` as MESOS_WORK_DIR,
/// be spelled with underscores, and take its value from a file, as `file:///path`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  tepui master
  tepui master --ip=10.0.0.1 --port=5050 --work_dir=/var/lib/tepui
  tepui master --masters=host1,host2,host3 --work-dir=/var/lib/tepui     # the same on all three
  tepui master --ip=10.0.0.1 --zk=zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/mesos
  tepui master --offer-timeout=5mins --weights=batch=1,web=2 --min-allocatable-resources='cpus:0.1|mem:64'
")]
pub(crate) struct Args {
    /// The address to listen on
    #[arg(long, value_name = "IP", env = "MESOS_IP", default_value = "0.0.0.0",
          value_parser = flags::value::<IpAddr>)]
    ip: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long, env = "MESOS_PORT", default_value_t = api::MASTER_PORT,
          value_parser = flags::value::<u16>)]
    port: u16,
    /// The address to tell others, where it is another one
    #[arg(long, value_name = "IP", env = "MESOS_ADVERTISE_IP",
          value_parser = flags::value::<IpAddr>)]
    advertise_ip: Option<IpAddr>,
    /// The port to tell others, where it is another one
    #[arg(long, value_name = "PORT", env = "MESOS_ADVERTISE_PORT",
          value_parser = flags::value::<u16>)]
    advertise_port: Option<u16>,
    /// The name of this machine, to tell others [default: its address]
    #[arg(long, value_name = "NAME", env = "MESOS_HOSTNAME", value_parser = flags::text)]
    hostname: Option<String>,
    /// The name of the cluster, for people
    #[arg(long, value_name = "NAME", env = "MESOS_CLUSTER", value_parser = flags::text)]
    cluster: Option<String>,
    /// A directory for what the master keeps; made when it is not there
    #[arg(long, value_name = "DIRECTORY", env = "MESOS_WORK_DIR")]
    work_dir: Option<PathBuf>,
    /// All masters, this one included, as host or host:port: they elect one of themselves, and keep
    /// their registry, by a log of their own, of which each has a replica in its work directory. All
    /// are given the same list. A majority of them must be there
    #[arg(long, value_name = "LIST", env = "MESOS_MASTERS", conflicts_with = "zk",
          value_parser = flags::value::<ensemble::List>)]
    masters: Option<ensemble::List>,
    /// Where masters elect one of themselves and keep their registry, as
    /// zk://host1:port1,host2:port2/path, with user:password@ where that is wanted
    #[arg(long, value_name = "URL", env = "MESOS_ZK", value_parser = flags::value::<ZkUrl>)]
    zk: Option<ZkUrl>,
    /// How long a master that ZooKeeper does not hear still counts as there
    #[arg(long, value_name = "DURATION", env = "MESOS_ZK_SESSION_TIMEOUT", default_value = "10secs",
          value_parser = flags::duration)]
    zk_session_timeout: Duration,
    /// Where the registry is kept: of agents, frameworks and weights, for the next master; lasting
    /// is in the log of the masters, in ZooKeeper, or else in the work directory [default: lasting if
    /// there is any of them]
    #[arg(long, value_name = "KIND", env = "MESOS_REGISTRY")]
    registry: Option<Registry>,
    /// Rescinds an offer that was not answered for so long, such as 5mins [default: never]
    #[arg(long, value_name = "DURATION", env = "MESOS_OFFER_TIMEOUT",
          value_parser = flags::duration)]
    offer_timeout: Option<Duration>,
    /// How often agents are asked whether they are there, and how long they may take
    #[arg(long, value_name = "DURATION", env = "MESOS_AGENT_PING_TIMEOUT",
          alias = "slave-ping-timeout", default_value = "15secs", value_parser = flags::duration)]
    agent_ping_timeout: Duration,
    /// So many questions without an answer make an agent unreachable
    #[arg(long, value_name = "COUNT", env = "MESOS_MAX_AGENT_PING_TIMEOUTS",
          alias = "max-slave-ping-timeouts", default_value = "5",
          value_parser = flags::value::<std::num::NonZero<u32>>)]
    max_agent_ping_timeouts: std::num::NonZero<u32>,
    /// How long agents have to come back to a master that was started again
    #[arg(long, value_name = "DURATION", env = "MESOS_AGENT_REREGISTER_TIMEOUT",
          alias = "slave-reregister-timeout", default_value = "10mins",
          value_parser = flags::duration)]
    agent_reregister_timeout: Duration,
    /// The least that is worth an offer, any of several: cpus:0.01|mem:32
    #[arg(long, value_name = "QUANTITIES", env = "MESOS_MIN_ALLOCATABLE_RESOURCES",
          default_value = "cpus:0.01|mem:32", value_parser = flags::min_allocatable)]
    min_allocatable_resources: MinAllocatable,
    /// How much roles count beside their siblings: role=2,other=0.5 [default: 1 each]
    #[arg(long, value_name = "WEIGHTS", env = "MESOS_WEIGHTS", value_parser = flags::weights)]
    weights: Option<Weights>,
    /// The only roles frameworks may have, separated by commas [default: any]
    #[arg(long, value_name = "ROLES", env = "MESOS_ROLES", value_delimiter = ',',
          value_parser = flags::value::<Role>)]
    roles: Option<Vec<Role>>,
    /// How many frameworks that have ended are remembered
    #[arg(long, value_name = "COUNT", env = "MESOS_MAX_COMPLETED_FRAMEWORKS",
          default_value = "50", value_parser = flags::value::<usize>)]
    max_completed_frameworks: usize,
    /// How many tasks that have ended are remembered of each framework
    #[arg(long, value_name = "COUNT", env = "MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK",
          default_value = "1000", value_parser = flags::value::<usize>)]
    max_completed_tasks_per_framework: usize,
    /// How many tasks on unreachable agents are remembered of each framework
    #[arg(long, value_name = "COUNT", env = "MESOS_MAX_UNREACHABLE_TASKS_PER_FRAMEWORK",
          default_value = "1000", value_parser = flags::value::<usize>)]
    max_unreachable_tasks_per_framework: usize,
    /// The file that whoever started the master writes its log to, to be shown as /master/log
    #[arg(long, value_name = "FILE", env = "MESOS_EXTERNAL_LOG_FILE")]
    external_log_file: Option<PathBuf>,
    #[command(flatten)]
    security: DaemonSecurityFlags,
    #[command(flatten)]
    authentication: MasterAuthenticationFlags,
    /// Ends when standard input closes
    #[arg(long, hide = true)]
    child: bool,
}

/// Where a registry is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Registry {
    /// It ends with the master.
    #[value(name = "in_memory", alias = "in-memory")]
    InMemory,
    /// It is there for the next one.
    #[value(name = "lasting", aliases = ["replicated_log", "replicated-log"])]
    Lasting,
}

/// Runs until told to end.
///
/// # Errors
/// When it cannot listen, or ends by itself.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    super::on_every_core(async {
        let signals = daemon::signals()?;
        if let Some(directory) = &args.work_dir {
            let made = std::fs::create_dir_all(directory);
            made.with_context(|| format!("could not make {}", directory.display()))?;
        }
        let listen = Listen {
            ip: args.ip,
            port: args.port,
            advertise_ip: args.advertise_ip,
            advertise_port: args.advertise_port,
        };
        let masters = match &args.masters {
            Some(list) => Some(ensemble::find(list, listen, &args).await?),
            None => None,
        };
        let listen = masters.as_ref().map_or(listen, |masters| masters.listen);
        let node = listen.bind(args.security.load()?).await?;
        let child = args.child;
        let stand = match (&masters, &args.zk) {
            (Some(masters), _) => Some(masters.stand(&node, options(args.clone())?).await?),
            (None, Some(url)) => {
                let stand = stand(&node, url, &args)?;
                let herald = stand.herald().clone();
                Some((stand, herald))
            }
            (None, None) => None,
        };
        if let Some((stand, needed)) = stand {
            let upid = master::master_of(&node).upid().clone();
            tracing::info!(%upid, version = api::VERSION, "master started");
            let stop = || async {
                stand.stop().await;
                node.shutdown().await;
            };
            daemon::serve_as(&node, &upid, &needed, signals, child, stop).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let master = match registry_file(&args)? {
            None => master::start(&node, options(args)?),
            Some(path) => {
                let state = State::new(FileStorage::open(path)?);
                master::start_from(&node, options(args)?, &state).await?
            }
        };
        tracing::info!(upid = %master.upid(), version = api::VERSION, "master started");
        daemon::serve(&node, master.upid(), signals, child, || node.shutdown()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Stands for election through ZooKeeper.
fn stand(node: &Node, url: &ZkUrl, args: &Args) -> Result<Stand> {
    let ensemble = |url: &ZkUrl| RealEnsemble::new(url.clone(), args.zk_session_timeout);
    let contest = ZooKeeperContest::new(ensemble(url), url.path());
    let state = match args.registry {
        Some(Registry::InMemory) => State::new(MemoryStorage::default()),
        Some(Registry::Lasting) | None => {
            let below = url.below(REGISTRY);
            State::new(ZooKeeperStorage::new(ensemble(&below), below.path()))
        }
    };
    Ok(master::stand(node, options(args.clone())?, contest, state))
}

/// The file of a registry that is kept on this machine; none if it is not kept.
fn registry_file(args: &Args) -> Result<Option<PathBuf>> {
    match (args.registry, &args.work_dir) {
        (Some(Registry::InMemory), _) | (None, None) => Ok(None),
        (Some(Registry::Lasting) | None, Some(directory)) => Ok(Some(directory.join(REGISTRY))),
        (Some(Registry::Lasting), None) => {
            bail!("a registry that lasts is kept in the work directory: give one with --work-dir")
        }
    }
}

fn options(args: Args) -> Result<master::Options> {
    Ok(master::Options {
        authentication: args.authentication.load()?,
        external_log_file: args.external_log_file,
        log: crate::logging::switch(),
        hostname: args.hostname,
        cluster: args.cluster,
        offer_timeout: args.offer_timeout,
        agent_ping_timeout: args.agent_ping_timeout,
        max_agent_ping_timeouts: args.max_agent_ping_timeouts.get(),
        agent_reregister_timeout: args.agent_reregister_timeout,
        min_allocatable: args.min_allocatable_resources.0,
        weights: args.weights.unwrap_or_default().0,
        roles: args.roles.map(BTreeSet::from_iter),
        max_completed_frameworks: args.max_completed_frameworks,
        max_completed_tasks_per_framework: args.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework: args.max_unreachable_tasks_per_framework,
        ..master::Options::default()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapped {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_master() {
        let flags = options(Wrapped::parse_from(["master"]).args).unwrap();
        let defaults = master::Options::default();
        assert_eq!(format!("{flags:?}"), format!("{defaults:?}"));
    }
}
