//! `tepui kill`: ends tasks.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use api::master::{GetTasks, KillTask, TaskSummary};

use crate::client::{Client, MasterFlag};
use crate::{ids, output};

/// Ends tasks: politely first, by force after their grace period.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui kill sleep-1f3a6c
  tepui kill sleep            # the beginning of an id is enough where only one fits
  tepui kill task-1 --framework=1b9d6bcd
")]
pub(crate) struct Args {
    /// The ids of the tasks, or their beginnings
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// The id of the framework, or its beginning, where several have such a task
    #[arg(long, short, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// Prints JSON, for scripts: the tasks that are being ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    master: MasterFlag,
}

/// Asks the master to end each of the tasks.
///
/// # Errors
/// When the master does not answer, there is no such task, or it cannot be ended.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    super::alone(async {
        let client = Client::new(&args.master).await?;
        let tasks = find_all(&client, args.framework.as_deref(), false).await?;
        let mut killed = Vec::new();
        for text in &args.tasks {
            let found = ids::find("task", text, &tasks, |summary| {
                summary.task.task_id.as_str()
            })?;
            let task_id = found.task.task_id.clone();
            let framework_id = Some(found.task.framework_id.clone());
            let answer = client
                .ask(KillTask {
                    task_id: task_id.clone(),
                    framework_id,
                })
                .await?;
            answer.map_err(|why| anyhow!("could not kill {task_id}: {why}"))?;
            if !args.json {
                output::line(&format!("killing {task_id}"))?;
            }
            killed.push(task_id.to_string());
        }
        if args.json {
            output::json(&killed)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The tasks of a framework, named by its id or name or their beginnings, or of all.
///
/// # Errors
/// When the master does not answer, or there is no such framework.
pub(crate) async fn find_all(
    client: &Client,
    framework: Option<&str>,
    ended: bool,
) -> Result<Vec<TaskSummary>> {
    let framework_id = match framework {
        Some(text) => Some(super::teardown::find(client, text).await?),
        None => None,
    };
    client
        .ask(GetTasks {
            framework_id,
            ended,
        })
        .await
}
