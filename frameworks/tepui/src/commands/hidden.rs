//! Commands for the program itself: the zygote of an agent, and a child that ends with its parent.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// Runs as the zygote of an agent, which forks executors.
pub(crate) fn zygote() -> ! {
    agent::launcher::zygote::main(agent::run_executor)
}

/// Refuses: executors are started by the agent.
///
/// # Errors
/// Always.
pub(crate) fn executor() -> Result<ExitCode> {
    bail!("executors are started by `tepui agent`, not by hand")
}

/// Becomes a command that is told to end when its parent is gone.
#[derive(Debug, clap::Args)]
pub(crate) struct ChildOf {
    /// The process id of the parent
    parent: i32,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Becomes the command.
///
/// # Errors
/// When it cannot be executed, or the parent is gone already.
pub(crate) fn child_of(args: ChildOf) -> Result<ExitCode> {
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if getppid() != Pid::from_raw(args.parent) {
        bail!("the program that started this one is gone");
    }
    let [program, words @ ..] = &args.command[..] else {
        bail!("no command was given")
    };
    let error = Command::new(program).args(words).exec();
    // What shells exit with when a command is not there, or is no command.
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    Err(crate::exit::error(
        code,
        format!("could not run `{program}`: {error}"),
    ))
}
