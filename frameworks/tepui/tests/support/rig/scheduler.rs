//! A framework in a process of its own, so that it can be killed and come back as itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;
use super::journal::Reader;
use super::place::Place;
use super::retrying::Orders;

/// The variable by which the test program is told to be the framework of a test.
pub(crate) const ORDERS: &str = "TEPUI_TEST_ORDERS";
/// The test that then runs.
const TEST: &str = "a_framework_in_a_process_of_its_own";

/// A framework in a process of its own.
pub(crate) struct Scheduler {
    pub(crate) orders: Orders,
    log: PathBuf,
    child: Child,
}

impl Scheduler {
    pub(crate) fn start(place: &Place, cluster: &Cluster, works: usize) -> Scheduler {
        let orders = Orders {
            master: cluster.master.address().to_string(),
            works,
            marker: place.marker.clone(),
            journal: place.path().join("journal"),
            starts: place.make("starts"),
        };
        let log = place.path().join("framework.log");
        let child = spawn(&orders, &log);
        Scheduler { orders, log, child }
    }

    pub(crate) fn journal(&self) -> Reader {
        Reader(self.orders.journal.clone())
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.orders, &self.log);
    }

    pub(crate) fn assert_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert!(
            ended.is_none(),
            "the framework has ended: {ended:?}; its log: {log}"
        );
    }

    /// Ends it in order, its tasks with it.
    pub(crate) fn stop(&mut self) {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )
        .unwrap();
        let status = self.child.wait().unwrap();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert!(status.success(), "{status}; its log: {log}");
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(orders: &Orders, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ORDERS, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
