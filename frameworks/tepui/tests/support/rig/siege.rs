//! A cluster with work to do while strangers knock: does it live, work, and stay small?

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use sdk::prelude::*;
use serde_json::Value;

use super::cluster::Cluster;
use super::daemon::TEPUI;
use super::place::Place;
use super::{eventually, http, processes};

/// How much the memory of a daemon may grow.
const GROWTH_MAX_KIB: u64 = 64 << 10;
/// Longest time a `tepui run true` may take.
const RUN_MAX: Duration = Duration::from_secs(10);
/// Tasks that run at a time beside.
const LOAD: usize = 5;

/// A cluster of one master and one agent that has work to do.
pub(crate) struct Siege {
    pub(crate) place: Place,
    pub(crate) cluster: Cluster,
    _load: sdk::Handle<Load>,
    before_kib: Vec<u64>,
    witness: Rc<Witness>,
}

/// What a client sees, all the time.
#[derive(Default)]
struct Witness {
    over: Cell<bool>,
    runs: Cell<u32>,
    slowest: Cell<Duration>,
    failures: RefCell<Vec<String>>,
    largest_kib: RefCell<Vec<u64>>,
}

impl Siege {
    pub(crate) async fn begin(test: &str) -> Siege {
        let place = Place::new(test);
        let flags = [
            "--agent-ping-timeout=1secs",
            "--max-agent-ping-timeouts=5",
            "--offer-timeout=1secs",
        ];
        let resources = "cpus:4;mem:4096;disk:1024;ports:[]";
        let cluster = Cluster::start(&place, 1, &flags, resources).await;
        let info = FrameworkInfo::new("load");
        let load = Load { running: 0 };
        let load = sdk::start(&cluster.node, cluster.master_pid(), load, info);
        let load = load.expect("the node has room for a framework");
        let witness = Rc::new(Witness::default());
        let pids = vec![cluster.master.pid(), cluster.agents[0].pid()];
        let master = cluster.master.address();
        // Once around, so that what is made at first is there.
        for _ in 0..5 {
            run_true(master)
                .await
                .expect("a command runs before anything happens");
        }
        let before_kib: Vec<u64> = pids.iter().map(|pid| processes::memory_kib(*pid)).collect();
        *witness.largest_kib.borrow_mut() = before_kib.clone();
        tokio::task::spawn_local(watch(witness.clone(), master, pids));
        Siege {
            place,
            cluster,
            _load: load,
            before_kib,
            witness,
        }
    }

    /// Where strangers knock: at the master and at the agent.
    pub(crate) fn doors(&self) -> [(&'static str, SocketAddr); 2] {
        [
            ("master", self.cluster.master.address()),
            ("agent", self.cluster.agents[0].address()),
        ]
    }

    /// What a node counts, by name.
    pub(crate) async fn count(&self, door: SocketAddr, name: &str) -> u64 {
        let page: Value = http::json(door, "/metrics/snapshot")
            .await
            .expect("metrics");
        page[name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name} in {page}")) as u64
    }

    /// Waits for so many more `tepui run true`.
    pub(crate) async fn await_runs(&self, more: u32) {
        let wanted = self.witness.runs.get() + more;
        eventually("commands run", Duration::from_secs(30), || async {
            match self.witness.runs.get() {
                runs if runs >= wanted => Ok(()),
                runs => Err((runs, self.witness.failures.borrow().clone())),
            }
        })
        .await;
    }

    /// What happened is judged.
    pub(crate) async fn end(mut self) {
        self.await_runs(2).await;
        self.witness.over.set(true);
        let witness = &self.witness;
        let largest = witness.largest_kib.borrow().clone();
        println!(
            "{} runs, the slowest in {:?}; memory of master and agent {:?} KiB, at most {largest:?}",
            witness.runs.get(),
            witness.slowest.get(),
            self.before_kib,
        );
        let failures = witness.failures.borrow().clone();
        assert!(failures.is_empty(), "commands failed: {failures:?}");
        for (before, largest) in self.before_kib.iter().zip(&largest) {
            let growth = largest.saturating_sub(*before);
            assert!(
                growth < GROWTH_MAX_KIB,
                "memory grew from {before} to {largest} KiB"
            );
        }
        self.cluster.master.assert_alive();
        self.cluster.agents[0].assert_alive();
        for daemon in [&self.cluster.master, &self.cluster.agents[0]] {
            let log = fs::read_to_string(daemon.log()).expect("a log");
            let panic = log.lines().find(|line| line.contains("panicked"));
            assert!(panic.is_none(), "{}", panic.unwrap_or_default());
        }
        self.cluster.stop();
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.witness.over.set(true);
    }
}

async fn watch(witness: Rc<Witness>, master: SocketAddr, pids: Vec<i32>) {
    while !witness.over.get() {
        let begun = Instant::now();
        let ran = run_true(master).await;
        if witness.over.get() {
            return;
        }
        witness.runs.set(witness.runs.get() + 1);
        witness
            .slowest
            .set(witness.slowest.get().max(begun.elapsed()));
        if let Err(why) = ran {
            witness.failures.borrow_mut().push(why);
        }
        for (largest, pid) in witness.largest_kib.borrow_mut().iter_mut().zip(&pids) {
            if processes::all().contains_key(pid) {
                *largest = (*largest).max(processes::memory_kib(*pid));
            }
        }
    }
}

/// A command that ends with the test, whatever becomes of it.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `tepui run true`.
async fn run_true(master: SocketAddr) -> Result<(), String> {
    let mut command = Command::new(TEPUI);
    command.args(["run", "--master", &master.to_string(), "true"]);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut client = Client(command.spawn().map_err(|error| error.to_string())?);
    let until = Instant::now() + RUN_MAX;
    while Instant::now() < until {
        let Some(status) = client.0.try_wait().map_err(|error| error.to_string())? else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        let stderr = client.0.stderr.take();
        drop(stderr.map(|mut stderr| stderr.read_to_string(&mut said)));
        return Err(format!("{status}: {said}"));
    }
    Err(format!("`tepui run true` takes longer than {RUN_MAX:?}"))
}

/// A framework that always runs a few short tasks.
struct Load {
    running: usize,
}

impl Framework for Load {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(0.1).mem_mib(32);
        for offer in offers {
            let room = offer.resources.count(&need) as usize;
            let count = room.min(LOAD.saturating_sub(self.running));
            self.running += count;
            let tasks = (0..count).map(|_| Task::command("sleep 0.5", &need));
            let filters = Filters::refuse(Duration::from_millis(200));
            calls.accept_with_filters(&offer, tasks, filters);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, _: &mut Calls) {
        if update.state.is_terminal() {
            self.running = self.running.saturating_sub(1);
        }
    }
}
