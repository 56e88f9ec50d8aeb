//! A cluster in this process on the real network, for tests that need no faults.

use api::master::Mastering;
use libproc::{Node, Pid};
use sdk::{Framework, Handle};
use types::FrameworkInfo;

use crate::hosts::{Shape, Way, start_agent};
use crate::record::Record;
use crate::truth::Truth;

/// A cluster on this machine's loopback; commands are pretended, everything else is real.
pub struct Real {
    nodes: Vec<Node>,
    master: Pid<Mastering>,
    record: Record,
    /// Removed with the cluster.
    _work_dir: tempfile::TempDir,
}

/// Why a cluster cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RealError {
    /// No port, or no directory.
    #[error("could not start a node of the cluster")]
    Io(#[from] std::io::Error),
    /// An agent cannot start.
    #[error("could not start an agent of the cluster")]
    Agent(#[from] agent::AgentError),
}

/// Starts a cluster. Must run on one thread, as [`libproc::run_alone`] does.
///
/// # Errors
/// When the machine does not allow it.
pub async fn real(shape: Shape) -> Result<Real, RealError> {
    let work_dir = tempfile::tempdir()?;
    let alone = || Node::builder().workers(1);
    let node = alone().bind("127.0.0.1:0").await?;
    let master = master::start(&node, shape.master.clone());
    let mut nodes = vec![node];
    let record = Record::default();
    for host in shape.agent_hosts() {
        let node = alone().bind("127.0.0.1:0").await?;
        let (resources, directory) = (shape.resources.clone(), work_dir.path().join(&host));
        start_agent(
            &node,
            &host,
            &Way::To(master.clone()),
            resources,
            directory,
            &record,
        )?;
        nodes.push(node);
    }
    Ok(Real {
        nodes,
        master,
        record,
        _work_dir: work_dir,
    })
}

impl Real {
    /// The address of the master.
    pub fn master(&self) -> &Pid<Mastering> {
        &self.master
    }

    /// What really runs and ran.
    pub fn truth<R>(&self, read: impl FnOnce(&Truth) -> R) -> R {
        read(&self.record.pages().truth)
    }

    /// What happened that must not: see [`truth`](crate::truth).
    pub fn violations(&self) -> Vec<String> {
        self.record.pages().violations.clone()
    }

    /// Starts a framework on a node of its own.
    ///
    /// # Errors
    /// When there is no port left.
    pub async fn start<F: Framework>(
        &mut self,
        framework: F,
        info: FrameworkInfo,
    ) -> sdk::Result<Handle<F>> {
        let node = Node::builder().workers(1).bind("127.0.0.1:0").await?;
        let handle = sdk::start(&node, self.master.clone(), framework, info)?;
        self.nodes.push(node);
        Ok(handle)
    }

    /// Ends the cluster.
    pub async fn shutdown(self) {
        for node in self.nodes.iter().rev() {
            node.shutdown().await;
        }
    }
}
