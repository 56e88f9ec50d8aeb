//! `tepui jobs apps`: what jobs of an application have in common.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use jobs::job::App;
use jobs::protocol::{Apps, PutApp, RemoveApp};

use super::client::{Client, JobsFlag};
use crate::{commands, flags, output, table};

/// Lists applications, sets one, or forgets one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui jobs apps
  tepui jobs apps --load=crunch --file=http://store/crunch.tar.gz --env=LEVEL=3
  tepui jobs apps --unload=crunch
")]
pub(super) struct Args {
    /// Sets an application: its jobs fetch its files and have its variables
    #[arg(long, value_name = "APP", conflicts_with = "unload")]
    load: Option<String>,
    /// Forgets an application; its jobs go on
    #[arg(long, value_name = "APP")]
    unload: Option<String>,
    /// What each of its jobs fetches first; can be given several times
    #[arg(long = "file", value_name = "URI", requires = "load")]
    files: Vec<String>,
    /// A variable of each of its jobs; can be given several times
    #[arg(long, value_name = "NAME=VALUE", requires = "load", value_parser = flags::variable)]
    env: Vec<(String, String)>,
    /// The user of the operating system its jobs run as
    #[arg(long, requires = "load")]
    run_as: Option<String>,
    /// Whose it is
    #[arg(long, env = "USER", default_value = "")]
    owner: String,
    /// Prints JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        if let Some(id) = &args.load {
            let app = App {
                id: id.clone(),
                owner: args.owner.clone(),
                files: args.files.clone(),
                env: BTreeMap::from_iter(args.env.iter().cloned()),
                run_as: args.run_as.clone(),
            };
            client.ask(PutApp { app }).await?;
        } else if let Some(id) = &args.unload {
            if !client.ask(RemoveApp { id: id.clone() }).await? {
                bail!("there is no application {id}");
            }
        } else {
            let apps = client.ask(Apps {}).await?;
            match args.json {
                true => output::json(&apps)?,
                false => output::line(&listed(&apps))?,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn listed(apps: &[App]) -> String {
    let mut table = table::new(&["APP", "OWNER", "FILES", "VARIABLES"]);
    for app in apps {
        let variables: Vec<&str> = app.env.keys().map(String::as_str).collect();
        table.add_row(vec![
            app.id.clone(),
            app.owner.clone(),
            app.files.join(" "),
            variables.join(" "),
        ]);
    }
    table::text(&table)
}
