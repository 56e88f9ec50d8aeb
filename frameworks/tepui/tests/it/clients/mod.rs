//! Clients of Apache Mesos that others wrote, unmodified, against a cluster of ours.
//!
//! Each test installs its client, once, below the build directory. Where that cannot be, because
//! there is no interpreter it runs on or no network, the test says so and ends; with
//! `TEPUI_TEST_CLIENTS=required` in the environment it fails. `TEPUI_TEST_CLIENTS=none` tries none.

mod dpark;
mod golang;
mod mesoshttp;
mod mpi;
mod node;
mod pymesos;
pub(crate) mod python;
mod toil;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::support::{Cluster, finish_within};

/// Longest time to download and compile a client.
const INSTALL: Duration = Duration::from_secs(300);
/// Longest time for a client to do its work.
const WORK: Duration = Duration::from_secs(150);
/// Says what becomes of a test whose client cannot be had.
const VARIABLE: &str = "TEPUI_TEST_CLIENTS";

/// What `install` gives; none when the test is to end, because the client cannot be had here.
pub(crate) fn get<T>(client: &str, install: impl FnOnce() -> Result<T, String>) -> Option<T> {
    let wish = std::env::var(VARIABLE).unwrap_or_default();
    let got = match wish.as_str() {
        "none" => Err(format!("{VARIABLE} is none")),
        _ => install(),
    };
    match got {
        Ok(got) => Some(got),
        Err(why) if wish == "required" => panic!("{client} cannot be had: {why}"),
        Err(why) => {
            // Past what the harness holds back of tests that succeed: it shall be seen.
            let _ = writeln!(std::io::stderr(), "NOT TRIED: {client}: {why}");
            None
        }
    }
}

/// Where clients are installed, for one test at a time.
fn place() -> Result<(PathBuf, MutexGuard<'static, ()>), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    Ok((place, guard.unwrap_or_else(PoisonError::into_inner)))
}

/// Makes `directory` by `make`, once: half of it, of a run that was ended, is made again.
fn once(directory: &Path, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let made = directory.join("installed");
    if made.exists() {
        return Ok(());
    }
    let _ = std::fs::remove_dir_all(directory); // it may not be there
    make(directory)?;
    std::fs::write(made, "").map_err(|error| error.to_string())
}

/// Runs a step of an installation.
fn succeed(command: Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let done = finish_within(command, INSTALL);
    match done.code {
        Some(0) => Ok(()),
        _ => Err(format!("{shown}: {}", done.stderr)),
    }
}

/// The file of a client's script.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Whether there is a program of this name.
fn program(name: &str) -> Result<(), String> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&paths).any(|path| path.join(name).is_file()) {
        true => Ok(()),
        false => Err(format!("there is no program `{name}`")),
    }
}

/// Runs a client with the cluster's address behind its words; the JSON it prints comes back.
fn run(mut client: Command, cluster: &Cluster) -> Json {
    client.arg(&cluster.master);
    let done = finish_within(client, WORK);
    eprintln!("{}", done.stderr);
    done.json()
}
