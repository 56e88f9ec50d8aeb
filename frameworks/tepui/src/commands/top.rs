//! `tepui top`: what a node and its processes are doing, live.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::client;
use crate::top::{Feed, Sort, Wanted, live, measured, report};
use crate::{flags, output};

/// Shortest and longest time between two looks.
const INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(60)];

/// Shows what a node and its processes are doing: a master, an agent, or any program of libproc.
///
/// On a terminal the table is live; otherwise it is printed once. Rates are over the time between
/// two looks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui top 10.0.0.1:5051           # keys: b, m, h sort, / filters, p pauses, q quits
  tepui top --once --sort=mailbox   # prints one table of the master's processes
  tepui top --json --limit=5 10.0.0.1:5051 | jq .node.letters_per_s
")]
pub(crate) struct Args {
    /// The node, as host:port or ip:port [default: the master, from $TEPUI_MASTER or
    /// $MESOS_MASTER, else 127.0.0.1:5050]
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
    /// What the processes with most of come first
    #[arg(long, short, value_enum, default_value = "busy", value_name = "WHAT")]
    sort: Sort,
    /// Only processes whose ids begin like this
    #[arg(
        long,
        value_name = "BEGINNING",
        default_value = "",
        hide_default_value = true
    )]
    prefix: String,
    /// How many processes are printed
    #[arg(long, short = 'n', default_value_t = 20, value_name = "PROCESSES",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Time between two looks, 100ms to 1mins
    #[arg(long, short, default_value = "1secs", value_name = "DURATION",
          value_parser = flags::duration)]
    interval: Duration,
    /// Prints one table and exits
    #[arg(long)]
    once: bool,
    /// Prints JSON once, for scripts
    #[arg(long)]
    json: bool,
}

/// Looks and shows.
///
/// # Errors
/// When no node answers, or stdout is gone.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let [shortest, longest] = INTERVALS;
    if !(shortest..=longest).contains(&args.interval) {
        bail!("--interval has to be between 100ms and 1mins");
    }
    let name = args.address.clone().unwrap_or_else(|| {
        let master = std::env::var("TEPUI_MASTER").ok();
        client::master_text(master.as_deref())
    });
    super::alone(async {
        let address = client::resolve(&name, api::MASTER_PORT)?;
        let mut feed = Feed::new(address, name);
        let wanted = Wanted {
            sort: args.sort,
            prefix: args.prefix.clone(),
        };
        let eyes = output::is_terminal() && std::io::stdin().is_terminal();
        if eyes && !args.once && !args.json {
            live(feed, wanted, args.interval).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let before = feed.look(&wanted).await?;
        tokio::time::sleep(args.interval).await;
        let now = feed.look(&wanted).await?;
        let mut view = measured(&before, &now, args.sort);
        view.processes.truncate(args.limit.into());
        if args.json {
            output::json(&view)?;
        } else {
            output::line(&report(&view, feed.name(), args.sort))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
