//! The agent process: runs tasks on one machine and reports on them.
//!
//! [`start`] spawns it on a node. It registers with its master, starts an executor for each task
//! (or one for several, when the framework brings its own) through a [`launcher::Launch`], passes
//! the news of tasks on until they are acknowledged, and shows what is in their sandboxes.
//!
//! ```no_run
//! use agent::launcher::Launcher;
//! use libproc::Node;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::bind("10.0.0.2:5051").await?;
//! let options = agent::Options::new("master@10.0.0.1:5050".parse()?, "/var/lib/tepui");
//! // This program, started with the argument `zygote`, calls
//! // `agent::launcher::zygote::main(agent::run_executor)`.
//! let (launcher, events) = Launcher::start(&std::env::current_exe()?, &["zygote"])?;
//! let agent = agent::start(&node, options, Box::new(launcher), events)?;
//! println!("{agent}");
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod agent;
mod books;
mod counters;
pub mod detect;
mod draining;
mod environment;
mod fetcher;
mod fetching;
mod following;
mod from_executor;
mod from_launcher;
mod from_master;
mod from_operator;
mod garbage;
mod history;
mod http;
pub mod launcher;
mod launching;
mod options;
mod registration;
pub mod sandbox;
pub mod simulated;
mod status_updates;
mod stopping;
mod taking;
mod token;
mod usage;

use std::io;
use std::path::PathBuf;

use api::agent::{Agenting, Stop};
use api::v1::authentication::Realm;
use libproc::{Node, Pid, SpawnError};
use tokio::sync::mpsc::UnboundedReceiver;

pub use options::{Options, SecretKey, fill_in};

use crate::agent::Agent;
use crate::launcher::{ExecutorStart, Launch, LauncherEvent};
use crate::token::TokenKey;

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The directory for sandboxes cannot be made.
    #[error("could not create the work directory {}", .0.display())]
    WorkDirectory(PathBuf, #[source] io::Error),
    /// The machine does not say what it has.
    #[error("could not find out what this machine has to offer")]
    Detect(#[source] io::Error),
    /// What it is to offer contradicts itself.
    #[error("the agent cannot describe itself")]
    Info(#[from] types::InvalidInfo),
    /// The node has an agent.
    #[error("could not spawn the agent")]
    Spawn(#[from] SpawnError),
}

/// Starts an agent as the process [`api::AGENT`] of `node`, and makes it the node's front page. It
/// starts executors through `launch`,
/// and hears over `events` what becomes of them.
///
/// # Errors
/// When there is an agent already, or the machine does not allow it.
pub fn start(
    node: &Node,
    options: Options,
    launch: Box<dyn Launch>,
    events: UnboundedReceiver<LauncherEvent>,
) -> Result<Pid<Agenting>, AgentError> {
    // Where a node lets only members in, executors need something to show.
    let asked = options.authentication.requires(Realm::AgentExecutor) || !node.security().is_none();
    let key = asked.then(|| match &options.jwt_secret_key {
        Some(key) => TokenKey::new(key.bytes()),
        // Executors end with their agent, and so may the key.
        None => TokenKey::new(&rand::Rng::random::<[u8; 32]>(&mut libproc::env::rng())),
    });
    if let Some(guard) = http::gate::guard(&options.authentication, key.as_ref()) {
        node.guard_http(guard);
    }
    let agent = Agent::new(node.address(), options, launch, events, key)?;
    let agent = node.try_spawn(api::AGENT, agent)?;
    node.set_front(api::AGENT);
    node.leave_page(http::METRICS);
    Ok(agent)
}

/// Ends the executors of an agent of this node, then the agent; waits until it has gone. With
/// `unregister` it leaves the cluster for good.
///
/// To end it without delay, terminate its process: executors are then ended by the launcher.
pub async fn stop(node: &Node, agent: &Pid<Agenting>, unregister: bool) {
    let exited = node.exit_of(agent.upid());
    node.tell(agent, Stop { unregister });
    exited.await;
}

/// What a process forked by the launcher's zygote runs: the executor of a command, or of groups, or
/// what fetches for one.
pub fn run_executor(start: ExecutorStart) -> i32 {
    if start.container_id.ends_with(fetcher::SUFFIX) {
        return fetcher::run(&start.start);
    }
    executor::run_builtin(&start.start, start.environment)
}
