//! `tepui frameworks`: who uses the cluster.

use std::process::ExitCode;

use anyhow::Result;
use api::master::{FrameworkState, FrameworkSummary, GetFrameworks};
use libproc::env::unix_ms;
use types::ResourceName;

use crate::client::{Client, MasterFlag};
use crate::table::{self, Mood};
use crate::views::FrameworkView;
use crate::{format, output};

/// Lists frameworks, those that have ended last.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui frameworks            # those that have not ended
  tepui frameworks --all      # and those that have, as far as the master remembers
  tepui frameworks --json | jq '.[].name'
")]
pub(crate) struct Args {
    /// Frameworks that have ended, too
    #[arg(long, short)]
    all: bool,
    /// Prints JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    master: MasterFlag,
}

/// Asks the master and prints.
///
/// # Errors
/// When the master does not answer, or stdout is gone.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    super::alone(async {
        let client = Client::new(&args.master).await?;
        let mut frameworks = client.ask(GetFrameworks {}).await?;
        frameworks.retain(|framework| args.all || framework.state != FrameworkState::Completed);
        if args.json {
            output::json(
                &frameworks
                    .iter()
                    .map(FrameworkView::from)
                    .collect::<Vec<_>>(),
            )?;
        } else {
            output::line(&listed(&frameworks, unix_ms()))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn listed(frameworks: &[FrameworkSummary], now_ms: u64) -> String {
    let headings = [
        "FRAMEWORK",
        "NAME",
        "STATE",
        "ROLES",
        "USER",
        "TASKS",
        "CPUS",
        "MEM MB",
        "REGISTERED",
    ];
    let mut table = table::new(&headings);
    for framework in frameworks {
        let info = &framework.info;
        let roles: Vec<String> = info.roles.iter().map(ToString::to_string).collect();
        let amount = |name| format::amount(framework.used.scalar(name)).into();
        let (state, mood) = match framework.state {
            FrameworkState::Active => ("active", Mood::Good),
            FrameworkState::Disconnected => ("disconnected", Mood::Waiting),
            FrameworkState::Recovered => ("recovered", Mood::Waiting),
            FrameworkState::Completed => ("completed", Mood::Over),
        };
        table.add_row(vec![
            table::id(info.id.as_ref().map_or("", |id| id.as_str())),
            info.name.as_str().into(),
            table::state(state, mood),
            roles.join(",").into(),
            info.user.as_deref().unwrap_or(format::NOTHING).into(),
            framework.tasks.into(),
            amount(&ResourceName::CPUS),
            amount(&ResourceName::MEM),
            format::ago(now_ms, framework.registered_ms).into(),
        ]);
    }
    table::text(&table)
}
