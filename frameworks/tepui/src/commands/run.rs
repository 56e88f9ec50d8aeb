//! `tepui run`: a command on the cluster, as if it ran here.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::RangedU64ValueParser;
use libproc::env;
use rand::Rng as _;
use types::{CommandInfo, FrameworkInfo, Resource, ResourceName, Resources, Role, Scalar};

use crate::client::{Client, MasterFlag};
use crate::flags;
use crate::output;
use crate::run::printer::Style;
use crate::run::runner::Work;
use crate::run::session::Session;

/// Most instances of a command.
const INSTANCES_MAX: u64 = 100_000;
/// Longest name of a task, in bytes.
const NAME_MAX: usize = 100;
/// How long tasks go on when this program is gone or cut off: a moment without network is no reason
/// to lose them.
const FAILOVER: Duration = Duration::from_secs(10);

/// Runs a command on the cluster, prints what it prints, and exits as it does.
///
/// A single word is a line for `sh -c`; several are a program and its arguments. Either finds its
/// standard input empty. With several
/// instances each line is marked with the name of its task, and the exit code is the first that is
/// not zero. Ctrl-C ends the tasks. When this program is gone for whatever other reason, so are they
/// ten seconds later.
///
/// Exit codes: that of the command; 128 + N when signal N ended it; 124 when its time was up; 125
/// when it was never run or was lost.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui run -- echo hello
  tepui run 'echo $HOSTNAME; ls | wc -l'
  tepui run --cpus=2 --mem=1024 --env=LEVEL=3 -- ./crunch --input=/data/a
  tepui run --instances=10 --name=worker -- sleep 1
  tepui run --max-completion-time=1mins --json -- make test
")]
pub(crate) struct Args {
    /// Processors each task needs
    #[arg(long, default_value = "0.1", value_parser = flags::value::<Scalar>)]
    cpus: Scalar,
    /// Memory each task needs, in MB
    #[arg(long, default_value = "32", value_parser = flags::value::<Scalar>)]
    mem: Scalar,
    /// Disk each task needs, in MB
    #[arg(long, default_value = "0", value_parser = flags::value::<Scalar>)]
    disk: Scalar,
    /// Graphics processors each task needs
    #[arg(long, default_value = "0", value_parser = flags::value::<Scalar>)]
    gpus: Scalar,
    /// How many tasks run the command
    #[arg(long, short = 'n', default_value = "1", value_name = "COUNT",
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=INSTANCES_MAX))]
    instances: u64,
    /// A variable of the command; can be given several times
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = flags::variable)]
    env: Vec<(String, String)>,
    /// What the tasks are called [default: the program]
    #[arg(long)]
    name: Option<String>,
    /// The role whose share of the cluster is used
    #[arg(long, default_value = "*", value_parser = flags::value::<Role>)]
    role: Role,
    /// The user the command runs as [default: the agent's choice]
    #[arg(long)]
    user: Option<String>,
    /// A single word is a program too, not a line for `sh -c`
    #[arg(long)]
    argv: bool,
    /// Ends tasks that take longer, such as 90secs
    #[arg(long, value_name = "DURATION", value_parser = flags::duration)]
    max_completion_time: Option<Duration>,
    /// Lets the tasks go on while their agent is restarted
    #[arg(long)]
    checkpoint: bool,
    /// Waits for larger agents when no agent can ever take the task
    #[arg(long)]
    wait: bool,
    /// Prints JSON, for scripts: one object for every state, output and the end
    #[arg(long)]
    json: bool,
    /// Speaks with the master over HTTP, by the v1 API, instead of by letters between actors
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    master: MasterFlag,
    /// The command
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs it to its end.
///
/// # Errors
/// When there is no master, or no place for it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let work = work(&args)?;
    let style = match (args.json, args.instances) {
        (true, _) => Style::Json,
        (false, 1) => Style::Plain,
        (false, _) => Style::Marked {
            colours: output::has_colours(),
        },
    };
    let mut info = FrameworkInfo::new(format!("run {}", work.name)).role(args.role.clone());
    info.user.clone_from(&args.user);
    info.failover_timeout = FAILOVER;
    info.checkpoint = args.checkpoint;
    super::alone(async {
        let client = Client::new(&args.master).await?;
        let master = match args.http {
            true => client.http_line(&args.master.security.load()?)?,
            false => client.line(),
        };
        let session = Session::start(client, master, work, args.role, info, style)?;
        session.run(args.wait).await
    })
}

fn work(args: &Args) -> Result<Work> {
    let mut command = match &args.command[..] {
        [script] if !args.argv => CommandInfo::shell(script),
        words => CommandInfo::argv(words),
    };
    command.environment.0.extend(args.env.iter().cloned());
    command.user.clone_from(&args.user);
    let name = match &args.name {
        Some(name) => name.clone(),
        None => default_name(&args.command),
    };
    if name.len() > NAME_MAX || types::TaskId::new(name.as_str()).is_err() {
        bail!("`{name}` cannot be the name of a task: up to {NAME_MAX} bytes, without slashes");
    }
    Ok(Work {
        name,
        command,
        need: need(args)?,
        max_completion_time: args.max_completion_time,
        instances: args.instances as usize,
        mark: format!("{:06x}", env::rng().random_range(0..1 << 24)),
    })
}

fn need(args: &Args) -> Result<Resources> {
    let mut need = Resources::new();
    let amounts = [
        (ResourceName::CPUS, args.cpus),
        (ResourceName::MEM, args.mem),
        (ResourceName::DISK, args.disk),
        (ResourceName::GPUS, args.gpus),
    ];
    for (name, amount) in amounts {
        need.insert(Resource::scalar(name, amount))?;
    }
    if need.is_empty() {
        bail!("a task needs something: give --cpus or --mem above zero");
    }
    Ok(need)
}

/// The program of a command, without its path, as far as it can be part of an id.
fn default_name(command: &[String]) -> String {
    let mut words = command
        .first()
        .map_or("", String::as_str)
        .split([' ', '\t', '\n', ';']);
    // Variables that are set first are not the program.
    let word = words
        .find(|word| !word.is_empty() && !word.contains('='))
        .unwrap_or("");
    let program = word.rsplit('/').next().unwrap_or(word);
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = program.chars().filter(plain).take(NAME_MAX).collect();
    match name.trim_matches('.') {
        "" => "task".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapped {
        #[command(flatten)]
        args: Args,
    }

    fn work_of(words: &[&str]) -> Result<Work> {
        work(&Wrapped::parse_from([&["run"], words].concat()).args)
    }

    #[test]
    fn one_word_is_a_line_for_the_shell_and_several_are_not() {
        let command = work_of(&["echo $A | cat"]).unwrap().command;
        assert!(command.shell && command.value == "echo $A | cat");
        let command = work_of(&["--", "echo", "--name"]).unwrap().command;
        assert_eq!(
            (command.shell, command.arguments),
            (false, vec!["echo".into(), "--name".into()])
        );
        assert!(!work_of(&["--argv", "true"]).unwrap().command.shell);
    }

    #[test]
    fn flags_behind_the_command_are_its_own() {
        let work = work_of(&["--env=A=b", "ls", "--cpus", "7"]).unwrap();
        assert_eq!(work.command.arguments, ["ls", "--cpus", "7"]);
        assert_eq!(work.command.environment.0["A"], "b");
        assert_eq!(work.need, Resources::new().cpus(0.1).mem_mib(32));
    }

    #[test]
    fn flags_that_are_none_are_no_command() {
        assert!(Wrapped::try_parse_from(["run", "--instance=2", "ls"]).is_err());
        let instances = |flag| work_of(&[flag, "ls"]).unwrap().instances;
        assert_eq!([instances("-n=2"), instances("-n2")], [2, 2]);
        assert_eq!(work_of(&["--", "-x"]).unwrap().command.value, "-x");
    }

    #[test]
    fn a_task_is_named_after_its_program() {
        let name = |words: &[&str]| work_of(words).unwrap().name;
        assert_eq!(name(&["/usr/bin/env", "x"]), "env");
        assert_eq!(name(&["sleep 1; true"]), "sleep");
        assert_eq!(name(&["A=b; C=d\tmake x"]), "make");
        assert_eq!(name(&["$(x)"]), "x");
        assert_eq!(name(&["../.."]), "task");
        assert_eq!(name(&["--name=mine", "x"]), "mine");
        assert!(work_of(&["--name=a/b", "x"]).is_err());
    }

    #[test]
    fn a_task_needs_something() {
        assert!(work_of(&["--cpus=0", "--mem=0", "x"]).is_err());
        let need = work_of(&["--cpus=0", "--disk=5", "--gpus=1", "x"])
            .unwrap()
            .need;
        assert_eq!(need.to_string(), "mem:32; disk:5; gpus:1");
        assert!(work_of(&["--gpus=0.5", "x"]).is_err());
    }
}
