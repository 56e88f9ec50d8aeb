//! `tepui demo`: a cluster, a job, its result, and nothing left.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::RangedU64ValueParser;

use crate::commands::up;
use crate::local::{AGENTS_MAX, Plan, executable};
use crate::security::DaemonSecurityFlags;

/// Starts a cluster, counts the words of some books on it, and stops it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui demo
  tepui demo --agents=5
  tepui demo --http
")]
pub(crate) struct Args {
    /// How many agents
    #[arg(long, default_value = "3", value_name = "COUNT",
          value_parser = RangedU64ValueParser::<u16>::new().range(1..=u64::from(AGENTS_MAX)))]
    agents: u16,
    /// Has the job speak with the master over HTTP, by the v1 API
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    security: DaemonSecurityFlags,
}

/// Runs it.
///
/// # Errors
/// When the cluster cannot be started, or the job fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let plan = Plan {
        masters: 1,
        agents: args.agents,
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        resources: None,
        work_dir: None,
        keep: false,
        security: args.security.clone(),
    };
    let tepui = executable().to_string_lossy().into_owned();
    let mut command = vec![tepui, "example".to_owned(), "wordcount".to_owned()];
    if args.http {
        command.push("--http".to_owned());
    }
    let code = super::alone(up::session(plan, Some(command)))?;
    eprintln!("\nThe cluster is gone again. `tepui up` starts one that stays.");
    Ok(code)
}
