//! Finding a log by any of its replicas.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use election::REGISTRY_LOG;
use libproc::{AskError, Node, Pid};
use replog::{Log, LogError, NAME, ReplicaStatus, Replication};

use super::PORT;
use crate::client::{denied, ip_towards, pid_at, resolve};
use crate::security::SecurityFlags;

/// Longest time an operator waits for an answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest time for what needs a leader, which may have to be elected first.
const DONE: Duration = Duration::from_secs(15);

/// Where the log is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LogFlag {
    /// Replicas of the log, as host:port, of which one that answers is asked
    #[arg(
        long,
        value_name = "ADDRESSES",
        env = "TEPUI_LOG",
        value_delimiter = ',',
        default_value = "127.0.0.1:5070"
    )]
    pub(crate) replica: Vec<String>,
    /// The name of the replicas' process [default: log, or registry where masters keep theirs]
    #[arg(long, value_name = "NAME")]
    pub(crate) process: Option<String>,
    #[command(flatten)]
    pub(crate) security: SecurityFlags,
}

/// A node of our own on a free port, and a log it talks to.
pub(crate) struct Client {
    pub(crate) node: Node,
    pub(crate) log: Log,
    pub(crate) status: ReplicaStatus,
    pub(crate) address: SocketAddr,
}

impl Client {
    /// Finds a replica that answers.
    ///
    /// # Errors
    /// When none does; says what each was asked and said.
    pub(crate) async fn new(flag: &LogFlag) -> Result<Client> {
        let mut node = None;
        let mut errors = Vec::new();
        for name in &flag.replica {
            let address = resolve(name, PORT)?;
            let node = match &node {
                Some(node) => node,
                None => {
                    let ours = SocketAddr::new(ip_towards(address), 0);
                    let builder = Node::builder().workers(1).security(flag.security.load()?);
                    let bound = builder.bind(&ours.to_string()).await;
                    node.insert(bound.context("could not open a port for the answers")?)
                }
            };
            match find(node, flag.process.as_deref(), address).await {
                Ok((log, status)) => {
                    let node = node.clone();
                    return Ok(Client {
                        node,
                        log,
                        status,
                        address,
                    });
                }
                Err(error) => errors.push(explain(name, error)),
            }
        }
        let first = errors.into_iter().next();
        Err(first.unwrap_or_else(|| anyhow!("no replica was named: give one with --replica")))
    }

    /// # Errors
    /// When it is the log of masters: what they did not write themselves would end them all.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.log.replica().upid().id() == REGISTRY_LOG {
            true => bail!(
                "{} is the log of masters, in which they keep their registry: nobody else writes it",
                self.log.replica()
            ),
            false => Ok(()),
        }
    }

    /// The log by another replica, at an address.
    pub(crate) fn of(&self, address: SocketAddr) -> Log {
        Log::at(&self.node, pid_at(self.log.replica().upid().id(), address))
    }
}

/// The replica at an address: of this name, or of one of the usual names.
async fn find(
    node: &Node,
    process: Option<&str>,
    address: SocketAddr,
) -> Result<(Log, ReplicaStatus), LogError> {
    let mut names = process.map_or(vec![NAME, REGISTRY_LOG], |process| vec![process]);
    loop {
        let replica: Pid<Replication> = pid_at(names.remove(0), address);
        let log = Log::at(node, replica);
        let asked = tokio::time::timeout(ANSWER, log.status()).await;
        match asked.unwrap_or(Err(LogError::Ask(AskError::Timeout))) {
            Ok(status) => return Ok((log, status)),
            Err(LogError::Ask(AskError::NoProcess)) if !names.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
}

fn explain(name: &str, error: LogError) -> anyhow::Error {
    let advice = "start one with `tepui log replica`, or name another with --replica";
    let LogError::Ask(asked) = &error else {
        return anyhow::Error::new(error).context(format!("the replica at {name} says no"));
    };
    match asked {
        AskError::Refused | AskError::Unreachable | AskError::Timeout | AskError::Lost => {
            anyhow!("no replica of a log answers at {name}: {advice}")
        }
        AskError::NoProcess => {
            anyhow!("no replica of a log answers at {name}, though something else does: {advice}")
        }
        AskError::Denied(why) => denied(&format!("the replica at {name}"), *why),
        AskError::NotAccepted | AskError::Undecodable => {
            anyhow!("the replica at {name} is of a version that does not know this question")
        }
        _ => anyhow::Error::new(error).context(format!("the replica at {name} did not answer")),
    }
}

/// Waits for something that needs a leader.
///
/// # Errors
/// When it fails, or takes too long.
pub(crate) async fn done<T>(
    what: &str,
    work: impl Future<Output = Result<T, LogError>>,
) -> Result<T> {
    match tokio::time::timeout(DONE, work).await {
        Ok(outcome) => outcome.with_context(|| format!("could not {what}")),
        Err(_) => Err(anyhow!(
            "could not {what}: no answer in {} s, so that nobody knows whether it was done",
            DONE.as_secs()
        )),
    }
}
