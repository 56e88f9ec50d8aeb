//! The command line: which commands there are, and what they share.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands::{
    agent, agents, bench, certs, completions, demo, example, frameworks, hidden, jobs, keygen,
    kill, log, logs, master, ps, run, status, teardown, top, up,
};
use crate::exit;
use crate::logging::LogFlags;

/// What to try first.
const FIRST_STEPS: &str = "\
First steps:
  tepui demo                  # a cluster, a job and its result, in one go
  tepui up                    # a cluster on this machine, until Ctrl-C
  tepui run -- echo hello     # in another terminal: runs a command on it
";

/// A cluster manager: runs tasks where there is room for them.
#[derive(Debug, Parser)]
#[command(
    name = "tepui",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = FIRST_STEPS,
    after_long_help = format!("{FIRST_STEPS}\n{}", exit::HELP)
)]
pub(crate) struct Cli {
    /// How logs look.
    #[command(flatten)]
    pub(crate) log: LogFlags,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Box<up::Args>),
    Demo(demo::Args),
    Run(Box<run::Args>),
    #[command(visible_alias = "tasks")]
    Ps(ps::Args),
    Logs(logs::Args),
    Kill(kill::Args),
    Agents(agents::Args),
    Frameworks(frameworks::Args),
    Teardown(teardown::Args),
    Status(status::Args),
    Top(top::Args),
    Master(Box<master::Args>),
    Agent(Box<agent::Args>),
    Log(Box<log::Args>),
    Jobs(Box<jobs::Args>),
    Example(example::Args),
    Bench(bench::Args),
    Keygen(keygen::Args),
    Certs(certs::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Zygote,
    #[command(hide = true)]
    Executor,
    #[command(hide = true)]
    ChildOf(hidden::ChildOf),
}

impl Command {
    /// Whether it runs until it is told to end.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self, Command::Master(_) | Command::Agent(_))
            || matches!(self, Command::Log(args) if args.is_daemon())
            || matches!(self, Command::Jobs(args) if args.is_daemon())
    }

    /// Does it; gives what the program exits with.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Command::Up(args) => up::run(*args),
            Command::Demo(args) => demo::run(&args),
            Command::Run(args) => run::run(*args),
            Command::Ps(args) => ps::run(&args),
            Command::Logs(args) => logs::run(&args),
            Command::Kill(args) => kill::run(&args),
            Command::Agents(args) => agents::run(&args),
            Command::Frameworks(args) => frameworks::run(&args),
            Command::Teardown(args) => teardown::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Top(args) => top::run(&args),
            Command::Master(args) => master::run(*args),
            Command::Agent(args) => agent::run(*args),
            Command::Log(args) => log::run(&args),
            Command::Jobs(args) => jobs::run(*args),
            Command::Example(args) => example::run(args),
            Command::Bench(args) => bench::run(&args),
            Command::Keygen(args) => keygen::run(&args),
            Command::Certs(args) => certs::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Zygote => hidden::zygote(),
            Command::Executor => hidden::executor(),
            Command::ChildOf(args) => hidden::child_of(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Splits a line as a shell does, without expansions, up to a comment or another command.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in line.chars() {
            match quote {
                Some(end) if c == end => quote = None,
                Some(_) => word.get_or_insert_default().push(c),
                None if c == '"' || c == '\'' => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                None if c.is_whitespace() => words.extend(word.take()),
                None if (c == '#' || c == '|') && word.is_none() => break,
                None => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    /// The examples in the help of a command and those below it.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let lines = help
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("tepui "));
        let mut examples: Vec<String> = lines.map(str::to_owned).collect();
        examples.extend(command.get_subcommands().flat_map(self::examples));
        examples
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_in_the_help_parses() {
        let examples = examples(&Cli::command());
        assert!(examples.len() > 30, "{}", examples.len());
        for example in examples {
            let arguments = crate::flags::spelled(words(&example).into_iter().map(Into::into));
            if let Err(error) = Cli::try_parse_from(arguments) {
                panic!("`{example}` does not parse: {error}");
            }
        }
    }

    #[test]
    fn every_command_that_is_shown_has_an_example_of_itself() {
        for command in Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let name = command.get_name();
            let own = examples(command)
                .iter()
                .any(|example| words(example).get(1).is_some_and(|word| word == name));
            assert!(own, "{name}");
        }
    }

    #[test]
    fn unknown_flags_are_errors() {
        for line in [
            "tepui master --no-such",
            "tepui agent --no-such=1",
            "tepui ps --no-such",
        ] {
            assert!(Cli::try_parse_from(words(line)).is_err(), "{line}");
        }
    }
}
