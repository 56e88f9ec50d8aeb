//! `tepui teardown`: ends a framework for good.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use api::master::{FrameworkSummary, GetFrameworks, TeardownFramework};
use types::FrameworkId;

use crate::client::{Client, MasterFlag};
use crate::{ids, output};

/// Ends a framework: its tasks end, and it cannot come back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui teardown 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed-0003
  tepui teardown 1b9d6bcd…-0003     # as `tepui frameworks` shows it
")]
pub(crate) struct Args {
    /// The id of the framework, or its beginning
    #[arg(value_name = "FRAMEWORK")]
    framework: String,
    /// Prints JSON, for scripts: the id of the framework
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    master: MasterFlag,
}

/// Asks the master to end the framework.
///
/// # Errors
/// When the master does not answer, there is no such framework, or it cannot be ended.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    super::alone(async {
        let client = Client::new(&args.master).await?;
        let framework_id = find(&client, &args.framework).await?;
        let message = TeardownFramework {
            framework_id: framework_id.clone(),
        };
        let answer = client.ask(message).await?;
        answer.map_err(|why| anyhow!("could not tear down {framework_id}: {why}"))?;
        if args.json {
            output::json(&framework_id)?;
        } else {
            output::line(&format!("tearing down {framework_id}"))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The id of the framework that is meant by an id or its beginning.
///
/// # Errors
/// When the master does not answer, or there is no such framework.
pub(crate) async fn find(client: &Client, text: &str) -> Result<FrameworkId> {
    let frameworks: Vec<FrameworkSummary> = client.ask(GetFrameworks {}).await?;
    let frameworks: Vec<FrameworkId> = frameworks
        .into_iter()
        .filter_map(|framework| framework.info.id)
        .collect();
    Ok(ids::find("framework", text, &frameworks, |id| id.as_str())?.clone())
}
