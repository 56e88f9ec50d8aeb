//! Replicas of a log on threads of their own, which can be killed.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use libproc::Node;
use replog::{Log, LogOptions, NodeId, Place, ReplicaStatus};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Longest time for a log to begin, or a leader to be there.
const PATIENCE: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(Node, Log) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// The replicas of a log, each on a thread.
pub(super) struct Replicas {
    place: PathBuf,
    addresses: BTreeMap<NodeId, SocketAddr>,
    running: BTreeMap<NodeId, Running>,
}

struct Running {
    jobs: UnboundedSender<Job>,
    thread: JoinHandle<Result<()>>,
}

impl Replicas {
    /// Starts so many replicas of a new log below `place`, and waits until one leads.
    pub(super) fn start(place: &Path, count: u64) -> Result<Replicas> {
        let mut addresses = BTreeMap::new();
        // Held until all have one, so that none is given out twice.
        let mut held = Vec::new();
        for node in 1..=count {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            addresses.insert(NodeId(node), listener.local_addr()?);
            held.push(listener);
        }
        drop(held);
        let mut replicas = Replicas {
            place: place.to_owned(),
            addresses,
            running: BTreeMap::new(),
        };
        for node in 1..=count {
            replicas.revive(NodeId(node))?;
        }
        replicas.leader()?;
        Ok(replicas)
    }

    pub(super) fn directory(&self, node: NodeId) -> PathBuf {
        self.place.join(format!("replica-{node}"))
    }

    /// Starts a replica that does not run.
    pub(super) fn revive(&mut self, node: NodeId) -> Result<()> {
        let (jobs, received) = unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let place = Place::Directory(self.directory(node));
        let options = LogOptions::new("bench", node, self.addresses.clone(), place);
        let address = self.addresses[&node];
        let thread = std::thread::Builder::new().name(format!("replica-{node}"));
        let thread = thread.spawn(move || serve(address, options, received, &ready))?;
        let running = Running { jobs, thread };
        if is_ready.recv_timeout(PATIENCE).is_err() {
            drop(running.jobs);
            let ended = running.thread.join();
            let ended = ended.map_err(|_| anyhow!("replica {node} panicked"))?;
            return ended.and_then(|()| bail!("replica {node} did not start"));
        }
        self.running.insert(node, running);
        Ok(())
    }

    /// Ends a replica at once: its sockets close, and it says nothing to anybody.
    pub(super) fn kill(&mut self, node: NodeId) -> Result<()> {
        let running = self.running.remove(&node).context("it does not run")?;
        drop(running.jobs);
        let ended = running.thread.join();
        ended.map_err(|_| anyhow!("replica {node} panicked"))?
    }

    /// Does something on the thread of a replica.
    pub(super) fn on<T, F, Fut>(&self, node: NodeId, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Node, Log) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let (answer, answered) = mpsc::channel();
        let job: Job = Box::new(move |node, log| {
            Box::pin(async move {
                // Whoever asked waits for it.
                let _ = answer.send(job(node, log).await);
            })
        });
        let running = self
            .running
            .get(&node)
            .context("the replica does not run")?;
        let sent = running.jobs.send(job);
        sent.map_err(|_| anyhow!("replica {node} has ended"))?;
        answered
            .recv()
            .with_context(|| format!("replica {node} has ended"))
    }

    pub(super) fn status(&self, node: NodeId) -> Result<ReplicaStatus> {
        Ok(self.on(node, async |_, log| log.status().await)??)
    }

    /// The replica that leads, once one does.
    pub(super) fn leader(&self) -> Result<NodeId> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            for node in self.running.keys() {
                if self.status(*node)?.leadership.leading.is_some() {
                    return Ok(*node);
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("no replica was elected in {PATIENCE:?}")
    }

    /// The replicas that run.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.running.keys().copied().collect()
    }

    /// Ends all of them.
    pub(super) fn end(mut self) -> Result<()> {
        for node in self.nodes() {
            self.kill(node)?;
        }
        Ok(())
    }
}

/// Runs a replica, and what is to be done beside it, until nobody can ask for anything.
fn serve(
    address: SocketAddr,
    options: LogOptions,
    mut jobs: UnboundedReceiver<Job>,
    ready: &mpsc::Sender<()>,
) -> Result<()> {
    libproc::run_alone(async {
        Ok(async {
            let node = Node::builder()
                .workers(1)
                .bind(&address.to_string())
                .await?;
            let log = Log::open(&node, options).await?;
            // Whoever started us waits for it.
            let _ = ready.send(());
            while let Some(job) = jobs.recv().await {
                tokio::task::spawn_local(job(node.clone(), log.clone()));
            }
            Ok(())
        }
        .await)
    })?
}
