//! `tepui log replicas`, `add` and `remove`: who votes.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use replog::{NodeId, Reconfiguration, ReplicaStatus};
use serde_json::{Value as Json, json};

use super::client::{Client, LogFlag, done};
use super::replica::replica;
use crate::output;
use crate::table;

/// Lists who votes in a log, and where the replicas are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log replicas
  tepui log replicas --replica=10.0.0.1:5070 --json
")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists them.
///
/// # Errors
/// When no replica answers.
pub(crate) fn list(args: &ListArgs) -> Result<ExitCode> {
    super::super::alone(async {
        let status = Client::new(&args.log).await?.status;
        if args.json {
            output::json(&members(&status))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table::new(&["REPLICA", "ADDRESS"]);
        for member in &status.members {
            let address = place(&status, member.node).unwrap_or_else(|| "?".to_owned());
            table.add_row([member.node.to_string(), address]);
        }
        output::line(&table::text(&table))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Where a replica is, as far as is known.
fn place(status: &ReplicaStatus, node: NodeId) -> Option<String> {
    status.book.get(&node).map(ToString::to_string)
}

/// Who votes.
fn members(status: &ReplicaStatus) -> Json {
    let replicas = status.members.iter().map(|member| {
        let address = place(status, member.node);
        json!({"node": member.node.0, "life": member.life.0, "address": address})
    });
    let replicas: Vec<Json> = replicas.collect();
    json!({"epoch": status.epoch.0, "replicas": replicas})
}

/// Adds a replica, which must be running, to those that vote.
///
/// It catches up first; appends go on meanwhile. With --instead-of, it takes the place of another
/// in one step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log add 4=10.0.0.4:5070
  tepui log add 4=10.0.0.4:5070 --instead-of=2
")]
pub(crate) struct AddArgs {
    /// The replica, as NUMBER=HOST:PORT
    #[arg(value_name = "REPLICA", value_parser = replica)]
    replica_to_add: (NodeId, SocketAddr),
    /// The replica whose place it takes
    #[arg(long, value_name = "NUMBER")]
    instead_of: Option<u64>,
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON, as `tepui log replicas` does
    #[arg(long)]
    json: bool,
}

/// Adds it.
///
/// # Errors
/// When it has not caught up in time, or there is no leader.
pub(crate) fn add(args: &AddArgs) -> Result<ExitCode> {
    let (node, address) = args.replica_to_add;
    let change = match args.instead_of {
        None => Reconfiguration::Add { node, address },
        Some(old) => Reconfiguration::Replace {
            old: NodeId(old),
            new: node,
            address,
        },
    };
    let what = format!("add replica {node}");
    change_members(&args.log, change, &what, args.json)
}

/// Removes a replica from those that vote; after that it may be stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log remove 2
")]
pub(crate) struct RemoveArgs {
    /// Its number
    #[arg(value_name = "NUMBER")]
    node: u64,
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON, as `tepui log replicas` does
    #[arg(long)]
    json: bool,
}

/// Removes it.
///
/// # Errors
/// When it is no member, too few would be left, or there is no leader.
pub(crate) fn remove(args: &RemoveArgs) -> Result<ExitCode> {
    let node = NodeId(args.node);
    let what = format!("remove replica {node}");
    change_members(
        &args.log,
        Reconfiguration::Remove { node },
        &what,
        args.json,
    )
}

fn change_members(
    flag: &LogFlag,
    change: Reconfiguration,
    what: &str,
    json: bool,
) -> Result<ExitCode> {
    super::super::alone(async {
        let client = Client::new(flag).await?;
        done(what, client.log.reconfigure(change)).await?;
        let status = done("see who votes", client.log.status()).await?;
        if json {
            output::json(&members(&status))?;
            return Ok(ExitCode::SUCCESS);
        }
        let nodes = status.members.iter().map(|member| member.node.to_string());
        let nodes: Vec<String> = nodes.collect();
        output::line(&format!("replicas {} vote", nodes.join(", ")))?;
        Ok(ExitCode::SUCCESS)
    })
}
