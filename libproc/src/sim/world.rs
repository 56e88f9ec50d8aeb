//! The world of a simulation: its hosts, its time, and what is said of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Display;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::bind::NodeBuilder;
use crate::node::Node;
use crate::pid::{Pid, Upid};

/// The host of the script.
pub(super) const SCRIPT: &str = "script";
/// The port of the node on each host.
const PORT: u16 = 5050;
/// How often [`World::eventually`] looks.
const LOOK: Duration = Duration::from_millis(100);

/// What a host runs, each time it starts.
type Software = Box<dyn Fn() -> Pin<Box<dyn Future<Output = turmoil::Result>>>>;

/// What only the driver of the simulation can do.
pub(super) enum Order {
    Start(String, Software),
    Crash(String),
    Bounce(String),
    Latency(String, String, Duration),
    Loss(String, String, f64),
}

/// A simulated world, for the script that runs in it. Cloning gives another handle to the same one.
///
/// Hosts are known by name. A link, which is between two hosts, is in one of four states: well,
/// [partitioned](World::partition) in one direction or both, or [held](World::hold); the latest
/// call decides. All of these need hosts that have started.
#[derive(Clone)]
pub struct World(pub(super) Rc<Inner>);

pub(super) struct Inner {
    seed: u64,
    step: Duration,
    orders: RefCell<VecDeque<(Order, oneshot::Sender<()>)>>,
    hosts: RefCell<BTreeMap<String, Host>>,
    /// The node of the script.
    here: RefCell<Option<Node>>,
    /// Links that are slow or lose packets.
    pub(super) bad: RefCell<BTreeSet<(String, String)>>,
    deeds: RefCell<Vec<String>>,
    failures: RefCell<Vec<String>>,
}

#[derive(Default)]
struct Host {
    crashed: bool,
    node: Option<Node>,
}

/// What the driver needs.
impl World {
    pub(super) fn new(seed: u64, step: Duration) -> World {
        World(Rc::new(Inner {
            seed,
            step,
            orders: RefCell::default(),
            hosts: RefCell::default(),
            here: RefCell::default(),
            bad: RefCell::default(),
            deeds: RefCell::default(),
            failures: RefCell::default(),
        }))
    }

    pub(super) fn take_orders(&self) -> VecDeque<(Order, oneshot::Sender<()>)> {
        self.0.orders.take()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.0.failures.borrow().clone()
    }

    pub(super) fn deeds(&self) -> Vec<String> {
        self.0.deeds.borrow().clone()
    }

    /// Lets go of the nodes, which the hosts are to take with them.
    pub(super) fn end(&self) {
        self.0.hosts.take();
        self.0.here.take();
        self.0.orders.take();
    }

    pub(super) async fn order(&self, order: Order) {
        let (sender, done) = oneshot::channel();
        self.0.orders.borrow_mut().push_back((order, sender));
        // The driver goes away only with the script.
        let _ = done.await;
    }
}

/// Hosts.
impl World {
    /// A node of the script itself, on a host of its own, to which no fault comes.
    ///
    /// # Panics
    /// When it is not the script that wants it, and its port is taken where that runs.
    pub async fn here(&self) -> Node {
        let here = self.0.here.borrow().clone();
        if let Some(here) = here {
            return here;
        }
        let bound = Node::bind(&self.address(SCRIPT).to_string()).await;
        let node = bound.unwrap_or_else(|error| panic!("the script has no node: {error}"));
        self.0.here.replace(Some(node.clone()));
        node
    }

    /// Starts a host with a node on port 5050 and nothing else, and gives the node.
    ///
    /// The script may use it from where it is: what the node does, it does on its host.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub async fn start(&self, host: &str) -> Node {
        self.host(host, |_| pending());
        self.node(host).await
    }

    /// Starts a host that runs `software` with its node, which is on port 5050; again each time it
    /// is [bounced](World::bounce). The node stays when the software returns.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub fn host<Fut>(&self, host: &str, software: impl Fn(Node) -> Fut + 'static)
    where
        Fut: Future<Output = ()> + 'static,
    {
        self.host_with(host, Node::builder(), software);
    }

    /// [`host`](World::host) with a node that is not as usual.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub fn host_with<Fut>(
        &self,
        host: &str,
        builder: NodeBuilder,
        software: impl Fn(Node) -> Fut + 'static,
    ) where
        Fut: Future<Output = ()> + 'static,
    {
        let (world, name, software) = (self.clone(), host.to_owned(), Rc::new(software));
        self.machine(host, move || {
            let (world, name, software) = (world.clone(), name.clone(), software.clone());
            let builder = builder.clone();
            async move {
                let node = builder.bind(&world.address(&name).to_string()).await?;
                world.is_up(&name, &node);
                software(node).await;
                pending().await
            }
        });
    }

    /// Starts a host that runs `software`, which binds nodes itself, and
    /// [says](World::is_up) so if the script is to find them. An error it returns, or a panic,
    /// fails the simulation.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub fn machine<Fut>(&self, host: &str, software: impl Fn() -> Fut + 'static)
    where
        Fut: Future<Output = turmoil::Result> + 'static,
    {
        let before = self
            .0
            .hosts
            .borrow_mut()
            .insert(host.to_owned(), Host::default());
        assert!(before.is_none(), "there is a host {host} already");
        self.deed(format_args!("start {host}"));
        let software: Software = Box::new(move || Box::pin(software()));
        let order = Order::Start(host.to_owned(), software);
        // Nobody needs to hear when it has started.
        let (sender, _) = oneshot::channel();
        self.0.orders.borrow_mut().push_back((order, sender));
    }

    /// The software of a host has bound its node.
    pub fn is_up(&self, host: &str, node: &Node) {
        if let Some(host) = self.0.hosts.borrow_mut().get_mut(host) {
            host.node = Some(node.clone());
        }
    }

    /// The node of a host, once it is up.
    ///
    /// One of a host that has crashed since does nothing any more: get the new one.
    ///
    /// # Panics
    /// When there is no such host.
    pub async fn node(&self, host: &str) -> Node {
        loop {
            if let Some(node) = self.node_if_up(host) {
                return node;
            }
            let known = self.0.hosts.borrow().contains_key(host);
            assert!(known, "there is no host {host}");
            tokio::time::sleep(self.0.step).await;
        }
    }

    /// The node of a host, if it is up.
    #[must_use]
    pub fn node_if_up(&self, host: &str) -> Option<Node> {
        self.0.hosts.borrow().get(host)?.node.clone()
    }

    /// Whether a host is crashed.
    #[must_use]
    pub fn is_crashed(&self, host: &str) -> bool {
        let hosts = self.0.hosts.borrow();
        hosts.get(host).is_some_and(|host| host.crashed)
    }

    /// All hosts there are, but that of the script.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.0.hosts.borrow().keys().cloned().collect()
    }

    /// The address of the node on a host, also before there is one.
    #[must_use]
    pub fn address(&self, host: &str) -> SocketAddr {
        (turmoil::lookup(host), PORT).into()
    }

    /// The address of the process `id` on a host, claiming that it speaks `P`.
    ///
    /// # Panics
    /// When `id` cannot be one.
    #[must_use]
    pub fn pid<P>(&self, id: &str, host: &str) -> Pid<P> {
        let upid = Upid::new(id, self.address(host));
        Pid::assume(upid.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Crashes a host: everything on it is gone at once, and nobody is told.
    ///
    /// # Panics
    /// When there is no such host.
    pub async fn crash(&self, host: &str) {
        if self.change(host, true) {
            self.deed(format_args!("crash {host}"));
            self.order(Order::Crash(host.to_owned())).await;
        }
    }

    /// Starts a crashed host again, at its old address, with nothing of what it knew.
    ///
    /// # Panics
    /// When there is no such host.
    pub async fn bounce(&self, host: &str) {
        if self.change(host, false) {
            self.deed(format_args!("bounce {host}"));
            self.order(Order::Bounce(host.to_owned())).await;
        }
    }

    /// Notes that a host is crashed, or not; false when it was so before.
    fn change(&self, host: &str, crashed: bool) -> bool {
        let mut hosts = self.0.hosts.borrow_mut();
        let known = hosts.get_mut(host);
        let known = known.unwrap_or_else(|| panic!("there is no host {host}"));
        if known.crashed == crashed {
            return false;
        }
        *known = Host {
            crashed,
            node: None,
        };
        true
    }
}

/// Time, and what is said of it.
impl World {
    /// The seed everything follows from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// How long the simulation has run, in its own time.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_default()
    }

    /// Lets time go by.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// When it is not so `within` that time.
    pub async fn eventually(&self, what: &str, within: Duration, is_so: impl Fn() -> bool) {
        let until = Instant::now() + within;
        while !is_so() {
            assert!(Instant::now() < until, "{what}: not within {within:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Notes that something must not be, which ends the simulation.
    pub fn fail(&self, what: impl Display) {
        self.0.failures.borrow_mut().push(what.to_string());
    }

    /// Notes what was done, for the report of a run that fails. What the world does is noted
    /// anyway.
    pub fn deed(&self, what: impl Display) {
        let at = self.elapsed().as_secs_f64();
        tracing::info!(%what, "deed");
        let line = format!("{at:>11.6} s  {what}");
        self.0.deeds.borrow_mut().push(line);
    }
}
