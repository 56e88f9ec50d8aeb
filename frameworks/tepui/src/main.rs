//! The one binary: master, agent, a cluster on a laptop, and the commands to use it.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod authentication;
mod cli;
mod client;
mod commands;
mod exit;
mod flags;
mod follow;
mod format;
mod ids;
mod lifeline;
mod local;
mod logging;
mod machine;
mod masters;
mod output;
mod run;
mod security;
mod table;
mod top;
mod views;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The zygote forks, so it comes before anything that could start a thread.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "zygote")
    {
        commands::hidden::zygote();
    }
    let cli = cli::Cli::parse_from(flags::spelled(std::env::args_os()));
    cli.log.start(cli.command.is_daemon());
    exit::code(cli.command.run())
}
