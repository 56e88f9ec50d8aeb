//! `tepui logs`: what a task has printed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use api::agent::READ_MAX;
use api::master::TaskSummary;

use crate::client::{Client, MasterFlag, pid_at};
use crate::commands::kill::find_all;
use crate::follow::{Part, STDERR, STDOUT, Sandbox};
use crate::{ids, output};

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How much is read at once when looking for the last lines, in bytes.
const BLOCK: u32 = 64 << 10;

/// Prints what a task has written to its standard output, or to its standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui logs hello-1f3a6c
  tepui logs -f --stderr hello      # goes on until the task ends; a beginning is enough
  tepui logs -n 20 hello-1f3a6c     # the last 20 lines
  tepui logs --file=result.csv job-1f3a6c
")]
pub(crate) struct Args {
    /// The id of the task, or its beginning
    #[arg(value_name = "TASK")]
    task: String,
    /// Goes on with what the task writes, until it ends
    #[arg(long, short)]
    follow: bool,
    /// Standard error instead of standard output
    #[arg(long)]
    stderr: bool,
    /// Another file in the sandbox of the task
    #[arg(long, value_name = "PATH", conflicts_with = "stderr")]
    file: Option<String>,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    lines: Option<u64>,
    /// The id of the framework, or its beginning, where several have such a task
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    #[command(flatten)]
    master: MasterFlag,
}

/// Finds the task, asks its agent and prints.
///
/// # Errors
/// When the master or the agent does not answer, or there is no such task or file.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    super::alone(async {
        let client = Client::new(&args.master).await?;
        let tasks = find_all(&client, args.framework.as_deref(), true).await?;
        let found = ids::find("task", &args.task, &tasks, |one| one.task.task_id.as_str())?;
        let sandbox = sandbox(&client, found)?;
        let path = match (&args.file, args.stderr) {
            (Some(path), _) => path,
            (None, true) => STDERR,
            (None, false) => STDOUT,
        };
        print(&sandbox, path, args).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn sandbox(client: &Client, found: &TaskSummary) -> Result<Sandbox> {
    let agent = found.agent.as_ref();
    let agent = agent.with_context(|| {
        let (task, agent) = (&found.task.task_id, &found.task.agent_id);
        format!("the agent of {task}, {agent}, is not connected: its files cannot be read")
    })?;
    Ok(Sandbox {
        node: client.node.clone(),
        // The agent's address is a fact of the master; its id is the same everywhere.
        agent: pid_at(api::AGENT, agent.upid().address()),
        framework_id: found.task.framework_id.clone(),
        task_id: found.task.task_id.clone(),
    })
}

async fn print(sandbox: &Sandbox, path: &str, args: &Args) -> Result<()> {
    let first = sandbox.read(path, 0, 0).await;
    let size = match first {
        Ok(chunk) => chunk.size,
        // A task that has just started may not have the file yet.
        Err(_) if args.follow && args.file.is_none() => 0,
        Err(error) => return Err(explain(sandbox, path, error).await),
    };
    let mut offset = match args.lines {
        Some(lines) => start_of_last(sandbox, path, size, lines).await?,
        None => 0,
    };
    loop {
        match sandbox.next(path, offset).await? {
            Part::Bytes(bytes) => {
                offset += bytes.len() as u64;
                output::bytes(&bytes)?;
            }
            Part::End => return Ok(()),
            Part::NoneYet | Part::NoFile if args.follow => tokio::time::sleep(LOOK).await,
            Part::NoneYet | Part::NoFile => return Ok(()),
        }
    }
}

/// Where the last `lines` lines begin in the first `size` bytes of a file.
async fn start_of_last(sandbox: &Sandbox, path: &str, size: u64, lines: u64) -> Result<u64> {
    let (mut end, mut counted, mut last_byte) = (size, 0, true);
    while end > 0 {
        let start = end.saturating_sub(u64::from(BLOCK.min(READ_MAX)));
        let block = sandbox.read(path, start, (end - start) as u32).await?.data;
        for (index, byte) in block.iter().enumerate().rev() {
            // The end of the last line begins no other one.
            counted += u64::from(*byte == b'\n' && !last_byte);
            if (*byte == b'\n' && !last_byte && counted >= lines) || lines == 0 {
                return Ok(start + index as u64 + 1);
            }
            last_byte = false;
        }
        if block.is_empty() {
            return Ok(start); // the file became shorter
        }
        end = start;
    }
    Ok(0)
}

/// Says what is there when a file is not.
async fn explain(sandbox: &Sandbox, path: &str, error: anyhow::Error) -> anyhow::Error {
    let task = &sandbox.task_id;
    let files = sandbox.files().await.unwrap_or_default();
    match files.is_empty() {
        true => error.context(format!("could not read {path} of {task}")),
        false => anyhow!(
            "there is no {path} in the sandbox of {task}: {}",
            files.join(", ")
        ),
    }
}
