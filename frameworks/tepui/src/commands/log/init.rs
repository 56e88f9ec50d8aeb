//! `tepui log init`: makes the directory of a replica.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use replog::store::{Directory, Identity, SegmentedStore, StoreOptions};
use serde_json::json;

use crate::output;

/// Makes an empty directory for a replica, and writes down whose it is.
///
/// `tepui log replica` does the same when there is none. A directory with a log is never made
/// again: what was in it may be all that is left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log init /var/lib/log --node=1
  tepui log init /var/lib/log --node=1 --log=registry --segment-mib=64
")]
pub(crate) struct Args {
    /// The directory
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// The number of the replica; each replica of a log has another, for ever
    #[arg(long, value_name = "NUMBER")]
    node: u64,
    /// The name of the log; all its replicas have the same
    #[arg(long, value_name = "NAME", default_value = "log")]
    log: String,
    /// MiB of a segment, in which files grow and shrink
    #[arg(long, value_name = "MIB", default_value_t = 16,
          value_parser = clap::value_parser!(u64).range(9..=1024))]
    segment_mib: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Makes it.
///
/// # Errors
/// When there is a log already, or it cannot be made.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let shown = args.directory.display();
    let disk = Directory::make(&args.directory)?;
    let identity = Identity {
        cluster: replog::cluster_of(&args.log).0,
        node: args.node,
    };
    let options = StoreOptions {
        segment_bytes: args.segment_mib << 20,
    };
    SegmentedStore::init(Arc::new(disk), identity, options)
        .with_context(|| format!("could not make a log in {shown}"))?;
    let (node, log) = (args.node, &args.log);
    let id = format!("{:016x}", identity.cluster);
    match args.json {
        true => output::json(&json!({
            "directory": args.directory,
            "node": node,
            "name": log,
            "log": id,
            "segment_bytes": options.segment_bytes,
        }))?,
        false => output::line(&format!(
            "{shown}: replica {node} of the log `{log}`, empty"
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
