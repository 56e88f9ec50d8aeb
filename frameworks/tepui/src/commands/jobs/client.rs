//! A client of a queue of jobs: finds it, asks it, and says in plain words when nobody answers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use election::{Detector, Masters};
use jobs::protocol::{JOBS, JOBS_PORT, Jobbing};
use libproc::{Accepts, AskError, Node, Pid, Wire};
use sdk::KeptIn;

use crate::client::{denied, ip_towards, look_up_one, pid_at, resolve};
use crate::security::SecurityFlags;

/// Longest time somebody waits for an answer: what they say is kept before it comes.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest time somebody waits until it is known which of several leads.
const DETECTION: Duration = Duration::from_secs(5);

/// Where the queue is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct JobsFlag {
    /// The queue, as host:port, or as the zk://host1:port1/path of its state [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS", env = "TEPUI_JOBS")]
    jobs: Option<String>,
    #[command(flatten)]
    security: SecurityFlags,
}

/// A node of our own, and the queue it talks to.
pub(super) struct Client {
    node: Node,
    queue: Pid<Jobbing>,
    name: String,
}

impl Client {
    /// Gets ready to talk to a queue; whether it answers shows with the first question.
    ///
    /// # Errors
    /// When the address is none, nobody leads there, or no port can be had.
    pub(super) async fn new(flag: &JobsFlag) -> Result<Client> {
        let local = || format!("127.0.0.1:{JOBS_PORT}");
        let name = flag.jobs.clone().unwrap_or_else(local);
        let elected = elected(&name)?;
        let towards = match &elected {
            Some(masters) => look_up_one(masters).await?,
            None => resolve(&name, JOBS_PORT)?,
        };
        let ours = SocketAddr::new(ip_towards(towards), 0);
        let builder = Node::builder().workers(1).security(flag.security.load()?);
        let node = builder.bind(&ours.to_string()).await;
        let node = node.context("could not open a port for the answers")?;
        let address = match &elected {
            None => towards,
            Some(masters) => {
                let mut detector = Detector::of(masters, &node).await?;
                let found = tokio::time::timeout(DETECTION, detector.found()).await;
                let leader = found.map_err(|_| anyhow!("no queue of jobs leads at {name}"))?;
                leader.pid.upid().address()
            }
        };
        let queue = pid_at(JOBS, address);
        Ok(Client { node, queue, name })
    }

    /// Asks the queue.
    ///
    /// # Errors
    /// When nobody answers in time, or it says no.
    pub(super) async fn ask<T, M>(&self, message: M) -> Result<T>
    where
        M: Wire<Result = Result<T, String>>,
        Jobbing: Accepts<M>,
        T: Send + 'static,
    {
        let asked = tokio::time::timeout(ANSWER, self.node.ask(&self.queue, message)).await;
        let answer = asked.unwrap_or(Err(AskError::Timeout));
        let answer = answer.map_err(|error| self.explain(&error))?;
        answer.map_err(|reason| anyhow!(reason))
    }

    fn explain(&self, error: &AskError) -> anyhow::Error {
        let name = &self.name;
        match error {
            AskError::Denied(why) => denied(&format!("the queue of jobs at {name}"), *why),
            AskError::Refused
            | AskError::Unreachable
            | AskError::Timeout
            | AskError::Lost
            | AskError::NoProcess => anyhow!(
                "no queue of jobs answers at {name}: start one with `tepui jobs start`, or name \
                 another with --jobs"
            ),
            other => anyhow!(other.clone()).context(format!("the queue at {name} did not answer")),
        }
    }
}

/// The schedulers that elect each other, if the text names such.
fn elected(text: &str) -> Result<Option<Masters>> {
    if !text.starts_with("zk://") {
        return Ok(None);
    }
    let place: KeptIn = text.parse()?;
    let url = place
        .leader_url()
        .context("schedulers elect each other in ZooKeeper")?;
    Ok(Some(url.parse()?))
}
