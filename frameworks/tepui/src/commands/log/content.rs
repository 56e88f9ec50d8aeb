//! `tepui log append`, `read` and `truncate`: what is in a log.

use std::io::{self, BufRead as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use replog::{Appended, Bounds, Log, LogError, Position, Refused, Writer};
use serde_json::json;

use super::client::{Client, LogFlag, done};
use crate::output;

/// Longest line that is appended, in bytes: what an entry can have.
const LINE_MAX: usize = 4 << 20;
/// Positions before the end in which is looked for what a log is for: more than the log has of its own
/// in a row.
const LOOK_BACK: u64 = 256;
/// How long to wait for a leader before it is asked for again.
const AGAIN: Duration = Duration::from_millis(100);

/// Appends entries to a log, and prints the position of each.
///
/// Takes over writing: whoever wrote before is told so, and has to start again. Without TEXT it
/// appends the lines of standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log append 'first entry' 'second entry'
  dmesg | tepui log append --replica=10.0.0.1:5070
")]
pub(crate) struct AppendArgs {
    /// What to append, an entry each
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Appends them.
///
/// # Errors
/// When there is no leader, or another writer takes over.
pub(crate) fn append(args: &AppendArgs) -> Result<ExitCode> {
    super::super::alone(async {
        let client = Client::new(&args.log).await?;
        client.check_writable()?;
        let writer = own_writer(&client.log).await?;
        let show = |position: Position| match args.json {
            true => output::json(&json!({"position": position.0})),
            false => output::line(&position.to_string()),
        };
        for text in &args.texts {
            show(done("append", writer.append(text.clone())).await?)?;
        }
        if args.texts.is_empty() {
            for line in io::stdin().lock().lines() {
                let line = line.context("could not read standard input")?;
                if line.len() > LINE_MAX {
                    bail!(
                        "a line has {} bytes; an entry can have {LINE_MAX}",
                        line.len()
                    );
                }
                show(done("append", writer.append(line)).await?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Where a log begins and ends, as soon as somebody leads it.
async fn bounds_once_led(log: &Log) -> Result<Bounds, LogError> {
    loop {
        let seen = log.leadership(None).await?;
        match log.bounds().await {
            Err(LogError::Refused(Refused::NotLeader { .. })) => {}
            outcome => return outcome,
        }
        // A leader that is known may not lead yet: then nothing changes here when it does.
        let changed = tokio::time::timeout(AGAIN, log.leadership(Some(seen))).await;
        changed.map_or(Ok(()), |changed| changed.map(drop))?;
    }
}

/// The writer of a log that is ours to write: one in which variables are kept, such as the registry of
/// masters, is theirs, and who took over writing would stop them.
///
/// # Errors
/// When it is theirs, or there is no leader.
async fn own_writer(log: &Log) -> Result<Writer> {
    let bounds = done("find the end of the log", bounds_once_led(log)).await?;
    let from = Position(bounds.end.0.saturating_sub(LOOK_BACK)).max(bounds.begin);
    if from <= bounds.end {
        let reader = log.reader();
        let last = done("see whose the log is", reader.read_some(from, bounds.end)).await?;
        if last
            .appended
            .iter()
            .any(|entry| state::is_of_variables(&entry.data))
        {
            bail!(
                "variables are kept in this log, as the registry of masters is: only who keeps them may \
                 write to it. Name another log with --replica, or read this one with `tepui log read`"
            );
        }
    }
    let mut writer = log.writer();
    done("start to write", writer.start()).await?;
    Ok(writer)
}

/// Prints what is in a log.
///
/// Everything that was appended before is shown, whichever replica is asked; with --local, what
/// that replica knows, which may be less, and needs no leader.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log read
  tepui log read --from=100 --to=200 --json
  tepui log read --follow
")]
pub(crate) struct ReadArgs {
    /// The first position [default: the beginning]
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// The last position [default: the end]
    #[arg(long, value_name = "POSITION", conflicts_with = "follow")]
    to: Option<u64>,
    /// Go on with what is appended later, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Read what this replica knows, without asking the leader how far the log goes
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON, a line each
    #[arg(long)]
    json: bool,
}

/// Prints it.
///
/// # Errors
/// When it is truncated or damaged there, or no replica answers.
pub(crate) fn read(args: &ReadArgs) -> Result<ExitCode> {
    super::super::alone(async {
        let client = Client::new(&args.log).await?;
        let (begin, end) = match args.local || args.follow {
            true => (client.status.begin, client.status.commit),
            false => {
                let bounds = done("find the end of the log", client.log.bounds()).await?;
                (bounds.begin, bounds.end)
            }
        };
        let from = args.from.map_or(begin, Position);
        if args.follow {
            let mut follower = client.log.reader().follow(from);
            loop {
                show(&follower.next().await?, args.json)?;
            }
        }
        let to = args.to.map_or(end, Position);
        read_range(&client.log, from, to, args.json).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn read_range(log: &Log, from: Position, to: Position, json: bool) -> Result<()> {
    let reader = log.reader();
    let mut next = from;
    while next <= to {
        let entries = done("read the log", reader.read_some(next, to)).await?;
        if entries.next == next {
            break;
        }
        next = entries.next;
        for appended in &entries.appended {
            show(appended, json)?;
        }
    }
    Ok(())
}

fn show(appended: &Appended, json: bool) -> Result<()> {
    let Appended { position, data } = appended;
    let text = String::from_utf8_lossy(data);
    match json {
        true => output::line(&json!({"position": position.0, "data": text}).to_string()),
        false => output::line(&format!("{position}\t{text}")),
    }
}

/// Forgets everything in a log before a position, on all replicas.
///
/// Takes over writing, as `tepui log append` does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log truncate 1000
")]
pub(crate) struct TruncateArgs {
    /// The first position that is kept
    #[arg(value_name = "POSITION")]
    to: u64,
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Forgets it.
///
/// # Errors
/// When the log ends before, or there is no leader.
pub(crate) fn truncate(args: &TruncateArgs) -> Result<ExitCode> {
    super::super::alone(async {
        let client = Client::new(&args.log).await?;
        client.check_writable()?;
        let writer = own_writer(&client.log).await?;
        let position = done("truncate the log", writer.truncate(Position(args.to))).await?;
        match args.json {
            true => output::json(&json!({"begin": args.to, "position": position.0}))?,
            false => output::line(&format!("the log begins at {}", args.to))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
