//! `tepui agent`: the agent of a machine, with the flags of Mesos's.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use agent::checkpoints::Store;
use agent::launcher::{Launcher, Survival};
use anyhow::{Context as _, Result, bail};
use clap::ArgAction;
use election::Detector;
use nix::unistd::geteuid;
use tokio::signal::unix::{SignalKind, signal};
use types::{Attributes, Resources};

use crate::authentication::AgentAuthenticationFlags;
use crate::client::{elected, ip_towards, look_up_one, pid_at, resolve};
use crate::commands::daemon::{self, Listen};
use crate::flags;
use crate::local::executable;
use crate::security::DaemonSecurityFlags;

/// Where sandboxes are kept unless told otherwise, by root and by others.
const WORK_DIRS: (&str, &str) = ("/var/lib/tepui", "tepui-agent");

/// Runs an agent: it offers what this machine has, and runs tasks.
///
/// Prints its address on standard output once it listens, as `agent@ip:port`, and goes on until
/// SIGTERM or Ctrl-C. Tasks of frameworks with checkpoints go on without it, and the next agent with
/// the same --work-dir and address goes on with them, however this one ended; others end with it.
/// SIGUSR1 makes it end all of them and leave the cluster for good. Every
/// flag can also be given as a variable, `--work-dir` as MESOS_WORK_DIR, be spelled with
/// underscores, and take its value from a file, as `file:///path`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui agent --master=10.0.0.1:5050
  tepui agent --master=master.example:5050 --work_dir=/var/lib/tepui --attributes='rack:r1;zone:a'
  tepui agent --master=zk://10.0.0.1:2181,10.0.0.2:2181/mesos
  tepui agent --master=10.0.0.1 --resources='cpus:4;mem:8192;ports:[31000-32000]' --no-switch-user
")]
pub(crate) struct Args {
    /// The master, as host:port; or the masters of which one leads: several of them with commas, or
    /// zk://host1:port1,host2:port2/path
    #[arg(long, value_name = "ADDRESS", env = "MESOS_MASTER", value_parser = flags::text)]
    master: String,
    /// The address to listen on [default: the one the master sees]
    #[arg(long, value_name = "IP", env = "MESOS_IP", value_parser = flags::value::<IpAddr>)]
    ip: Option<IpAddr>,
    /// The port to listen on; 0 takes a free one
    #[arg(long, env = "MESOS_PORT", default_value_t = api::AGENT_PORT,
          value_parser = flags::value::<u16>)]
    port: u16,
    /// The address to tell others, where it is another one
    #[arg(long, value_name = "IP", env = "MESOS_ADVERTISE_IP",
          value_parser = flags::value::<IpAddr>)]
    advertise_ip: Option<IpAddr>,
    /// The port to tell others, where it is another one
    #[arg(long, value_name = "PORT", env = "MESOS_ADVERTISE_PORT",
          value_parser = flags::value::<u16>)]
    advertise_port: Option<u16>,
    /// The name of this machine, to tell others [default: what it calls itself]
    #[arg(long, value_name = "NAME", env = "MESOS_HOSTNAME", value_parser = flags::text)]
    hostname: Option<String>,
    /// Where sandboxes are kept [default: /var/lib/tepui for root, else below the temporary
    /// directory]
    #[arg(long, value_name = "DIRECTORY", env = "MESOS_WORK_DIR")]
    work_dir: Option<PathBuf>,
    /// What to offer, as cpus:4;mem:1024;ports:[31000-32000] or as JSON; what is not named of
    /// cpus, mem, disk and ports is detected
    #[arg(long, env = "MESOS_RESOURCES", value_parser = flags::resources)]
    resources: Option<Resources>,
    /// What frameworks may choose by, as rack:r1;level:10
    #[arg(long, env = "MESOS_ATTRIBUTES", value_parser = flags::attributes)]
    attributes: Option<Attributes>,
    /// The first pause between two attempts to register
    #[arg(long, value_name = "DURATION", env = "MESOS_REGISTRATION_BACKOFF_FACTOR",
          default_value = "1secs", value_parser = flags::duration)]
    registration_backoff_factor: Duration,
    /// How long an executor may take to register
    #[arg(long, value_name = "DURATION", env = "MESOS_EXECUTOR_REGISTRATION_TIMEOUT",
          default_value = "1mins", value_parser = flags::duration)]
    executor_registration_timeout: Duration,
    /// How long executors that outlive an agent wait for the next one
    #[arg(long, value_name = "DURATION", env = "MESOS_RECOVERY_TIMEOUT",
          default_value = "15mins", value_parser = flags::duration)]
    recovery_timeout: Duration,
    /// How long an executor may take to come back to an agent that was restarted
    #[arg(long, value_name = "DURATION", env = "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT",
          default_value = "15secs", value_parser = flags::duration)]
    executor_reregistration_timeout: Duration,
    /// What to do with what outlived the agent before: go on with it, or end it, forget everything
    /// and exit
    #[arg(long, env = "MESOS_RECOVER", value_enum, default_value = "reconnect")]
    recover: Recover,
    /// Refuses to start if some of what the agent before wrote down cannot be read; --strict=false
    /// goes on without that
    #[arg(long, value_name = "BOOL", env = "MESOS_STRICT", num_args = 0..=1,
          default_value_t = true, default_missing_value = "true", require_equals = true,
          action = ArgAction::Set)]
    strict: bool,
    /// How long an executor may take to end
    #[arg(long, value_name = "DURATION", env = "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
          default_value = "5secs", value_parser = flags::duration)]
    executor_shutdown_grace_period: Duration,
    /// How long sandboxes are kept at most
    #[arg(long, value_name = "DURATION", env = "MESOS_GC_DELAY", default_value = "1weeks",
          value_parser = flags::duration)]
    gc_delay: Duration,
    /// Runs tasks as the users of their frameworks, for which the agent must be root [default:
    /// whether it is]
    #[arg(long, value_name = "BOOL", env = "MESOS_SWITCH_USER", num_args = 0..=1,
          default_missing_value = "true", require_equals = true)]
    switch_user: Option<bool>,
    /// Runs all tasks as the agent's own user
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "switch_user")]
    no_switch_user: bool,
    #[command(flatten)]
    security: DaemonSecurityFlags,
    #[command(flatten)]
    authentication: AgentAuthenticationFlags,
    /// Ends when standard input closes
    #[arg(long, hide = true)]
    child: bool,
}

/// What to do with what outlived the agent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Recover {
    /// Go on with it.
    Reconnect,
    /// End it, forget everything, and exit.
    Cleanup,
}

/// The directory in the work directory where processes that outlive an agent are found.
const LAUNCHERS: &str = "launchers";

/// Runs until told to end.
///
/// # Errors
/// When it cannot listen, cannot run tasks, or ends by itself.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let elected = elected(&args.master)?;
    super::on_every_core(async {
        let master = match &elected {
            Some(masters) => look_up_one(masters).await?,
            None => resolve(&args.master, api::MASTER_PORT)?,
        };
        let signals = daemon::signals()?;
        let mut leave = signal(SignalKind::user_defined1()).context("could not take signals")?;
        let listen = Listen {
            ip: args.ip.unwrap_or_else(|| ip_towards(master)),
            port: args.port,
            advertise_ip: args.advertise_ip,
            advertise_port: args.advertise_port,
        };
        let (child, recover, security) = (args.child, args.recover, args.security.load()?);
        let mut options = options(args, master)?;
        let work_dir = &options.work_dir;
        let store = match (recover, options.strict) {
            (Recover::Reconnect, true) => Store::open(work_dir)?,
            (Recover::Cleanup, _) | (_, false) => Store::open_or_begin(work_dir)?,
        };
        let survival = Survival {
            directory: work_dir.join(LAUNCHERS),
            patience: options.recovery_timeout,
        };
        let started = Launcher::start_surviving(&executable(), &["zygote"], &survival);
        let (launcher, events, survivors) =
            started.context("could not start the process that starts tasks")?;
        let launch = (Box::new(launcher) as Box<_>, &survivors);
        if recover == Recover::Cleanup {
            agent::clean_up(launch, events, &store).await?;
            let ended = survivors.len();
            tracing::info!(ended, "ended what outlived the agent before, and forgot it");
            return Ok(ExitCode::SUCCESS);
        }
        let node = listen.bind(security).await?;
        if let Some(masters) = &elected {
            options.detector = Some(Detector::of(masters, &node).await?);
        }
        let agent = match agent::recover(&node, options, launch, events, store) {
            Ok(agent) => agent,
            Err(error) => {
                node.shutdown().await;
                return Err(error.into());
            }
        };
        tracing::info!(upid = %agent.upid(), %master, version = api::VERSION, "agent started");
        let stop = |unregister| agent::stop(&node, &agent, unregister);
        tokio::select! {
            ended = daemon::serve(&node, agent.upid(), signals, child, || stop(false)) => ended?,
            Some(()) = leave.recv() => stop(true).await,
        }
        node.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn options(args: Args, master: std::net::SocketAddr) -> Result<agent::Options> {
    let root = geteuid().is_root();
    let switch_user = !args.no_switch_user && args.switch_user.unwrap_or(root);
    if switch_user && !root {
        bail!(
            "only root can run tasks as other users: start the agent as root, or with \
               --no-switch-user"
        );
    }
    let work_dir = args.work_dir.unwrap_or_else(|| match root {
        true => PathBuf::from(WORK_DIRS.0),
        false => std::env::temp_dir().join(format!("{}-{}", WORK_DIRS.1, geteuid())),
    });
    std::fs::create_dir_all(&work_dir)
        .with_context(|| format!("could not make {}", work_dir.display()))?;
    let work_dir = std::fs::canonicalize(&work_dir)
        .with_context(|| format!("could not find {}", work_dir.display()))?;
    let named = args.resources.unwrap_or_default();
    Ok(agent::Options {
        hostname: args.hostname,
        resources: Some(agent::fill_in(named, &work_dir)?),
        attributes: args.attributes.unwrap_or_default(),
        registration_backoff_factor: args.registration_backoff_factor,
        executor_registration_timeout: args.executor_registration_timeout,
        executor_shutdown_grace_period: args.executor_shutdown_grace_period,
        executor_reregistration_timeout: args.executor_reregistration_timeout,
        recovery_timeout: args.recovery_timeout,
        strict: args.strict,
        gc_delay: args.gc_delay,
        switch_user,
        authentication: args.authentication.load()?,
        log: crate::logging::switch(),
        jwt_secret_key: args.authentication.key()?,
        executable: Some(executable()),
        ..agent::Options::new(pid_at(api::MASTER, master), work_dir)
    })
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

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_agent() {
        let directory = tempfile::tempdir().unwrap();
        let work_dir = format!("--work-dir={}", directory.path().display());
        let words = ["agent", "--master=127.0.0.1:5050", &work_dir];
        let master = "127.0.0.1:5050".parse().unwrap();
        let flags = options(Wrapped::parse_from(words).args, master).unwrap();
        let defaults = agent::Options::new(flags.master.clone(), &flags.work_dir);
        let defaults = agent::Options {
            resources: flags.resources.clone(),
            executable: flags.executable.clone(),
            ..defaults
        };
        assert_eq!(format!("{flags:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn what_is_not_named_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        let work_dir = format!("--work-dir={}", directory.path().display());
        let words = [
            "agent",
            "--master=127.0.0.1:5050",
            &work_dir,
            "--resources=cpus:7",
            "--no-switch-user",
        ];
        let master = "127.0.0.1:5050".parse().unwrap();
        let flags = options(Wrapped::parse_from(words).args, master).unwrap();
        let resources = flags.resources.unwrap();
        assert_eq!(resources.total_cpus().units(), 7);
        assert!(!resources.total_mem_mib().is_zero() && !flags.switch_user);
    }
}
