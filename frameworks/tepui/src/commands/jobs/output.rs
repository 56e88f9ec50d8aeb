//! `tepui jobs logs`, `get-file` and `list-files`: what jobs wrote, also after their ends.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::agent::READ_MAX;
use jobs::ids::Target;
use jobs::protocol::{ListOutput, ReadOutput, Show};

use super::client::{Client, JobsFlag};
use crate::{commands, flags, output};

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Prints what a job has written to its standard output, or to its standard error.
#[derive(Debug, clap::Args)]
pub(super) struct LogsArgs {
    /// The job, or one index of an array, such as 17_3
    #[arg(value_name = "JOB", value_parser = flags::value::<Target>)]
    job: Target,
    /// Standard error instead of standard output
    #[arg(long)]
    stderr: bool,
    /// Goes on with what it writes, until it ends
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

/// Fetches a file that a job has left.
#[derive(Debug, clap::Args)]
pub(super) struct GetFileArgs {
    /// The job, or one index of an array, such as 17_3
    #[arg(value_name = "JOB", value_parser = flags::value::<Target>)]
    job: Target,
    /// The file, from where the job ran
    #[arg(value_name = "PATH")]
    path: String,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    jobs: JobsFlag,
}

/// Lists what lies where a job ran.
#[derive(Debug, clap::Args)]
pub(super) struct ListFilesArgs {
    /// The job, or one index of an array, such as 17_3
    #[arg(value_name = "JOB", value_parser = flags::value::<Target>)]
    job: Target,
    /// A directory below it
    #[arg(value_name = "PATH", default_value = "")]
    path: String,
    /// Prints JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

pub(super) fn logs(args: &LogsArgs) -> Result<ExitCode> {
    let path = if args.stderr {
        sdk::STDERR
    } else {
        sdk::STDOUT
    };
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        match args.follow {
            true => follow(&client, args.job, path).await?,
            false => copy(&client, args.job, path, output::bytes)
                .await
                .map(drop)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn get_file(args: &GetFileArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        match &args.output {
            None => copy(&client, args.job, &args.path, output::bytes).await?,
            Some(to) => {
                let named = || format!("could not write {}", to.display());
                let mut file = std::fs::File::create(to).with_context(named)?;
                let write = |bytes: &[u8]| file.write_all(bytes).with_context(named);
                copy(&client, args.job, &args.path, write).await?
            }
        };
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn list_files(args: &ListFilesArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let (target, path) = (args.job, args.path.clone());
        let entries = client.ask(ListOutput { target, path }).await?;
        match args.json {
            true => output::json(&entries)?,
            false => {
                for entry in &entries {
                    let slash = if entry.directory { "/" } else { "" };
                    output::line(&format!("{:>12}  {}{slash}", entry.size, entry.name))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Copies a file as far as it is there; gives its length.
pub(super) async fn copy(
    client: &Client,
    target: Target,
    path: &str,
    write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    copy_from(client, target, path, 0, write).await
}

async fn copy_from(
    client: &Client,
    target: Target,
    path: &str,
    mut offset: u64,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    loop {
        let (path, length) = (path.to_owned(), READ_MAX);
        let read = ReadOutput {
            target,
            path,
            offset,
            length,
        };
        let chunk = client.ask(read).await?;
        if chunk.data.is_empty() {
            return Ok(offset);
        }
        offset += chunk.data.len() as u64;
        write(&chunk.data)?;
    }
}

async fn follow(client: &Client, target: Target, path: &str) -> Result<()> {
    let mut offset = 0;
    loop {
        let job = client.ask(Show { target }).await?;
        let run = job.run.first();
        let over = run.is_none_or(|run| run.outcome.is_some());
        if run.is_some_and(|run| run.task_id.is_some()) {
            match copy_from(client, target, path, offset, output::bytes).await {
                Ok(end) => offset = end,
                Err(error) if over => return Err(error),
                Err(_) => {} // it has only just begun
            }
        }
        if over {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
