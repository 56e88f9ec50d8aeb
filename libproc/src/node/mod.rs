//! Nodes: a process table, its workers and its connections, behind one address.

mod ending;
mod finding;
mod links;
mod looking;
mod sending;
mod spawning;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::counters::Counters;
use crate::dead::DeadLetters;
use crate::spawn_on::Factory;
use crate::table::{Handle, Table};
use crate::timer::Alarms;
use crate::transport::Peer;
use crate::worker::Pool;

pub use spawning::SpawnError;

pub(crate) use finding::Target;

/// A node: processes, the workers that run them, and one port for frames and HTTP.
///
/// A value, not a global: any number of nodes live in one OS process, one thread, one test.
/// Cloning gives another handle to the same node; it lives until [`shutdown`](Node::shutdown).
#[derive(Clone)]
pub struct Node(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: u64,
    pub(crate) silence: Duration,
    pub(crate) simulated: bool,
    table: Table,
    names: Mutex<HashMap<Box<str>, Handle>>,
    front: Mutex<Option<Box<str>>>,
    /// Pages of the node's own that the process in front has instead.
    left_pages: Mutex<Vec<&'static str>>,
    living: AtomicU64,
    emptied: Notify,
    pool: Pool,
    alarms: Alarms,
    peers: Mutex<BTreeMap<SocketAddr, Arc<Peer>>>,
    dead: DeadLetters,
    counters: Counters,
    kinds: Mutex<BTreeMap<&'static str, Factory>>,
    over: AtomicBool,
    down: watch::Sender<bool>,
    pub(crate) arbiters: Mutex<Vec<actix_rt::Arbiter>>,
}

impl Inner {
    pub(crate) fn new(address: SocketAddr, incarnation: u64, silence: Duration) -> Inner {
        Inner {
            address,
            incarnation,
            silence,
            simulated: crate::net::in_simulation(),
            table: Table::new(),
            names: Mutex::default(),
            front: Mutex::default(),
            left_pages: Mutex::default(),
            living: AtomicU64::new(0),
            emptied: Notify::new(),
            pool: Pool::default(),
            alarms: Alarms::default(),
            peers: Mutex::default(),
            dead: DeadLetters::default(),
            counters: Counters::default(),
            kinds: Mutex::default(),
            over: AtomicBool::new(false),
            down: watch::Sender::new(false),
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
        self.0.address
    }

    fn schedule(&self, index: u32) {
        self.0.pool.schedule(self.number(), index);
    }

    pub(crate) fn on_worker(&self, call: impl FnOnce() + Send + 'static) {
        self.0.pool.call(self.number(), call);
    }

    /// Tells nodes of one OS process apart.
    pub(crate) fn number(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    pub(crate) fn silence(&self) -> Duration {
        self.0.silence
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

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn kinds(&self) -> &Mutex<BTreeMap<&'static str, Factory>> {
        &self.0.kinds
    }

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
