//! Nodes: a process table, its workers and its connections, behind one address.

mod ending;
mod finding;
mod links;
mod looking;
mod monitor;
mod names;
mod sending;
mod spawning;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::counters::Counters;
use crate::dead::DeadLetters;
use crate::limits::Limits;
use crate::metrics::Registry;
use crate::pid::Home;
use crate::security::{Acquaintances, Denials, Denied, STRANGERS_MAX, Security, Strangers};
use crate::spawn_on::Factory;
use crate::table::Table;
use crate::timer::Alarms;
use crate::transport::Peer;
use crate::worker::Pool;

pub use spawning::SpawnError;

pub(crate) use finding::Target;
use names::Names;

/// A node: processes, the workers that run them, and one port for frames and HTTP.
///
/// A value, not a global: any number of nodes live in one OS process, one thread, one test.
/// Cloning gives another handle to the same node; it lives until [`shutdown`](Node::shutdown).
#[derive(Clone)]
pub struct Node(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) incarnation: u64,
    pub(crate) limits: Limits,
    pub(crate) simulated: bool,
    table: Table,
    home: Arc<Home>,
    names: Mutex<Names>,
    front: Mutex<Option<Box<str>>>,
    /// Pages of the node's own that the process in front has instead.
    left_pages: Mutex<Vec<&'static str>>,
    /// What is asked of every HTTP request.
    http_guard: Mutex<Option<crate::http::Guard>>,
    living: AtomicU64,
    emptied: Notify,
    pool: Pool,
    alarms: Alarms,
    peers: Mutex<BTreeMap<SocketAddr, Arc<Peer>>>,
    connections: AtomicUsize,
    dead: DeadLetters,
    counters: Counters,
    bodies: crate::http::Bodies,
    metrics: Arc<Registry>,
    pub(crate) bound: Instant,
    kinds: Mutex<BTreeMap<&'static str, Factory>>,
    /// Takes no new processes any more.
    draining: watch::Sender<bool>,
    cluster: Cluster,
    over: AtomicBool,
    down: watch::Sender<bool>,
    #[cfg(feature = "sim")]
    pub(crate) filters: crate::sim::Filters,
    pub(crate) security: Security,
    pub(crate) strangers: Strangers,
    acquaintances: Acquaintances,
    denials: Denials,
    pub(crate) arbiters: Mutex<Vec<actix_rt::Arbiter>>,
}

impl Inner {
    pub(crate) fn new(address: SocketAddr, incarnation: u64, mut limits: Limits) -> Inner {
        let simulated = crate::net::in_simulation();
        if simulated {
            limits.stay_awake = std::time::Duration::ZERO; // real time must decide nothing
        }
        Inner {
            home: Arc::new(Home {
                address,
                is_node: true,
            }),
            incarnation,
            limits,
            simulated,
            table: Table::new(),
            names: Mutex::default(),
            front: Mutex::default(),
            left_pages: Mutex::default(),
            http_guard: Mutex::default(),
            living: AtomicU64::new(0),
            emptied: Notify::new(),
            pool: Pool::default(),
            alarms: Alarms::default(),
            peers: Mutex::default(),
            connections: AtomicUsize::new(0),
            dead: DeadLetters::default(),
            counters: Counters::default(),
            bodies: crate::http::Bodies::default(),
            metrics: Arc::default(),
            bound: Instant::now(),
            kinds: Mutex::default(),
            draining: watch::Sender::new(false),
            cluster: Cluster::default(),
            over: AtomicBool::new(false),
            down: watch::Sender::new(false),
            #[cfg(feature = "sim")]
            filters: crate::sim::Filters::default(),
            security: Security::none(),
            strangers: Strangers::new(STRANGERS_MAX),
            acquaintances: Acquaintances::default(),
            denials: Denials::default(),
            arbiters: Mutex::default(),
        }
    }
}

/// Its parts, for the rest of this crate.
impl Node {
    pub(crate) fn from_inner(inner: Inner) -> Node {
        Node(Arc::new(inner))
    }

    /// The address peers reach this node at.
    pub fn address(&self) -> SocketAddr {
        self.0.home.address
    }

    #[inline]
    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.0.home
    }

    /// Runs `call` on a worker; not at all when the node is over, which has none.
    pub(crate) fn on_worker(&self, call: impl FnOnce() + Send + 'static) {
        if !self.is_over() {
            self.0.pool.call(self.number(), call);
        }
    }

    /// Tells nodes of one OS process apart.
    #[inline]
    pub(crate) fn number(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> &AtomicUsize {
        &self.0.connections
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.0.simulated
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::SeqCst)
    }

    pub(crate) fn down(&self) -> watch::Receiver<bool> {
        self.0.down.subscribe()
    }

    pub(crate) fn dead_office(&self) -> &DeadLetters {
        &self.0.dead
    }

    /// What is held of the bodies of requests.
    pub(crate) fn bodies(&self) -> &crate::http::Bodies {
        &self.0.bodies
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.metrics
    }

    /// How this node and others show that they belong together.
    pub fn security(&self) -> &Security {
        &self.0.security
    }

    pub(crate) fn strangers(&self) -> &Strangers {
        &self.0.strangers
    }

    pub(crate) fn acquaintances(&self) -> &Acquaintances {
        &self.0.acquaintances
    }

    pub(crate) fn denials(&self) -> &Denials {
        &self.0.denials
    }

    /// Counts that somebody may not come in who came from `from`, as the node at `claimed`.
    pub(crate) fn denies(&self, from: SocketAddr, claimed: Option<SocketAddr>, why: Denied) {
        self.0.counters.refused_connections.add(1);
        self.0.denials.of_caller(from, claimed, why);
    }

    pub(crate) fn kinds(&self) -> &Mutex<BTreeMap<&'static str, Factory>> {
        &self.0.kinds
    }

    pub(crate) fn cluster_state(&self) -> &Cluster {
        &self.0.cluster
    }

    #[inline]
    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(crate) fn alarms(&self) -> &Alarms {
        &self.0.alarms
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}
