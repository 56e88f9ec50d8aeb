//! `tepui status`: the cluster in a few lines.

use std::process::ExitCode;

use anyhow::Result;
use api::master::{GetMaster, MasterSummary};
use libproc::env::unix_ms;
use types::ResourceName;

use crate::client::{Client, MasterFlag};
use crate::masters::{self, OneOf};
use crate::views::MasterView;
use crate::{format, output, table};

/// Shows the master that leads, those that would follow it, and what the cluster has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui status
  tepui status --master=10.0.0.1:5050 --json
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
        let master = client.ask(GetMaster {}).await?;
        let masters = masters::of(&client.node, client.master.upid().address()).await;
        if args.json {
            output::json(&MasterView::from(&master).among(&masters))?;
        } else {
            output::line(&described(&master, &masters, unix_ms()))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn described(master: &MasterSummary, masters: &[OneOf], now_ms: u64) -> String {
    let info = &master.info;
    let used = |name| format!("{} used", format::share(&master.used, &master.total, name));
    let mut rows = vec![
        ("master", format!("{} on {}", info.address, info.hostname)),
        ("id", info.id.clone()),
        ("version", info.version.clone()),
        ("started", format::ago(now_ms, master.started_ms)),
        ("agents", master.agents.to_string()),
        ("frameworks", master.frameworks.to_string()),
        ("tasks", master.tasks.to_string()),
        ("cpus", used(&ResourceName::CPUS)),
        ("mem MB", used(&ResourceName::MEM)),
        ("disk MB", used(&ResourceName::DISK)),
    ];
    if !masters.is_empty() {
        rows.insert(1, ("masters", masters::described(masters)));
    }
    table::pairs(&rows)
}

#[cfg(test)]
mod tests {
    use types::{MasterInfo, Resources};

    use super::*;

    #[test]
    fn a_cluster_is_a_few_lines() {
        let master = MasterSummary {
            info: MasterInfo {
                id: "m".into(),
                hostname: "box".into(),
                address: "127.0.0.1:5050".into(),
                version: "0.1.0".into(),
            },
            started_ms: 0,
            agents: 3,
            frameworks: 1,
            tasks: 2,
            total: Resources::new().cpus(6.0),
            used: Resources::new().cpus(0.2),
        };
        let text = described(&master, &[], 5_000);
        assert!(
            text.starts_with("master      127.0.0.1:5050 on box\n"),
            "{text}"
        );
        assert!(text.contains("\nstarted     5s ago\n"), "{text}");
        assert!(text.contains("\ncpus        0.2/6 used\n"), "{text}");
    }
}
