//! What an executor of our own is started with, and the function its process runs.
//!
//! Throughput lives here: the command is started before anything else, and node, registration and
//! first updates are made while it runs already.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use api::agent::Agenting;
use libproc::security::Delegation;
use libproc::{Node, Pid, Security};
use serde::{Deserialize, Serialize};
use types::{ContainerId, ExecutorId, FrameworkId, TaskInfo};

use crate::command::KillingState;
use crate::{CommandExecutor, ExecutorProcess, GroupExecutor, Identity};

/// The process id of an executor on a node of its own.
pub(crate) const EXECUTOR: &str = "executor";
/// The exit status of an executor that was given something it cannot read, or has no node
/// (`EX_OSERR` of `sysexits.h`).
const EXIT_START: i32 = 71;

/// What an executor of our own needs to know, as bytes that pass through the agent's launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Who started it.
    pub agent: Pid<Agenting>,
    /// Whose task it is.
    pub framework_id: FrameworkId,
    /// Who the executor is.
    pub executor_id: ExecutorId,
    /// Where it runs.
    pub container_id: ContainerId,
    /// How long it has to end when it is told to.
    pub grace: Duration,
    /// How long it waits for another agent when this one is gone; none if it ends with it.
    #[serde(default)]
    pub recovery_timeout: Option<Duration>,
    /// Whether the framework is told that the task is being killed.
    pub killing_state: KillingState,
    /// What to run.
    pub work: Work,
    /// How it shows to the agent that it belongs to it.
    pub credentials: Delegation,
}

/// What an executor of our own runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// This one command.
    Command(Box<TaskInfo>),
    /// The groups of tasks that the agent sends.
    Groups,
}

impl Start {
    /// The bytes of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("plain data encodes into memory")
    }

    /// Reads what [`to_bytes`](Start::to_bytes) made.
    ///
    /// # Errors
    /// When the bytes are of something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Start, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }
}

/// Runs an executor of our own in this operating system process, which must be its own and have one
/// thread, until its tasks have ended and the agent knows; what it returns is the exit status.
pub fn run_builtin(start: &[u8], environment: BTreeMap<String, String>) -> i32 {
    let start = match Start::from_bytes(start) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("executor: could not read what to run: {error}");
            return EXIT_START;
        }
    };
    match libproc::run_alone(run_start(start, environment)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("executor: could not run: {error}");
            EXIT_START
        }
    }
}

async fn run_start(start: Start, environment: BTreeMap<String, String>) -> io::Result<()> {
    let Start {
        agent,
        framework_id,
        executor_id,
        container_id,
        grace,
        recovery_timeout,
        killing_state,
        work,
        credentials,
    } = start;
    // The command starts before there is a node.
    let command = match &work {
        Work::Command(task) => {
            let mut executor = CommandExecutor::new(environment.clone(), killing_state);
            executor.start(task);
            Some(executor)
        }
        Work::Groups => None,
    };
    let security = Security::delegated(credentials).map_err(io::Error::other)?;
    let node = bind_near(agent.upid().address(), security).await?;
    let identity = Identity {
        framework_id,
        executor_id,
        container_id,
    };
    let exit = match (command, work) {
        (Some(executor), Work::Command(task)) => {
            let process = ExecutorProcess::new(executor, identity, agent, grace)
                .recovering(recovery_timeout)
                .with_task(*task);
            node.exit_of(node.spawn(EXECUTOR, process).upid())
        }
        (_, _) => {
            let executor = GroupExecutor::new(environment, killing_state);
            let process =
                ExecutorProcess::new(executor, identity, agent, grace).recovering(recovery_timeout);
            node.exit_of(node.spawn(EXECUTOR, process).upid())
        }
    };
    // No orderly shutdown of the node: all that mattered has been acknowledged.
    exit.await;
    Ok(())
}

/// A node on the agent's interface; on any when that is not one of this machine's.
pub(crate) async fn bind_near(agent: SocketAddr, security: Security) -> io::Result<Node> {
    let near = SocketAddr::new(agent.ip(), 0);
    let builder = Node::builder().workers(1).security(security);
    match builder.clone().bind(&near.to_string()).await {
        Ok(node) => Ok(node),
        Err(_) => {
            let any = match agent {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            builder.bind(&any.to_string()).await
        }
    }
}
