//! `tepui completions`: what shells need to complete commands and flags.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output;

/// Prints the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui completions bash      # source <(tepui completions bash)
  tepui completions fish      # > ~/.config/fish/completions/tepui.fish
")]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When stdout is gone.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tepui", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
