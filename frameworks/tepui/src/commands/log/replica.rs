//! `tepui log replica`: runs a replica of a log.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use replog::store::{Directory, SegmentedStore};
use replog::{Log, LogOptions, NodeId, Place};

use super::PORT;
use crate::client::resolve;
use crate::commands::daemon::{self, Listen};
use crate::flags;
use crate::security::DaemonSecurityFlags;

/// Runs a replica of a log until SIGTERM or Ctrl-C.
///
/// Prints its address on standard output once it listens. Replicas that begin a log together are
/// given the same list; the log begins when all of them are there. One that is to be added later
/// is given the list and itself, and then added with `tepui log add`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log replica /var/lib/log --node=1 --replicas=1=10.0.0.1:5070,2=10.0.0.2:5070,3=10.0.0.3:5070
  tepui log replica /tmp/log --node=1 --replicas=1=127.0.0.1:5070 --ip=127.0.0.1
")]
pub(crate) struct Args {
    /// Where it keeps what it must not forget; made when it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Which replica it is [default: what the directory says]
    #[arg(long, value_name = "NUMBER")]
    node: Option<u64>,
    /// All replicas, as NUMBER=HOST:PORT
    #[arg(long, value_name = "REPLICAS", value_delimiter = ',', required = true,
          value_parser = replica)]
    replicas: Vec<(NodeId, SocketAddr)>,
    /// The name of the log
    #[arg(long, value_name = "NAME", default_value = "log")]
    log: String,
    /// The address to listen on [default: the one in the list]
    #[arg(long, value_name = "IP", value_parser = flags::value::<IpAddr>)]
    ip: Option<IpAddr>,
    /// The port to listen on [default: the one in the list]
    #[arg(long, value_name = "PORT", value_parser = flags::value::<u16>)]
    port: Option<u16>,
    #[command(flatten)]
    security: DaemonSecurityFlags,
    /// Ends when standard input closes
    #[arg(long, hide = true)]
    child: bool,
}

/// A replica, as `NUMBER=HOST:PORT`.
pub(super) fn replica(text: &str) -> Result<(NodeId, SocketAddr), String> {
    let (number, address) = text
        .split_once('=')
        .ok_or_else(|| format!("expected NUMBER=HOST:PORT, found `{text}`"))?;
    let number = number
        .trim()
        .parse()
        .map_err(|_| format!("`{number}` is not the number of a replica"))?;
    let address = resolve(address.trim(), PORT).map_err(|error| format!("{error:#}"))?;
    Ok((NodeId(number), address))
}

/// Runs it.
///
/// # Errors
/// When its files cannot be used, it cannot listen, or it ends by itself.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut replicas = BTreeMap::new();
    for (node, address) in &args.replicas {
        if replicas.insert(*node, *address).is_some() {
            bail!("replica {node} is in --replicas twice");
        }
    }
    let node = number(args)?;
    let Some(address) = replicas.get(&node).copied() else {
        bail!("replica {node} is not in --replicas: add it, with its own address");
    };
    super::super::on_every_core(async {
        let signals = daemon::signals()?;
        let listen = Listen {
            ip: args.ip.unwrap_or(address.ip()),
            port: args.port.unwrap_or(address.port()),
            advertise_ip: Some(address.ip()),
            advertise_port: Some(address.port()),
        };
        let place = Place::Directory(args.directory.clone());
        let options = LogOptions::new(&args.log, node, replicas, place);
        let here = listen.bind(args.security.load()?).await?;
        let opened = Log::open(&here, options).await;
        let shown = args.directory.display();
        let log = opened.with_context(|| format!("could not run a replica in {shown}"))?;
        let upid = log.replica().upid().clone();
        tracing::info!(%upid, node = node.0, "replica started");
        let end = || async {
            log.close().await;
            here.shutdown().await;
        };
        daemon::serve(&here, &upid, signals, args.child, end).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Which replica it is: what the flag says, else the directory.
fn number(args: &Args) -> Result<NodeId> {
    if let Some(node) = args.node {
        return Ok(NodeId(node));
    }
    let shown = args.directory.display();
    let identity = match args.directory.is_dir() {
        true => SegmentedStore::identify(&Directory::open(&args.directory)?)?,
        false => None,
    };
    let Some(identity) = identity else {
        bail!("{shown} has no log yet: say with --node which replica it is to be");
    };
    Ok(NodeId(identity.node))
}
