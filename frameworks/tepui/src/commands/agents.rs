//! `tepui agents`: the machines of the cluster.

use std::process::ExitCode;

use anyhow::Result;
use api::master::{AgentState, AgentSummary, GetAgents};
use libproc::env::unix_ms;
use types::ResourceName;

use crate::client::{Client, MasterFlag};
use crate::table::{self, Mood};
use crate::views::AgentView;
use crate::{format, output};

/// Lists agents with what they have and what of it is used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui agents
  tepui agents --json | jq '.[] | select(.state == \"active\") | .hostname'
")]
pub(crate) struct Args {
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
        let agents = client.ask(GetAgents {}).await?;
        if args.json {
            output::json(&agents.iter().map(AgentView::from).collect::<Vec<_>>())?;
        } else {
            output::line(&listed(&agents, unix_ms()))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn listed(agents: &[AgentSummary], now_ms: u64) -> String {
    let headings = [
        "AGENT",
        "HOST",
        "ADDRESS",
        "STATE",
        "TASKS",
        "CPUS",
        "MEM MB",
        "DISK MB",
        "REGISTERED",
    ];
    let mut table = table::new(&headings);
    for agent in agents {
        let share = |name| format::share(&agent.used, &agent.total, name).into();
        let (state, mood) = match agent.state {
            AgentState::Active => ("active", Mood::Good),
            AgentState::Deactivated => ("deactivated", Mood::Waiting),
            AgentState::Draining => ("draining", Mood::Waiting),
            AgentState::Drained => ("drained", Mood::Waiting),
            AgentState::Disconnected => ("disconnected", Mood::Waiting),
            AgentState::Unreachable => ("unreachable", Mood::Bad),
        };
        table.add_row(vec![
            table::id(agent.agent_id.as_str()),
            agent.hostname.as_str().into(),
            agent.pid.upid().address().into(),
            table::state(state, mood),
            agent.tasks.into(),
            share(&ResourceName::CPUS),
            share(&ResourceName::MEM),
            share(&ResourceName::DISK),
            format::ago(now_ms, agent.registered_ms).into(),
        ]);
    }
    table::text(&table)
}
