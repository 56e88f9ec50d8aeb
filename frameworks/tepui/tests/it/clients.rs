//! Clients of Apache Mesos that others wrote, unmodified, against a cluster of ours.
//!
//! Each test installs its client, once, below the build directory. Where that cannot be, because
//! there is no interpreter it runs on or no network, the test says so and ends; with
//! `TEPUI_TEST_CLIENTS=required` in the environment it fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Cluster, finish_within};

/// Longest time to download and compile a client.
const INSTALL: Duration = Duration::from_secs(300);
/// Longest time for a client to do its work.
const WORK: Duration = Duration::from_secs(150);

/// The interpreters a client runs on, and its requirements.
struct Client {
    name: &'static str,
    /// The newest first.
    pythons: &'static [&'static str],
    requirements: &'static [&'static str],
}

/// Its parser of HTTP does not compile on what is newer than Python 3.10.
const PYMESOS: Client = Client {
    name: "pymesos-0.3.15",
    pythons: &["3.10", "3.9", "3.8"],
    requirements: &["pymesos==0.3.15"],
};

impl Client {
    /// The interpreter with the client, installed if it was not; or why that cannot be.
    fn install(&self) -> Result<PathBuf, String> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().map_err(|error| error.to_string())?;
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        let ready = place.join(self.name);
        if ready.join("installed").exists() {
            return Ok(ready.join("bin/python"));
        }
        let python = self.pythons.iter().find_map(|version| interpreter(version));
        let versions = self.pythons.join(", ");
        let python = python.ok_or_else(|| format!("there is no Python {versions}"))?;
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let _ = std::fs::remove_dir_all(&ready); // half of it may lie there
        let mut venv = Command::new(python);
        venv.args(["-m", "venv"]).arg(&ready);
        succeed(venv)?;
        let mut pip = Command::new(ready.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        pip.args(self.requirements);
        succeed(pip)?;
        std::fs::write(ready.join("installed"), "").map_err(|error| error.to_string())?;
        Ok(ready.join("bin/python"))
    }

    /// The interpreter with the client; none when the test is to end.
    fn get(&self) -> Option<PathBuf> {
        let required = std::env::var("TEPUI_TEST_CLIENTS").is_ok_and(|text| text == "required");
        match self.install() {
            Ok(python) => Some(python),
            Err(why) if required => panic!("{} cannot be installed: {why}", self.name),
            Err(why) => {
                eprintln!("not tested: {} cannot be installed: {why}", self.name);
                None
            }
        }
    }
}

/// A Python of this version: by its name, or among those that pyenv keeps.
fn interpreter(version: &str) -> Option<PathBuf> {
    let name = format!("python{version}");
    let works = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let kept = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let kept = kept
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(&name));
    std::iter::once(PathBuf::from(&name))
        .chain(kept)
        .find(works)
}

fn succeed(command: Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let done = finish_within(command, INSTALL);
    match done.code {
        Some(0) => Ok(()),
        _ => Err(format!("{shown}: {}", done.stderr)),
    }
}

/// Runs a script of ours on a client; the JSON it prints comes back.
fn run(python: &Path, script: &str, cluster: &Cluster) -> Json {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = Command::new(python);
    command.arg(scripts.join(script)).arg(&cluster.master);
    let done = finish_within(command, WORK);
    eprintln!("{}", done.stderr);
    done.json()
}

#[test]
fn a_scheduler_on_pymesos_runs_tasks_fails_over_and_ends() {
    let Some(python) = PYMESOS.get() else { return };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(&python, "pymesos_scheduler.py", &cluster);
    assert_eq!(saw["errors"], json!([]), "{saw}");
    assert_eq!(saw["over"], true, "{saw}");
    assert_eq!(
        (&saw["subscriptions"], &saw["same_id"]),
        (&json!(2), &json!(true)),
        "{saw}"
    );
    for (task, last) in [
        ("ends", "TASK_FINISHED"),
        ("shows:variable", "TASK_FINISHED"),
        ("fails", "TASK_FAILED"),
        ("sleeps", "TASK_KILLED"),
    ] {
        let states = saw["states"][task].as_array().expect("news of each task");
        assert!(states.contains(&json!("TASK_RUNNING")), "{saw}");
        assert_eq!(states.last(), Some(&json!(last)), "{saw}");
    }
    // It does not know what it means that a task is unknown.
    let reconciled = json!({"sleeps": "TASK_RUNNING", "nobody": "TASK_LOST"});
    assert_eq!(saw["reconciled"], reconciled, "{saw}");
    assert!(
        saw["heartbeats"].as_u64() >= Some(2),
        "one at each subscription: {saw}"
    );
    assert_eq!(
        (&saw["running"], &saw["completed"]),
        (&json!(["pymesos"]), &json!(["pymesos"]))
    );
}

#[test]
fn an_operator_on_pymesos_asks_and_watches() {
    let Some(python) = PYMESOS.get() else { return };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(&python, "pymesos_operator.py", &cluster);
    assert_eq!(saw["health"], true, "{saw}");
    assert_eq!(saw["version"], "1.11.0", "{saw}");
    assert_eq!(saw["flags"]["max_agent_ping_timeouts"], "5", "{saw}");
    assert_eq!(saw["metrics"]["master/slaves_active"], 1.0, "{saw}");
    assert_eq!(saw["agents"], json!([true]), "{saw}");
    let parts = json!(["get_agents", "get_executors", "get_frameworks", "get_tasks"]);
    assert_eq!(saw["state"], parts, "{saw}");
    assert_eq!(saw["roles"], json!(["*"]), "{saw}");
    let port: u64 = cluster.master.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(saw["port"], port, "{saw}");
    assert_eq!(saw["quota"], json!({"status": {}}), "{saw}");
    assert_eq!(saw["schedule"], json!({"schedule": {}}), "{saw}");
    assert_eq!(
        saw["weights"],
        json!([{"role": "dev", "weight": 2.5}]),
        "{saw}"
    );
    assert_eq!(
        (&saw["over"], &saw["gone"]),
        (&json!(true), &json!(true)),
        "{saw}"
    );
    let events = saw["events"].as_array().unwrap();
    for event in [
        ["framework_added", "once"],
        ["task_added", "once"],
        ["task_updated", "TASK_RUNNING"],
        ["task_updated", "TASK_FINISHED"],
        ["framework_removed", "once"],
    ] {
        assert!(events.contains(&json!(event)), "{event:?} in {saw}");
    }
}
