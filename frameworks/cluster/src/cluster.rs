//! A simulated cluster, for the script that runs it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use api::agent::{AgentReport, Agenting, GetAgent};
use api::master::Mastering;
use election::Detector;
use libproc::sim::{World, turmoil};
use libproc::{Accepts, AskError, ExitReason, Node, Pid, Wire};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use replog::store::MemoryDisk;
use sdk::{Calls, Framework, Remote, Starting};
use state::State;
use types::FrameworkInfo;

use crate::hosts::{Shape, Way};
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

/// A simulated cluster. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Cluster(Rc<Inner>);

struct Inner {
    world: World,
    shape: Shape,
    /// To the master.
    way: Way,
    /// Who leads, as the script sees it.
    leader: Detector,
    /// Those of masters that are several.
    disks: BTreeMap<String, MemoryDisk>,
    /// What is left on a disk that lost its power.
    chance: RefCell<StdRng>,
    record: Record,
    work_dir: tempfile::TempDir,
    node: Node,
    hosts: RefCell<BTreeMap<String, Host>>,
}

/// A host, as it should be.
#[derive(Default)]
struct Host {
    /// Its process may end by itself.
    may_end: bool,
    /// It is not restarted by [`Cluster::settle`].
    retired: bool,
}

/// What the rest of this crate needs.
impl Cluster {
    pub(crate) fn new(world: World, node: Node, shape: Shape, way: Way) -> Cluster {
        let work_dir = tempfile::tempdir().expect("there is a directory for temporary files");
        let disk = |host: String| (host, MemoryDisk::new());
        let cluster = Cluster(Rc::new(Inner {
            chance: RefCell::new(StdRng::seed_from_u64(world.seed())),
            disks: shape.master_hosts().into_iter().map(disk).collect(),
            leader: way.from(&node),
            world,
            shape,
            way,
            record: Record::default(),
            work_dir,
            node,
            hosts: RefCell::default(),
        }));
        for host in cluster.fixed_hosts() {
            cluster.0.hosts.borrow_mut().insert(host, Host::default());
        }
        cluster
    }

    pub(crate) fn fixed_hosts(&self) -> Vec<String> {
        let mut hosts = self.0.shape.master_hosts();
        hosts.extend(self.0.shape.agent_hosts());
        hosts
    }

    pub(crate) fn way(&self) -> &Way {
        &self.0.way
    }

    /// The disk of a master that is one of several.
    pub(crate) fn disk(&self, host: &str) -> &MemoryDisk {
        &self.0.disks[host]
    }

    pub(crate) fn record(&self) -> &Record {
        &self.0.record
    }

    pub(crate) fn work_dir(&self, host: &str) -> PathBuf {
        self.0.work_dir.path().join(host)
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
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
            .filter(|(name, host)| !host.retired && !self.0.world.is_crashed(name));
        up.map(|(name, _)| name.clone()).collect()
    }
}

/// Looking.
impl Cluster {
    /// The seed everything follows from.
    pub fn seed(&self) -> u64 {
        self.0.world.seed()
    }

    /// What the cluster is like.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The host of the master that leads; none while none of several does.
    pub fn leading_host(&self) -> Option<String> {
        match self.0.shape.masters {
            1 => self.0.shape.master_hosts().pop(),
            _ => self.0.record.pages().leads.first().cloned(),
        }
    }

    /// All hosts: those of masters, of agents, and of frameworks.
    pub fn hosts(&self) -> Vec<String> {
        self.0.hosts.borrow().keys().cloned().collect()
    }

    /// The node of the script, on a host of its own.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    /// Asks the master that leads something an operator may ask.
    ///
    /// # Errors
    /// When none is there.
    pub async fn ask<M: Wire>(&self, message: M) -> Result<M::Result, AskError>
    where
        Mastering: Accepts<M>,
    {
        let leader = self.0.leader.leader().ok_or(AskError::Unreachable)?;
        self.node().ask(&leader.pid, message).await
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
        self.start_kept(name, info, None, make)
    }

    /// [`start`](Cluster::start) for a framework that keeps what must survive in `state`: its id as
    /// well, so that a crash of its host takes only what it did not store.
    ///
    /// # Panics
    /// When there is a host of that name.
    pub fn start_kept<F: Framework>(
        &self,
        name: &str,
        info: FrameworkInfo,
        state: Option<State>,
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
        self.0.world.machine(name, move || {
            let framework = Taped {
                framework: make(),
                name: host.clone(),
                record: cluster.0.record.clone(),
            };
            let (cluster, slot) = (cluster.clone(), slot.clone());
            cluster.run_framework(host.clone(), framework, info.clone(), state.clone(), slot)
        });
        scheduler
    }

    async fn run_framework<F: Framework>(
        self,
        host: String,
        framework: Taped<F>,
        info: FrameworkInfo,
        state: Option<State>,
        slot: Rc<RefCell<Option<Remote<Taped<F>>>>>,
    ) -> turmoil::Result {
        let node = node_at(&host, FRAMEWORK_PORT).await?;
        self.0.world.is_up(&host, &node);
        let id = match &state {
            Some(_) => None, // it is kept there
            None => self.tape(&host, |tape| tape.id().cloned()),
        };
        let id = id.or(info.id.clone());
        let info = FrameworkInfo { id, ..info };
        let starting = Starting {
            state,
            ..Starting::default()
        };
        let master: sdk::Master = match &self.0.way {
            Way::To(master) => master.clone().into(),
            Way::Among(_) => self.0.way.from(&node).into(),
        };
        let mut handle = sdk::start_with(&node, master, framework, info, starting)?;
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

impl<F> Clone for Scheduler<F> {
    fn clone(&self) -> Self {
        let remote = self.remote.clone();
        Scheduler { remote }
    }
}

impl<F: Framework> Scheduler<F> {
    /// Runs `visit` in a turn of the framework. False when it is not there.
    pub fn visit(&self, visit: impl FnOnce(&mut F, &mut Calls) + Send + 'static) -> bool {
        let remote = self.remote.borrow();
        remote
            .as_ref()
            .is_some_and(|remote| remote.visit(move |taped, calls| taped.visited(calls, visit)))
    }

    /// Runs `visit` in a turn of the framework, and gives what it gives once everything stored up
    /// to then is kept. None when the framework is not there, or goes before.
    pub async fn ask<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut F, &mut Calls) -> R + Send + 'static,
    ) -> Option<R> {
        let remote = self.remote.borrow().clone()?;
        let asked = remote.ask(move |taped, calls| {
            let mut result = None;
            taped.visited(calls, |framework, calls| {
                result = Some(visit(framework, calls))
            });
            result
        });
        asked.await.flatten()
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
        let deed = format!("stop {host}, unregister: {unregister}");
        self.0.world.deed(deed);
        self.retire(host);
        let Some(node) = self.0.world.node_if_up(host) else {
            return;
        };
        let agent = agent_at(host);
        let ended = tokio::time::timeout(STOP, agent::stop(&node, &agent, unregister)).await;
        assert!(ended.is_ok(), "the agent on {host} does not stop");
    }
}

/// Faults.
impl Cluster {
    /// Crashes a host: everything on it is gone at once, and nobody is told.
    pub async fn crash(&self, host: &str) {
        if !self.0.world.is_crashed(host) {
            self.0.world.crash(host).await;
            self.0.record.crashed(host);
            if let Some(disk) = self.0.disks.get(host) {
                disk.crash(&mut *self.0.chance.borrow_mut());
            }
        }
    }

    /// Starts a crashed host again, with nothing but what it had on disk.
    pub async fn restart(&self, host: &str) {
        if self.0.world.is_crashed(host) {
            let fresh = Host::default();
            self.0.hosts.borrow_mut().insert(host.to_owned(), fresh);
            self.0.world.bounce(host).await;
        }
    }

    /// Cuts the link between two hosts: what is sent over it vanishes.
    pub fn cut(&self, a: &str, b: &str) {
        self.0.world.partition(a, b);
    }

    /// Cuts a host off from all others.
    pub fn isolate(&self, host: &str) {
        self.others(host)
            .iter()
            .for_each(|other| self.cut(host, other));
    }

    /// Undoes any cut between a host and all others.
    pub fn rejoin(&self, host: &str) {
        self.others(host)
            .iter()
            .for_each(|other| self.repair(host, other));
    }

    fn others(&self, host: &str) -> Vec<String> {
        let mut hosts = self.hosts();
        hosts.retain(|other| other != host);
        hosts
    }

    /// Cuts one direction of a link.
    pub fn cut_one_way(&self, from: &str, to: &str) {
        self.0.world.partition_one_way(from, to);
    }

    /// Undoes any cut between two hosts.
    pub fn repair(&self, a: &str, b: &str) {
        self.0.world.repair(a, b);
    }

    /// Holds back all that is sent between two hosts.
    pub fn hold(&self, a: &str, b: &str) {
        self.0.world.hold(a, b);
    }

    /// Delivers what was held back.
    pub fn release(&self, a: &str, b: &str) {
        self.0.world.release(a, b);
    }

    /// Ends the connection between two hosts; they may connect again at once.
    pub fn reset(&self, a: &str, b: &str) {
        self.0.world.reset(a, b);
    }

    /// Makes messages between two hosts take up to `longest`.
    pub async fn slow_down(&self, a: &str, b: &str, longest: Duration) {
        self.0.world.slow_down(a, b, longest).await;
    }

    /// Makes a link as fast as it was.
    pub async fn speed_up(&self, a: &str, b: &str) {
        self.0.world.speed_up(a, b).await;
    }

    /// Undoes all faults: links are repaired, crashed hosts start again.
    pub async fn heal(&self) {
        self.0.world.mend().await;
        for host in self.hosts() {
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
