//! `tepui jobs`: a queue of jobs, and the commands to use it.

mod apps;
mod client;
mod output;
mod show;
mod start;
mod submit;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What to try first.
const EXAMPLES: &str = "\
Examples:
  tepui jobs start --state=/var/lib/tepui/jobs     # the queue, until it is told to end
  tepui jobs submit --array=1-100 'crunch part-$TEPUI_JOB_INDEX'
  tepui jobs submit --after=17 -- ./report --all   # when job 17 has succeeded
  tepui jobs run -- make test                      # waits, prints, exits as it does
  tepui jobs list --state=queued
  tepui jobs show 17                               # names what it waits for
  tepui jobs logs 17_3
  tepui jobs wait 17 18
";

/// Runs a queue of jobs, or uses one.
///
/// A job is a command that runs when there is room for it, is tried again if it fails and may, and
/// is remembered with its result. An array is one job of many runs: 17_3 is index 3 of job 17.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(start::Args),
    Submit(Box<submit::Args>),
    Run(Box<submit::RunArgs>),
    List(show::ListArgs),
    #[command(visible_alias = "get-job")]
    Show(show::ShowArgs),
    Logs(output::LogsArgs),
    GetFile(output::GetFileArgs),
    ListFiles(output::ListFilesArgs),
    Kill(show::KillArgs),
    Wait(show::WaitArgs),
    Apps(apps::Args),
}

impl Args {
    /// Whether it runs until it is told to end.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, Command::Start(_))
    }
}

/// Does it.
///
/// # Errors
/// When there is no queue, or it refuses.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Start(args) => start::run(&args),
        Command::Submit(args) => submit::run(&args),
        Command::Run(args) => submit::run_and_wait(&args),
        Command::List(args) => show::list(&args),
        Command::Show(args) => show::show(&args),
        Command::Logs(args) => output::logs(&args),
        Command::GetFile(args) => output::get_file(&args),
        Command::ListFiles(args) => output::list_files(&args),
        Command::Kill(args) => show::kill(&args),
        Command::Wait(args) => show::wait(&args),
        Command::Apps(args) => apps::run(&args),
    }
}
