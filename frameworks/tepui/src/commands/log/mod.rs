//! `tepui log`: replicas of a log, and what is in it.

mod check;
mod client;
mod content;
mod init;
mod members;
mod replica;
mod status;

use std::process::ExitCode;

use anyhow::Result;

/// Where a replica listens unless told otherwise.
pub(crate) const PORT: u16 = 5070;

/// Runs replicas of a log, reads and appends, changes who votes, and checks files.
///
/// A log is on several replicas, most often three or five, each with a directory of its own. What
/// was appended is on the disks of a majority, in the same order on all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log replica /var/lib/log --node=1 --replicas=1=10.0.0.1:5070,2=10.0.0.2:5070,3=10.0.0.3:5070
  tepui log status --replica=10.0.0.1:5070
  tepui log append --replica=10.0.0.1:5070 'first line' 'second line'
  tepui log read --replica=10.0.0.2:5070 --follow
  tepui log check /var/lib/log
")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Init(init::Args),
    Replica(replica::Args),
    Status(status::Args),
    Replicas(members::ListArgs),
    Add(members::AddArgs),
    Remove(members::RemoveArgs),
    Append(content::AppendArgs),
    Read(content::ReadArgs),
    Truncate(content::TruncateArgs),
    Check(check::Args),
    /// Measures a log of three replicas on one disk of this machine, beside bare writes and flushes
    ///
    /// Figures are to be read as ratios of one run: machines and disks are noisy.
    #[command(after_help = "\
Examples:
  tepui log bench
  tepui log bench --parts=appends --seconds=10 --dir=/var/lib/bench
  tepui log bench --parts=restart,catch-up,failover --json
")]
    Bench(benches::log::Args),
}

impl Args {
    /// Whether it runs until it is told to end.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.what, What::Replica(_))
    }
}

/// Does what was asked for.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::Init(args) => init::run(args),
        What::Replica(args) => replica::run(args),
        What::Status(args) => status::run(args),
        What::Replicas(args) => members::list(args),
        What::Add(args) => members::add(args),
        What::Remove(args) => members::remove(args),
        What::Append(args) => content::append(args),
        What::Read(args) => content::read(args),
        What::Truncate(args) => content::truncate(args),
        What::Check(args) => check::run(args),
        What::Bench(args) => {
            benches::log::run(args)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
