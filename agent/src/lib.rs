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
mod checkpointing;
pub mod checkpoints;
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
mod reconfiguration;
mod recovering;
mod recovery;
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
pub use reconfiguration::Blocked;

use crate::agent::{Agent, Past};
use crate::checkpoints::{AgentRecord, FORMAT, Snapshot, Store, StoreError};
use crate::launcher::{Destroy, ExecutorStart, Launch, LauncherEvent, Survivors};
use crate::recovery::{Machine, Recovery};
use crate::token::TokenKey;

/// Keys of damaged records that an error names.
const DAMAGED_NAMED_MAX: usize = 5;

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
    /// What the agent before wrote down cannot be read.
    #[error("could not recover what the agent before left")]
    Checkpoints(#[from] StoreError),
    /// Some of what the agent before wrote down cannot be read.
    #[error(
        "could not recover, because of damaged checkpoints ({0}): start with --strict=false to go on \
         without them, or with --recover=cleanup to end what runs and begin anew"
    )]
    Damaged(String),
    /// A later version of the agent has been here.
    #[error(
        "could not recover checkpoints of format {0}, for this version knows up to {FORMAT}: start \
         the version that wrote them, or with --recover=cleanup to end what runs and begin anew"
    )]
    Later(u32),
    /// What runs needs the agent as it was.
    #[error("could not recover")]
    Blocked(#[from] Blocked),
}

/// Starts an agent as the process [`api::AGENT`] of `node`, and makes it the node's front page. It
/// starts executors through `launch`,
/// and hears over `events` what becomes of them. They end with it.
///
/// # Errors
/// When there is an agent already, or the machine does not allow it.
pub fn start(
    node: &Node,
    options: Options,
    launch: Box<dyn Launch>,
    events: UnboundedReceiver<LauncherEvent>,
) -> Result<Pid<Agenting>, AgentError> {
    let info = options.info(node.address())?;
    let past = Past {
        recovery: Recovery::none(info.resources.clone()),
        info,
        store: None,
        stored: Default::default(),
        token_key: None,
        draining: None,
    };
    spawn(node, options, launch, events, past)
}

/// Starts an agent as [`start`] does, that goes on where the one before it was, which may have ended
/// in any way: with its id, with what still runs, and with what is still to be told. What of its
/// own is to outlive it does so.
///
/// # Errors
/// As above, or when what the agent before left is damaged, or does not go with these options.
pub fn recover(
    node: &Node,
    options: Options,
    (launch, survivors): (Box<dyn Launch>, &Survivors),
    events: UnboundedReceiver<LauncherEvent>,
    store: Store,
) -> Result<Pid<Agenting>, AgentError> {
    let info = types::AgentInfo {
        checkpoint: true,
        ..options.info(node.address())?
    };
    let snapshot = Snapshot::of(&store.load()?);
    if options.strict && !snapshot.damaged.is_empty() {
        let named = snapshot.damaged.iter().take(DAMAGED_NAMED_MAX);
        return Err(AgentError::Damaged(
            named.cloned().collect::<Vec<_>>().join(", "),
        ));
    }
    let stored = snapshot.keys();
    let damaged = snapshot.damaged.len();
    let former: Option<AgentRecord> = snapshot.agent.clone();
    if let Some(format) = former.as_ref().map(|former| former.format)
        && format > FORMAT
    {
        return Err(AgentError::Later(format));
    }
    let machine = match &former {
        Some(former) if former.boot_id != options.boot_id => Machine::Restarted,
        _ => Machine::Running,
    };
    let recovery = recovery::decide(snapshot, info.resources.clone(), survivors, machine);
    let mut past = Past {
        info,
        recovery,
        store: Some(store),
        stored,
        token_key: None,
        draining: None,
    };
    if let Some(former) = former {
        if past.recovery.has_living() {
            let (before, now) = ((&former.info, former.address), (&past.info, node.address()));
            reconfiguration::check(before, now, past.recovery.books.used())?;
        }
        past.info.id = former.info.id;
        past.token_key = Some(former.token_key);
        past.draining = former.draining;
    }
    tracing::info!(
        agent = ?past.info.id, ?machine, running = past.recovery.awaited.len(),
        gone = past.recovery.gone.len(), damaged, "recovered"
    );
    spawn(node, options, launch, events, past)
}

/// Ends everything that outlived an agent, and forgets that there was one: the next one is another.
/// Returns when all is gone.
///
/// # Errors
/// When that cannot be written down.
pub async fn clean_up(
    (launch, survivors): (Box<dyn Launch>, &Survivors),
    mut events: UnboundedReceiver<LauncherEvent>,
    store: &Store,
) -> Result<(), AgentError> {
    let mut left = survivors.clone();
    for container_id in survivors.keys() {
        launch.destroy(container_id, Destroy::Now);
    }
    while !left.is_empty() {
        match events.recv().await {
            Some(LauncherEvent::Exited { container_id, .. }) => {
                left.remove(&container_id);
                launch.settled(&container_id);
            }
            Some(LauncherEvent::ZygoteDied) | None => break,
        }
    }
    store.clear()?;
    Ok(())
}

fn spawn(
    node: &Node,
    options: Options,
    launch: Box<dyn Launch>,
    events: UnboundedReceiver<LauncherEvent>,
    mut past: Past,
) -> Result<Pid<Agenting>, AgentError> {
    // Where a node lets only members in, executors need something to show. They keep it.
    let asked = options.authentication.requires(Realm::AgentExecutor) || !node.security().is_none();
    let bytes = match (&options.jwt_secret_key, past.token_key.take()) {
        (Some(key), _) => key.bytes().to_vec(),
        (None, Some(key)) if !key.is_empty() => key,
        (None, _) => rand::Rng::random::<[u8; 32]>(&mut libproc::env::rng()).to_vec(),
    };
    let key = asked.then(|| TokenKey::new(&bytes));
    past.token_key = Some(bytes);
    if let Some(guard) = http::gate::guard(&options.authentication, key.as_ref()) {
        node.guard_http(guard);
    }
    let agent = Agent::new(node.address(), options, (launch, events), key, past)?;
    let agent = node.try_spawn(api::AGENT, agent)?;
    node.set_front(api::AGENT);
    node.leave_page(http::METRICS);
    Ok(agent)
}

/// Ends the executors of an agent of this node that do not outlive it, then the agent; waits until
/// it has gone. With `unregister` all of them end, and it leaves the cluster for good.
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
