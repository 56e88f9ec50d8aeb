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
use crate::security::{Delegation, STRANGERS_MAX, Security, SecurityError, Strangers};
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
    security: Security,
    strangers: usize,
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
            security: Security::none(),
            strangers: STRANGERS_MAX,
        }
    }

    /// Makes credentials for a process that this node starts, for talking with this node alone:
    /// what runs there may be somebody else's. The other side takes them by
    /// [`Security::delegated`]. `label` tells one such process from another, such as by its id.
    ///
    /// # Errors
    /// When the label is longer than 255 bytes, or this node's own credentials were delegated.
    pub fn delegate(&self, label: &str) -> Result<Delegation, SecurityError> {
        self.security().delegate(self.address(), label)
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

    /// Who may talk to the node, and how it shows that it may talk to others; anybody unless given.
    #[must_use]
    pub fn security(mut self, security: Security) -> NodeBuilder {
        self.security = security;
        self
    }

    /// Most connections at once that have not shown who they are; 256 unless given. Beyond it, the
    /// one that has been there longest is closed.
    #[must_use]
    pub fn strangers(mut self, strangers: usize) -> NodeBuilder {
        self.strangers = strangers;
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
        let mut inner = Inner::new(address, env::rng().random(), self.limits);
        inner.security = self.security;
        inner.strangers = Strangers::new(self.strangers);
        let node = Node::from_inner(inner);
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
    let ip = outward().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(ip, bound.port())
}

/// The address of this machine that traffic leaves by, if any does.
pub(crate) fn outward() -> Option<IpAddr> {
    // Connecting a datagram socket sends nothing; it only chooses the interface.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}
