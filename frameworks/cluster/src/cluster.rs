//! A simulated cluster, for the script that runs it.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use api::agent::{AgentReport, Agenting, GetAgent};
use api::master::Mastering;
use libproc::sim::turmoil;
use libproc::{Accepts, AskError, ExitReason, Node, Pid, Wire};
use sdk::{Calls, Framework, Remote};
use types::FrameworkInfo;

use crate::hosts::{MASTER_HOST, Shape};
use crate::record::Record;
use crate::simulation::node_at;
use crate::tape::{Tape, Taped};
use crate::truth::Truth;

/// The port of a framework's node.
const FRAMEWORK_PORT: u16 = 5052;
/// How often [`Cluster::eventually`] looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long an agent may take to stop.
const STOP: Duration = Duration::from_secs(60);
/// The latency of links that nobody made slow.
const LATENCY: Duration = Duration::from_millis(10);

/// What a host runs, each time it starts.
pub(crate) type Software = Box<dyn Fn() -> Pin<Box<dyn Future<Output = turmoil::Result>>>>;

/// What only the driver of the simulation can do.
pub(crate) enum Order {
    Start(String, Software),
    Crash(String),
    Restart(String),
    Latency(String, String, Duration),
}

/// A simulated cluster. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Cluster(Rc<Inner>);

struct Inner {
    seed: u64,
    shape: Shape,
    master: Pid<Mastering>,
    record: Record,
    work_dir: tempfile::TempDir,
    node: OnceCell<Node>,
    orders: RefCell<VecDeque<Order>>,
    hosts: RefCell<BTreeMap<String, Host>>,
    slow: RefCell<BTreeSet<(String, String)>>,
}

/// A host, as it should be.
#[derive(Default)]
struct Host {
    crashed: bool,
    node: Option<Node>,
    /// Its process may end by itself.
    may_end: bool,
    /// It is not restarted by [`Cluster::settle`].
    retired: bool,
}

/// What the driver needs.
impl Cluster {
    pub(crate) fn new(seed: u64, shape: Shape, master: Pid<Mastering>) -> Cluster {
        let work_dir = tempfile::tempdir().expect("there is a directory for temporary files");
        let cluster = Cluster(Rc::new(Inner {
            seed,
            shape,
            master,
            record: Record::default(),
            work_dir,
            node: OnceCell::new(),
            orders: RefCell::default(),
            hosts: RefCell::default(),
            slow: RefCell::default(),
        }));
        for host in cluster.fixed_hosts() {
            cluster.0.hosts.borrow_mut().insert(host, Host::default());
        }
        cluster
    }

    pub(crate) fn fixed_hosts(&self) -> Vec<String> {
        let mut hosts = vec![MASTER_HOST.to_owned()];
        hosts.extend(self.0.shape.agent_hosts());
        hosts
    }

    pub(crate) fn record(&self) -> &Record {
        &self.0.record
    }

    pub(crate) fn set_node(&self, node: Node) {
        drop(self.0.node.set(node)); // an operator starts once
    }

    pub(crate) fn work_dir(&self, host: &str) -> PathBuf {
        self.0.work_dir.path().join(host)
    }

    pub(crate) fn take_orders(&self) -> VecDeque<Order> {
        self.0.orders.take()
    }

    pub(crate) fn is_up(&self, host: &str, node: &Node) {
        if let Some(host) = self.0.hosts.borrow_mut().get_mut(host) {
            host.node = Some(node.clone());
        }
    }

    pub(crate) fn may_end(&self, host: &str) -> bool {
        self.0
            .hosts
            .borrow()
            .get(host)
            .is_some_and(|host| host.may_end)
    }

    /// The hosts that should be there, and are not crashed.
    pub(crate) fn hosts_up(&self) -> Vec<String> {
        let hosts = self.0.hosts.borrow();
        let up = hosts
            .iter()
            .filter(|(_, host)| !host.crashed && !host.retired);
        up.map(|(name, _)| name.clone()).collect()
    }

    async fn order(&self, order: Order) {
        self.0.orders.borrow_mut().push_back(order);
        while !self.0.orders.borrow().is_empty() {
            tokio::time::sleep(self.0.shape.step).await;
        }
    }
}

/// Looking.
impl Cluster {
    /// The seed everything follows from.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// What the cluster is like.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The address of the master.
    pub fn master(&self) -> &Pid<Mastering> {
        &self.0.master
    }

    /// All hosts: that of the master, those of the agents, those of frameworks.
    pub fn hosts(&self) -> Vec<String> {
        self.0.hosts.borrow().keys().cloned().collect()
    }

    /// The node of the script, on a host of its own.
    ///
    /// # Panics
    /// When the script does not run yet.
    pub fn node(&self) -> &Node {
        self.0
            .node
            .get()
            .expect("the script runs when its node has started")
    }

    /// Asks the master something an operator may ask.
    ///
    /// # Errors
    /// When the master is not there.
    pub async fn ask<M: Wire>(&self, message: M) -> Result<M::Result, AskError>
    where
        Mastering: Accepts<M>,
    {
        self.node().ask(&self.0.master, message).await
    }

    /// What the agent on a host has in its books.
    ///
    /// # Errors
    /// When the agent is not there.
    pub async fn agent_report(&self, host: &str) -> Result<AgentReport, AskError> {
        self.node().ask(&agent_at(host), GetAgent {}).await
    }

    /// What really runs and ran.
    pub fn truth<R>(&self, read: impl FnOnce(&Truth) -> R) -> R {
        read(&self.0.record.pages().truth)
    }

    /// What a framework was told.
    pub fn tape<R>(&self, name: &str, read: impl FnOnce(&Tape) -> R) -> R {
        self.0.record.tape(name, read)
    }

    /// How many tasks really run.
    pub fn running(&self) -> usize {
        self.truth(|truth| truth.running().len())
    }

    /// Notes that something must not be, which ends the simulation.
    pub fn violation(&self, what: impl Into<String>) {
        self.0.record.violation(what);
    }
}

/// Time.
impl Cluster {
    /// Lets time go by.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// When it is not so `within` that time.
    pub async fn eventually(&self, what: &str, within: Duration, is_so: impl Fn() -> bool) {
        let until = tokio::time::Instant::now() + within;
        while !is_so() {
            assert!(
                tokio::time::Instant::now() < until,
                "{what}: not within {within:?}"
            );
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Frameworks.
impl Cluster {
    /// Starts a framework on a host of its own, `name`. `make` is called each time the host starts:
    /// after a crash the framework comes back under its id, with the state that `make` gives it.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub fn start<F: Framework>(
        &self,
        name: &str,
        info: FrameworkInfo,
        make: impl Fn() -> F + 'static,
    ) -> Scheduler<F> {
        let before = self
            .0
            .hosts
            .borrow_mut()
            .insert(name.to_owned(), Host::default());
        assert!(before.is_none(), "there is a host {name}");
        let remote = Rc::new(RefCell::new(None));
        let scheduler = Scheduler { remote };
        let (cluster, slot, make) = (self.clone(), scheduler.remote.clone(), Rc::new(make));
        let host = name.to_owned();
        let software: Software = Box::new(move || {
            let framework = Taped {
                framework: make(),
                name: host.clone(),
                record: cluster.0.record.clone(),
            };
            let (cluster, slot) = (cluster.clone(), slot.clone());
            Box::pin(cluster.run_framework(host.clone(), framework, info.clone(), slot))
        });
        self.0.record.deed(format!("start {name}"));
        self.0
            .orders
            .borrow_mut()
            .push_back(Order::Start(name.to_owned(), software));
        scheduler
    }

    async fn run_framework<F: Framework>(
        self,
        host: String,
        framework: Taped<F>,
        info: FrameworkInfo,
        slot: Rc<RefCell<Option<Remote<Taped<F>>>>>,
    ) -> turmoil::Result {
        let node = node_at(&host, FRAMEWORK_PORT).await?;
        self.is_up(&host, &node);
        let id = self
            .tape(&host, |tape| tape.id().cloned())
            .or(info.id.clone());
        let info = FrameworkInfo { id, ..info };
        let mut handle = sdk::start(&node, self.0.master.clone(), framework, info)?;
        slot.replace(Some(handle.remote()));
        let ended = handle.ended().await;
        if let Err(sdk::Error::Crashed(ExitReason::Panicked(text))) = &ended {
            self.violation(format!("{host} panicked: {text}"));
        }
        tracing::info!(host, ?ended, "framework ended");
        self.retire(&host);
        pending().await
    }

    /// A host has done its work: it is not missed when the cluster rests.
    pub fn retire(&self, host: &str) {
        if let Some(host) = self.0.hosts.borrow_mut().get_mut(host) {
            host.retired = true;
            host.may_end = true;
        }
    }

    /// Whether a framework has ended, or its host was given up.
    pub fn is_retired(&self, host: &str) -> bool {
        self.0
            .hosts
            .borrow()
            .get(host)
            .is_none_or(|host| host.retired)
    }
}

/// Reaches a framework that the script started.
pub struct Scheduler<F> {
    remote: Rc<RefCell<Option<Remote<Taped<F>>>>>,
}

impl<F: Framework> Scheduler<F> {
    /// Runs `visit` in a turn of the framework. False when it is not there.
    pub fn visit(&self, visit: impl FnOnce(&mut F, &mut Calls) + Send + 'static) -> bool {
        let remote = self.remote.borrow();
        remote
            .as_ref()
            .is_some_and(|remote| remote.visit(move |taped, calls| taped.visited(calls, visit)))
    }
}

/// Ends that are meant.
impl Cluster {
    /// Has the agent on a host end its tasks and itself, as an operator would; with `unregister` it
    /// leaves the cluster for good. The host has no agent until it is crashed and restarted.
    ///
    /// # Panics
    /// When the agent takes longer than a minute.
    pub async fn stop_agent(&self, host: &str, unregister: bool) {
        self.record()
            .deed(format!("stop {host}, unregister: {unregister}"));
        self.retire(host);
        let node = self
            .0
            .hosts
            .borrow()
            .get(host)
            .and_then(|host| host.node.clone());
        let Some(node) = node else { return };
        let agent = agent_at(host);
        let ended = tokio::time::timeout(STOP, agent::stop(&node, &agent, unregister)).await;
        assert!(ended.is_ok(), "the agent on {host} does not stop");
    }
}

/// Faults.
impl Cluster {
    /// Crashes a host: everything on it is gone at once, and nobody is told.
    pub async fn crash(&self, host: &str) {
        {
            let mut hosts = self.0.hosts.borrow_mut();
            let Some(host) = hosts.get_mut(host).filter(|host| !host.crashed) else {
                return;
            };
            host.crashed = true;
            host.node = None;
        }
        self.0.record.deed(format!("crash {host}"));
        self.order(Order::Crash(host.to_owned())).await;
    }

    /// Starts a crashed host again, with nothing but what it had on disk.
    pub async fn restart(&self, host: &str) {
        {
            let mut hosts = self.0.hosts.borrow_mut();
            let Some(host) = hosts.get_mut(host).filter(|host| host.crashed) else {
                return;
            };
            *host = Host::default();
        }
        self.0.record.deed(format!("restart {host}"));
        self.order(Order::Restart(host.to_owned())).await;
    }

    /// Cuts the link between two hosts: what is sent over it vanishes.
    pub fn cut(&self, a: &str, b: &str) {
        self.0.record.deed(format!("cut {a} | {b}"));
        turmoil::partition(a, b);
    }

    /// Cuts one direction of a link.
    pub fn cut_one_way(&self, from: &str, to: &str) {
        self.0.record.deed(format!("cut {from} -> {to}"));
        turmoil::partition_oneway(from, to);
    }

    /// Undoes any cut between two hosts.
    pub fn repair(&self, a: &str, b: &str) {
        self.0.record.deed(format!("repair {a} | {b}"));
        turmoil::repair(a, b);
    }

    /// Holds back all that is sent between two hosts.
    pub fn hold(&self, a: &str, b: &str) {
        self.0.record.deed(format!("hold {a} | {b}"));
        turmoil::hold(a, b);
    }

    /// Delivers what was held back.
    pub fn release(&self, a: &str, b: &str) {
        self.0.record.deed(format!("release {a} | {b}"));
        turmoil::release(a, b);
    }

    /// Ends the connection between two hosts; they may connect again at once.
    pub fn reset(&self, a: &str, b: &str) {
        let node = self
            .0
            .hosts
            .borrow()
            .get(a)
            .and_then(|host| host.node.clone());
        if let Some(node) = node {
            self.0.record.deed(format!("reset {a} | {b}"));
            let address = turmoil::lookup(b);
            for port in [api::MASTER_PORT, api::AGENT_PORT, FRAMEWORK_PORT] {
                node.sever((address, port).into());
            }
        }
    }

    /// Makes messages between two hosts take up to `longest`.
    pub async fn slow_down(&self, a: &str, b: &str, longest: Duration) {
        self.0.record.deed(format!("slow {a} | {b}: {longest:?}"));
        self.0
            .slow
            .borrow_mut()
            .insert((a.to_owned(), b.to_owned()));
        self.order(Order::Latency(a.to_owned(), b.to_owned(), longest))
            .await;
    }

    /// Makes a link as fast as it was.
    pub async fn speed_up(&self, a: &str, b: &str) {
        let link = (a.to_owned(), b.to_owned());
        if self.0.slow.borrow_mut().remove(&link) {
            self.0.record.deed(format!("fast {a} | {b}"));
            self.order(Order::Latency(link.0, link.1, LATENCY)).await;
        }
    }

    /// Undoes all faults: links are repaired, crashed hosts start again.
    pub async fn heal(&self) {
        self.0.record.deed("heal");
        let hosts = self.hosts();
        for (index, a) in hosts.iter().enumerate() {
            for b in &hosts[index + 1..] {
                turmoil::release(a.as_str(), b.as_str());
                turmoil::repair(a.as_str(), b.as_str());
            }
        }
        let slow = self.0.slow.borrow().clone();
        for (a, b) in slow {
            self.speed_up(&a, &b).await;
        }
        for host in hosts {
            if !self.is_retired(&host) {
                self.restart(&host).await;
            }
        }
    }
}

/// The address of the agent on a host.
fn agent_at(host: &str) -> Pid<Agenting> {
    let address = turmoil::lookup(host);
    let agent = format!("{}@{address}:{}", api::AGENT, api::AGENT_PORT);
    agent.parse().expect("an address is a value")
}
