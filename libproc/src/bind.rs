//! Starting a node: its port, its workers, its first task.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use actix::Actor;
use rand::Rng as _;

use crate::env;
use crate::limits::Limits;
use crate::members::{ClusterOptions, MemberInfo};
use crate::net::Listener;
use crate::node::{Inner, Node};
use crate::timer::Alarms;
use crate::transport;
use crate::worker::Host;

/// Wait after a connection could not be accepted, for lack of file descriptors most likely.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How a node is to be, for [`NodeBuilder::bind`].
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    workers: Option<usize>,
    advertise: Option<SocketAddr>,
    pub(crate) limits: Limits,
    cluster: Option<ClusterOptions>,
}

impl Node {
    /// Starts a node on `address`, `ip:port`; port 0 takes a free one.
    ///
    /// Runs inside an actix `System`, with a worker on each of its cores, or on any tokio
    /// `LocalSet`, with one worker.
    ///
    /// # Errors
    /// When the address is none, or cannot be bound.
    pub async fn bind(address: &str) -> io::Result<Node> {
        Node::builder().bind(address).await
    }

    /// A node that is not as usual.
    pub fn builder() -> NodeBuilder {
        NodeBuilder {
            workers: None,
            advertise: None,
            limits: Limits::default(),
            cluster: None,
        }
    }
}

impl NodeBuilder {
    /// How many threads run its processes; one a core unless given, and one outside a `System`.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> NodeBuilder {
        self.workers = Some(workers);
        self
    }

    /// The address peers are told, where it is not the one that is bound.
    #[must_use]
    pub fn advertise(mut self, address: SocketAddr) -> NodeBuilder {
        self.advertise = Some(address);
        self
    }

    /// Nodes to join a cluster through; see [`Node::cluster`].
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = SocketAddr>) -> NodeBuilder {
        self.cluster = Some(self.cluster.unwrap_or_default().seeds(seeds));
        self
    }

    /// What the node says of itself to the members of its cluster.
    #[must_use]
    pub fn member(mut self, info: MemberInfo) -> NodeBuilder {
        self.cluster = Some(self.cluster.unwrap_or_default().info(info));
        self
    }

    /// How the node joins a cluster, with all there is to choose.
    #[must_use]
    pub fn cluster(mut self, options: ClusterOptions) -> NodeBuilder {
        self.cluster = Some(options);
        self
    }

    /// Starts the node on `address`; see [`Node::bind`].
    ///
    /// # Errors
    /// When the address is none, or cannot be bound.
    pub async fn bind(self, address: &str) -> io::Result<Node> {
        let invalid = |_| {
            let text = format!("`{address}` is not an address of the form ip:port");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        };
        let listener = Listener::bind(address.parse().map_err(invalid)?).await?;
        let bound = listener.local_addr()?;
        let address = self.advertise.unwrap_or_else(|| reachable(bound));
        let node = Node::from_inner(Inner::new(address, env::rng().random(), self.limits));
        start_workers(&node, self.workers);
        tokio::task::spawn_local(Alarms::run(node.clone()));
        tokio::task::spawn_local(listen(node.clone(), listener));
        if let Some(options) = self.cluster
            && let Err(error) = node.cluster_with(options)
        {
            node.shutdown().await;
            return Err(error.into());
        }
        Ok(node)
    }
}

/// One worker on this thread; inside a `System` more on threads of their own.
fn start_workers(node: &Node, workers: Option<usize>) {
    // Asked only where it matters: the answer takes a dozen files of control groups to read.
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match actix_rt::System::try_current() {
        Some(_) => workers.unwrap_or_else(cores),
        None => 1,
    };
    let host = |worker| {
        node.pool().desk(worker);
        let node = node.clone();
        Host { node, worker }
    };
    host(0).start();
    for worker in 1..workers {
        let arbiter = actix_rt::Arbiter::new();
        let host = host(worker);
        if arbiter.spawn_fn(move || drop(host.start())) {
            node.inner().arbiters.lock().push(arbiter);
        }
    }
}

async fn listen(node: Node, listener: Listener) {
    let mut down = node.down();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = down.wait_for(|down| *down) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => drop(tokio::task::spawn_local(transport::accept(
                node.clone(),
                stream,
            ))),
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// The address peers can use: where every interface was bound, that of the one traffic leaves by.
fn reachable(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    // Connecting a datagram socket sends nothing; it only chooses the interface.
    let leaves_by = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let ip = leaves_by().filter(|ip| !ip.is_unspecified());
    SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), bound.port())
}
