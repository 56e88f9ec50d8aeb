//! `tepui jobs start`: the queue.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use jobs::protocol::{JOBS, JOBS_PORT};
use jobs::queue::Limits;
use sdk::{KeptIn, Options};
use types::{FrameworkInfo, Role};

use crate::client::{MasterFlag, elected, ip_towards, look_up_one, resolve};
use crate::{commands, flags, output};

/// Runs a queue of jobs, until SIGTERM or Ctrl-C.
///
/// Prints its address on standard output when it serves, as `jobs@ip:port`. What runs when it ends
/// runs on: started again with the same state, it goes on with it. With a state in ZooKeeper several
/// can be started; one of them leads.
///
/// It also speaks HTTP on its port: `curl http://127.0.0.1:9090/jobs`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where jobs are kept: a file, zk://host1:port1,host2:port2/path, or memory, which ends with
    /// the queue
    #[arg(long, value_name = "PLACE", env = "TEPUI_JOBS_STATE", default_value = "memory",
          value_parser = flags::value::<KeptIn>)]
    state: KeptIn,
    /// The address to listen on [default: that of this machine on the way to the master]
    #[arg(long, value_name = "IP", value_parser = flags::value::<IpAddr>)]
    ip: Option<IpAddr>,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = JOBS_PORT, value_parser = flags::value::<u16>)]
    port: u16,
    /// The role whose share of the cluster is used
    #[arg(long, default_value = "*", value_parser = flags::value::<Role>)]
    role: Role,
    /// How many jobs that have ended are remembered
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().ended_max)]
    remember: usize,
    /// How many runs that have not ended are taken at most
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().open_max)]
    most: u64,
    /// How long the agent of a run may be out of sight before it is run elsewhere
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = flags::duration)]
    patience: Duration,
    #[command(flatten)]
    master: MasterFlag,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    commands::alone(async {
        let name = args.master.text();
        let ip = match (args.ip, elected(&name)?) {
            (Some(ip), _) => ip,
            (None, Some(masters)) => ip_towards(look_up_one(&masters).await?),
            (None, None) => ip_towards(resolve(&name, api::MASTER_PORT)?),
        };
        if args.state == KeptIn::Memory {
            tracing::warn!("jobs end with this program: keep them with --state");
        }
        let options = Options::default()
            .master(name)
            .bind(SocketAddr::new(ip, args.port).to_string())
            .security(args.master.security.load()?)
            .kept_in(args.state.clone())
            .subscribe_timeout(None);
        let limits = Limits {
            open_max: args.most,
            ended_max: args.remember,
            patience: args.patience,
            ..Limits::default()
        };
        let info = FrameworkInfo::new("jobs").role(args.role.clone());
        let opened = |node: &libproc::Node| {
            // A daemon whose stdout is closed works all the same.
            let _ = output::line(&format!("{JOBS}@{}", node.address()));
        };
        let code = jobs::serve(limits, info, options, opened).await?;
        Ok(ExitCode::from(code.0))
    })
}
