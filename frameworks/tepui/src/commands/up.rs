//! `tepui up`: a cluster on this machine, for as long as it is wanted.

use std::io::{self, IsTerminal as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::master::AgentSummary;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressDrawTarget};
use libproc::env::Instant;
use nix::sys::signal::Signal;
use types::Resources;

use crate::commands::job::Job;
use crate::lifeline::{Asked, Signals};
use crate::local::{AGENTS_MAX, Cluster, Exit, MASTERS_MAX, Plan, Reaper};
use crate::security::DaemonSecurityFlags;
use crate::{exit, flags, output, table};

/// Starts a cluster on this machine: masters and agents, each a process of its own.
///
/// It goes on until Ctrl-C, and then leaves nothing behind. With a command it goes on until that
/// ends, and exits as the command did. Of several masters one leads; kill -9 it and see.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui up
  tepui up --agents=5 --agent-resources='cpus:4;mem:4096'
  tepui up --masters=3                               # one leads, another follows it
  tepui up --port=0 -- 'tepui run -- echo hello'     # a cluster for one command
  tepui up --work-dir=/tmp/mine                      # keeps logs and sandboxes there
")]
pub(crate) struct Args {
    /// How many masters, of which more than half must be there
    #[arg(long, default_value = "1", value_name = "COUNT",
          value_parser = RangedU64ValueParser::<u16>::new().range(1..=u64::from(MASTERS_MAX)))]
    masters: u16,
    /// How many agents
    #[arg(long, default_value = "3", value_name = "COUNT",
          value_parser = RangedU64ValueParser::<u16>::new().range(1..=u64::from(AGENTS_MAX)))]
    agents: u16,
    /// The port of the master, which those of other masters and of the agents follow; 0 takes free
    /// ones
    #[arg(long, default_value_t = api::MASTER_PORT)]
    port: u16,
    /// The address everything listens on
    #[arg(long, default_value = "127.0.0.1")]
    ip: IpAddr,
    /// What each agent says it has [default: a share of this machine]
    #[arg(long, value_name = "RESOURCES", value_parser = flags::resources)]
    agent_resources: Option<Resources>,
    /// Where logs and sandboxes are kept [default: a temporary directory]
    #[arg(long, value_name = "DIRECTORY")]
    work_dir: Option<PathBuf>,
    /// Leaves the temporary directory there
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    security: DaemonSecurityFlags,
    /// A command to run on the cluster, with TEPUI_MASTER set; a single word goes to `sh -c`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the cluster until told to end.
///
/// # Errors
/// When it cannot be started, or a part of it dies.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let plan = Plan {
        masters: args.masters,
        agents: args.agents,
        ip: args.ip,
        port: args.port,
        resources: args.agent_resources,
        work_dir: args.work_dir,
        keep: args.keep,
        security: args.security,
    };
    let command = (!args.command.is_empty()).then_some(args.command);
    super::alone(session(plan, command))
}

/// A cluster from its start to its end.
///
/// # Errors
/// When it cannot be started, or a part of it dies.
pub(crate) async fn session(plan: Plan, command: Option<Vec<String>>) -> Result<ExitCode> {
    let mut signals = Signals::take().context("could not take signals")?;
    let mut reaper = Reaper::new()?;
    let mut cluster = Cluster::new(plan)?;
    let outcome = live(&mut cluster, &mut reaper, &mut signals, command).await;
    let kept = (!cluster.is_temporary()).then(|| cluster.path().to_owned());
    tokio::select! {
        stopped = cluster.stop(&mut reaper) => {
            // What went wrong before matters more.
            let code = outcome?;
            stopped?;
            if let Some(path) = kept {
                eprintln!("logs and sandboxes are in {}", path.display());
            }
            Ok(code)
        }
        signal = signals.next() => {
            Err(exit::error(exit::SIGNAL + signal.number(), "stopped without waiting for the end"))
        }
    }
}

async fn live(
    cluster: &mut Cluster,
    reaper: &mut Reaper,
    signals: &mut Signals,
    command: Option<Vec<String>>,
) -> Result<ExitCode> {
    let progress = progress();
    let since = Instant::now();
    let started = tokio::select! {
        agents = cluster.start(&progress) => Ok(agents?),
        ended = reaper.next() => Err(Some(ended)),
        _ = signals.next() => Err(None),
    };
    progress.finish_and_clear();
    let agents = match started {
        Ok(agents) => agents,
        Err(Some((pid, exit))) => return Err(ended_early(cluster, pid, exit)),
        Err(None) => return Ok(ExitCode::SUCCESS),
    };
    let master = cluster
        .master()
        .context("a cluster that was started has a master")?;
    match command {
        Some(command) => {
            eprintln!("{}", summary(cluster, since.elapsed()));
            let job = Job::start(&command, master, cluster.security())?;
            attend(cluster, reaper, signals, Some(job)).await
        }
        None => {
            output::line(&described(cluster, &agents, since.elapsed()))?;
            attend(cluster, reaper, signals, None).await
        }
    }
}

/// Watches members and command until something ends, or somebody wants an end.
async fn attend(
    cluster: &mut Cluster,
    reaper: &mut Reaper,
    signals: &mut Signals,
    job: Option<Job>,
) -> Result<ExitCode> {
    let mut asked_before = false;
    loop {
        tokio::select! {
            (pid, exit) = reaper.next() => {
                if job.as_ref().is_some_and(|job| job.pid() == pid) {
                    return Ok(ExitCode::from(code(exit)));
                }
                let died = cluster.died(pid, exit);
                if let Some(died) = died.as_ref().filter(|died| died.is_bearable) {
                    eprintln!("{died}\nThe other masters go on.");
                } else if let Some(died) = died {
                    if let Some(job) = &job {
                        job.signal(Signal::SIGTERM);
                    }
                    return Err(died.into());
                }
            }
            asked = signals.next() => {
                let Some(job) = &job else {
                    eprintln!("stopping");
                    return Ok(ExitCode::SUCCESS);
                };
                if asked_before {
                    job.signal(Signal::SIGKILL);
                } else if asked != Asked::Interrupt || !io::stdin().is_terminal() {
                    // Ctrl-C in a terminal reaches the command by itself.
                    job.signal(match asked {
                        Asked::Interrupt => Signal::SIGINT,
                        Asked::Terminate => Signal::SIGTERM,
                        Asked::Hangup => Signal::SIGHUP,
                    });
                }
                asked_before = true;
            }
        }
    }
}

fn code(exit: Exit) -> u8 {
    match exit {
        Exit::Code(code) => code as u8,
        Exit::Signal(signal) => exit::SIGNAL.saturating_add(signal as u8),
    }
}

fn ended_early(cluster: &mut Cluster, pid: i32, exit: Exit) -> anyhow::Error {
    match cluster.died(pid, exit) {
        Some(died) => died.into(),
        None => anyhow::anyhow!("process {pid} ended with {exit}"),
    }
}

fn progress() -> ProgressBar {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    progress.set_style(indicatif::ProgressStyle::default_spinner());
    progress
}

/// The cluster in a line.
fn summary(cluster: &Cluster, took: Duration) -> String {
    let agents = cluster.members().len().saturating_sub(cluster.masters());
    let master = cluster.master().unwrap_or_default();
    let masters = match cluster.masters() {
        1 => "the master",
        _ => "the masters",
    };
    format!(
        "{agents} agents of {masters} at {master} registered in {:.2} s",
        took.as_secs_f64()
    )
}

/// Where everything is, and how to use it.
fn described(cluster: &Cluster, agents: &[AgentSummary], took: Duration) -> String {
    let mut members = table::new(&["NAME", "ADDRESS", "PID", "RESOURCES"]);
    for member in cluster.members() {
        let address = member
            .known_address()
            .map(|address| address.to_string())
            .unwrap_or_default();
        let agent = agents
            .iter()
            .find(|agent| agent.pid.upid().address().to_string() == address);
        members.add_row(vec![
            member.name().to_owned(),
            address,
            member.pid().to_string(),
            agent
                .map(|agent| agent.total.to_string())
                .unwrap_or_default(),
        ]);
    }
    let master = cluster.master().unwrap_or_default();
    let fate = if cluster.is_temporary() {
        "removed at the end; --keep keeps it"
    } else {
        "kept"
    };
    let path = cluster.path().display();
    let mut text = format!(
        "{}\n\n{}\n\nwork  {path} ({fate})\nlogs  {path}/logs\n",
        summary(cluster, took),
        table::text(&members),
    );
    if cluster.masters() > 1 {
        let quorum = cluster.masters() / 2 + 1;
        text.push_str(&format!(
            "note  `tepui status` says which master leads; another follows it as long as {quorum} are \
             there\n"
        ));
    }
    if let Some(overcommit) = cluster.overcommit() {
        text.push_str(&format!("note  {overcommit}\n"));
    }
    let mut exports = format!("  export TEPUI_MASTER={master}\n");
    for (name, value) in cluster.security().variables() {
        exports.push_str(&format!("  export {name}={value}\n"));
    }
    text.push_str(&format!(
        "\nIn another terminal:\n{exports}  tepui run -- echo hello\n  tepui ps --all\n\n\
         Ctrl-C stops it."
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ended_by_a_signal_exits_as_in_a_shell() {
        assert_eq!(code(Exit::Code(3)), 3);
        assert_eq!(code(Exit::Signal(9)), 137);
    }
}
