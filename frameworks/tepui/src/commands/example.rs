//! `tepui example`: frameworks to learn from.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::local::executable;
use crate::security::SecurityFlags;

/// Runs one of the example frameworks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui example sleepers --tasks=100 --seconds=1
  tepui example wordcount
")]
pub(crate) struct Args {
    #[command(flatten)]
    security: SecurityFlags,
    #[command(subcommand)]
    example: Example,
}

#[derive(Debug, Subcommand)]
enum Example {
    /// Sleeps many times at once
    Sleepers(examples::sleepers::Args),
    /// Counts the words of books, in two steps
    Wordcount(examples::wordcount::Args),
}

/// Runs it.
///
/// # Errors
/// When there is no master, or the example fails.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let security = Some(args.security.load()?);
    match args.example {
        Example::Sleepers(mut args) => {
            args.security = security;
            examples::sleepers::main(args)
        }
        Example::Wordcount(mut args) => {
            args.security = security;
            // Its tasks call this program again.
            let tepui = executable().to_string_lossy().into_owned();
            args.program = vec![tepui, "example".to_owned(), "wordcount".to_owned()];
            examples::wordcount::main(args)
        }
    }
}
