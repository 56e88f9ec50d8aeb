//! `tepui jobs list`, `show`, `kill` and `wait`: what became of jobs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use jobs::ids::{JobId, Target};
use jobs::job::Outcome;
use jobs::protocol::{Kill, List, Show};
use jobs::view::{JobView, PAGE_MAX, Phase, Query, RunView, indices};
use libproc::env::unix_ms;

use super::client::{Client, JobsFlag};
use crate::table::{self, Mood};
use crate::{commands, exit, flags, format, output};

/// How often a job that is waited for is looked at: at first, and at last.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// Lists jobs, the newest first.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only those in a state: queued, starting, started, finished or killed; can be given several
    /// times
    #[arg(long = "state", value_name = "STATE", value_parser = phase)]
    states: Vec<Phase>,
    /// Only those with a tag
    #[arg(long)]
    tag: Option<String>,
    /// Only those of a user
    #[arg(long)]
    user: Option<String>,
    /// Only those of an application
    #[arg(long)]
    app: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "COUNT", default_value = "100")]
    limit: usize,
    /// Only older ones than this job
    #[arg(long, value_name = "JOB")]
    before: Option<u64>,
    /// Prints JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

/// Shows a job: its result, or what it waits for.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The job, or one index of an array, such as 17_3
    #[arg(value_name = "JOB", value_parser = flags::value::<Target>)]
    job: Target,
    /// Prints JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

/// Ends jobs: what waits at once, what runs when its agent has ended it.
#[derive(Debug, clap::Args)]
pub(super) struct KillArgs {
    /// The jobs, or indices of arrays
    #[arg(required = true, value_name = "JOB", value_parser = flags::value::<Target>)]
    targets: Vec<Target>,
    #[command(flatten)]
    jobs: JobsFlag,
}

/// Waits until jobs have ended; exits with the first result that is not 0.
#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// The jobs, or indices of arrays
    #[arg(required = true, value_name = "JOB", value_parser = flags::value::<Target>)]
    targets: Vec<Target>,
    /// Prints JSON, for scripts: the jobs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
}

pub(super) fn list(args: &ListArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let mut query = Query {
            before: args.before.map(JobId),
            limit: None,
            states: args.states.clone(),
            tag: args.tag.clone(),
            user: args.user.clone(),
            app: args.app.clone(),
        };
        let mut jobs: Vec<JobView> = Vec::new();
        while jobs.len() < args.limit {
            query.limit = Some((args.limit - jobs.len()).min(PAGE_MAX));
            let page = client
                .ask(List {
                    query: query.clone(),
                })
                .await?;
            jobs.extend(page.jobs);
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        match args.json {
            true => output::json(&jobs)?,
            false => output::line(&listed(&jobs, unix_ms()))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn show(args: &ShowArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let job = client.ask(Show { target: args.job }).await?;
        match args.json {
            true => output::json(&job)?,
            false => output::line(&shown(&job, unix_ms()))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn kill(args: &KillArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        for target in &args.targets {
            let ended = client.ask(Kill { target: *target }).await?;
            match ended {
                0 => output::line(&format!("{target} has ended already"))?,
                1 => output::line(&format!("killing {target}"))?,
                runs => output::line(&format!("killing {runs} runs of {target}"))?,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn wait(args: &WaitArgs) -> Result<ExitCode> {
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let mut jobs = Vec::new();
        for target in &args.targets {
            let job = ended(&client, *target).await?;
            if !args.json {
                say_why(&job);
            }
            jobs.push(job);
        }
        if args.json {
            output::json(&jobs)?;
        }
        let first_bad = jobs
            .iter()
            .map(code_of)
            .find(|code| *code != ExitCode::SUCCESS);
        Ok(first_bad.unwrap_or(ExitCode::SUCCESS))
    })
}

/// What is meant by a target, when it has ended.
pub(super) async fn ended(client: &Client, target: Target) -> Result<JobView> {
    let mut wait = LOOKS.0;
    loop {
        let job = client.ask(Show { target }).await?;
        let over = match target.index {
            Some(_) => job.run.iter().all(|run| run.outcome.is_some()),
            None => job.open == 0,
        };
        if over {
            return Ok(job);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOOKS.1);
    }
}

/// What to exit with for a job that has ended: its result, or the first of an array that is not 0.
pub(super) fn code_of(job: &JobView) -> ExitCode {
    let code = |run: &RunView| match (run.outcome, run.code) {
        (Some(Outcome::Succeeded), _) => 0,
        (Some(Outcome::TimedOut), _) => 124,
        (_, Some(code)) if code != 0 => u8::try_from(code).unwrap_or(exit::FAILED),
        (_, _) => exit::NOT_RUN,
    };
    let first_bad = job.run.iter().map(code).find(|code| *code != 0);
    // An array is shown in part only; it may have failed in the rest.
    let hidden = u8::from(job.failed > 0 && job.runs as usize > job.run.len());
    ExitCode::from(first_bad.unwrap_or(hidden))
}

/// Says on standard error why a job did not succeed.
pub(super) fn say_why(job: &JobView) {
    let failed = job
        .run
        .iter()
        .filter(|run| run.outcome != Some(Outcome::Succeeded));
    for run in failed.take(10) {
        let reason = run.reason.as_deref().unwrap_or("nobody says why");
        eprintln!("job {} has not succeeded: {reason}", run.id);
    }
}

fn listed(jobs: &[JobView], now_ms: u64) -> String {
    let headings = [
        "JOB",
        "NAME",
        "USER",
        "STATE",
        "RUNS",
        "OPEN",
        "FAILED",
        "SUBMITTED",
    ];
    let mut table = table::new(&headings);
    for job in jobs {
        let submitted = format::ago(now_ms, job.submitted_ms);
        table.add_row(vec![
            job.id.to_string().into(),
            job.spec.title().into(),
            job.spec.user.as_str().into(),
            table::state(word(job.state), mood(job.state, job.failed)),
            job.runs.to_string().into(),
            job.open.to_string().into(),
            job.failed.to_string().into(),
            submitted.into(),
        ]);
    }
    table::text(&table)
}

fn shown(job: &JobView, now_ms: u64) -> String {
    let spec = &job.spec;
    let mut rows = vec![
        ("job", job.id.to_string()),
        ("name", spec.title()),
        ("command", spec.command.line()),
        ("user", spec.user.clone()),
        ("state", word(job.state)),
        ("needs", spec.need.to_string()),
        ("submitted", format::ago(now_ms, job.submitted_ms)),
    ];
    let after: Vec<String> = spec
        .after
        .iter()
        .map(|after| after.job.to_string())
        .collect();
    let constraints: Vec<String> = spec.constraints.iter().map(ToString::to_string).collect();
    let more = [
        ("key", spec.key.clone()),
        ("after", (!after.is_empty()).then(|| after.join(", "))),
        (
            "constraints",
            (!constraints.is_empty()).then(|| constraints.join(", ")),
        ),
        ("array", spec.array.map(indices)),
    ];
    rows.extend(
        more.into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if let [run] = job.run.as_slice() {
        rows.extend(of_run(run));
        let mut text = table::pairs(&rows);
        if let Some(stderr) = &run.stderr {
            text = format!(
                "{text}\n\nthe end of its standard error:\n{}",
                stderr.trim_end()
            );
        }
        return text;
    }
    rows.push(("open", format!("{} of {}", job.open, job.runs)));
    rows.push(("failed", job.failed.to_string()));
    let mut table = table::new(&["RUN", "STATE", "CODE", "HOST", "TRIES", "REASON"]);
    for run in &job.run {
        let code = run
            .code
            .map_or_else(|| format::NOTHING.to_owned(), |code| code.to_string());
        let failed = u32::from(
            run.outcome
                .is_some_and(|outcome| outcome != Outcome::Succeeded),
        );
        table.add_row(vec![
            run.id.to_string().into(),
            table::state(word(run.state), mood(run.state, failed)),
            code.into(),
            run.host.as_deref().unwrap_or(format::NOTHING).into(),
            (run.attempt + 1).to_string().into(),
            run.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    format!("{}\n\n{}", table::pairs(&rows), table::text(&table))
}

fn of_run(run: &RunView) -> Vec<(&'static str, String)> {
    let duration = run.started_ms.zip(run.ended_ms).map(|(started, ended)| {
        let took = Duration::from_millis(ended.saturating_sub(started));
        format!("{:.3} s", took.as_secs_f64())
    });
    let rows = [
        ("result", run.code.map(|code| code.to_string())),
        ("reason", run.reason.clone()),
        ("tries", Some((run.attempt + 1).to_string())),
        ("host", run.host.clone()),
        ("task", run.task_id.clone()),
        ("took", duration),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn word(phase: Phase) -> String {
    match phase {
        Phase::Queued => "queued",
        Phase::Starting => "starting",
        Phase::Started => "started",
        Phase::Finished => "finished",
        Phase::Killed => "killed",
    }
    .to_owned()
}

fn phase(text: &str) -> Result<Phase, String> {
    let all = [
        Phase::Queued,
        Phase::Starting,
        Phase::Started,
        Phase::Finished,
        Phase::Killed,
    ];
    let found = all
        .into_iter()
        .find(|phase| word(*phase) == text.to_lowercase());
    found.ok_or_else(|| "expected queued, starting, started, finished or killed".to_owned())
}

fn mood(phase: Phase, failed: u32) -> Mood {
    match phase {
        Phase::Queued | Phase::Starting => Mood::Waiting,
        Phase::Started => Mood::Good,
        Phase::Finished if failed == 0 => Mood::Over,
        Phase::Finished | Phase::Killed => Mood::Bad,
    }
}
