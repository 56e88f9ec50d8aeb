//! `tepui ps`: the tasks.

use std::process::ExitCode;

use anyhow::Result;
use api::master::{GetTasks, TaskSummary};
use libproc::env::unix_ms;
use types::{ResourceName, TaskState};

use crate::client::{Client, MasterFlag};
use crate::table::{self, Mood};
use crate::views::TaskView;
use crate::{format, output};

/// Lists tasks, the newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui ps                    # tasks that have not ended
  tepui ps --all              # and those that have, as far as the master remembers
  tepui tasks --json | jq '.[].state'
")]
pub(crate) struct Args {
    /// Tasks that have ended, too
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
        let tasks = client
            .ask(GetTasks {
                framework_id: None,
                ended: args.all,
            })
            .await?;
        if args.json {
            output::json(&tasks.iter().map(TaskView::from).collect::<Vec<_>>())?;
        } else {
            output::line(&listed(&tasks, unix_ms()))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn listed(tasks: &[TaskSummary], now_ms: u64) -> String {
    let headings = [
        "TASK",
        "NAME",
        "FRAMEWORK",
        "STATE",
        "SINCE",
        "CPUS",
        "MEM MB",
        "HOST",
    ];
    let mut table = table::new(&headings);
    for TaskSummary {
        task,
        framework,
        hostname,
        ..
    } in tasks
    {
        let since = task
            .statuses
            .last()
            .map(|status| format::ago(now_ms, status.timestamp_ms));
        let amount = |name| format::amount(task.resources.scalar(name)).into();
        table.add_row(vec![
            table::id(task.task_id.as_str()),
            short_name(&task.name).into(),
            framework.as_str().into(),
            table::state(format::state(task.state), mood(task.state)),
            since.unwrap_or_else(|| format::NOTHING.to_owned()).into(),
            amount(&ResourceName::CPUS),
            amount(&ResourceName::MEM),
            hostname.as_str().into(),
        ]);
    }
    table::text(&table)
}

/// A name that leaves room for the rest of the line.
fn short_name(name: &str) -> String {
    const MAX: usize = 32;
    let mut short: String = name.chars().take(MAX).collect();
    if short.len() < name.len() {
        short.pop();
        short.push(format::CUT);
    }
    short
}

fn mood(state: TaskState) -> Mood {
    match state {
        TaskState::Running => Mood::Good,
        TaskState::Staging | TaskState::Starting | TaskState::Killing => Mood::Waiting,
        TaskState::Failed
        | TaskState::Lost
        | TaskState::Error
        | TaskState::Dropped
        | TaskState::Unreachable
        | TaskState::Gone
        | TaskState::GoneByOperator
        | TaskState::Unknown => Mood::Bad,
        TaskState::Finished | TaskState::Killed => Mood::Over,
    }
}

#[cfg(test)]
mod tests {
    use types::{AgentId, CommandInfo, FrameworkId, Resources, Role, Source, Task, TaskId};
    use types::{TaskInfo, TaskStatus};

    use super::*;

    #[test]
    fn a_task_is_a_line() {
        let task_id = TaskId::new("sleep-1").unwrap();
        let status = TaskStatus::new(task_id.clone(), TaskState::Running, Source::Executor, 1_000);
        let command = CommandInfo::shell("sleep 60");
        let resources = Resources::new().cpus(0.5);
        let info = TaskInfo::command(task_id, AgentId::new("a").unwrap(), command, resources);
        let task = Task {
            name: "sleep 60".into(),
            state: TaskState::Running,
            statuses: vec![status],
            ..Task::staging(&info, FrameworkId::new("f").unwrap(), Role::any(), None)
        };
        let summary = TaskSummary {
            task,
            framework: "run".into(),
            hostname: "box".into(),
            agent: None,
        };
        let lines = listed(&[summary], 61_000);
        let lines: Vec<Vec<&str>> = lines
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "sleep-1", "sleep", "60", "run", "running", "1m", "ago", "0.5", "-", "box"
            ]
        );
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(short_name("short"), "short");
        assert_eq!(short_name(&"x".repeat(40)).chars().count(), 32);
    }
}
