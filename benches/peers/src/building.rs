//! Building the peers that this machine has the tools for, and saying what it lacks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::peers::{Made, Peer};

/// Builds what `peers` need, each once; those that could not be had, with the reason.
pub fn build<'p>(peers: &[&'p Peer], here: &Path, target: &Path) -> BTreeMap<&'p str, String> {
    let mut built: Vec<(Made, Result<(), String>)> = Vec::new();
    let mut missing = BTreeMap::new();
    for peer in peers {
        let known = built.iter().position(|(made, _)| *made == peer.made);
        let place = known.unwrap_or_else(|| {
            built.push((peer.made, make(peer.made, here, target)));
            built.len() - 1
        });
        if let Err(reason) = &built[place].1 {
            missing.insert(peer.name, reason.clone());
        }
    }
    missing
}

fn make(made: Made, here: &Path, target: &Path) -> Result<(), String> {
    match made {
        Made::Cargo(package) => {
            // One by one: together, their features would be united, and ractor, for one, sends
            // other messages when its cluster is on.
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--release", "--locked", "--package", package]);
            cargo.arg("--manifest-path").arg(here.join("Cargo.toml"));
            cargo.arg("--target-dir").arg(target);
            run(&mut cargo, &format!("{package} does not build"))
        }
        Made::Erlang => {
            directory(&target.join("erlang"))?;
            let mut erlc = Command::new("erlc");
            erlc.arg("-o").arg(target.join("erlang"));
            erlc.arg(here.join("erlang").join("beam_peer.erl"));
            run(&mut erlc, "no Erlang here: apt-get install erlang-base")
        }
        Made::Caf => {
            directory(&target.join("caf"))?;
            let mut compiler = Command::new("c++");
            compiler
                .args(["-std=c++17", "-O2", "-o"])
                .arg(target.join("caf").join("peer"));
            compiler
                .arg(here.join("caf").join("peer.cpp"))
                .args(["-lcaf_io", "-lcaf_core"]);
            compiler.arg("-lpthread");
            run(
                &mut compiler,
                "no CAF 0.17 here: apt-get install g++ libcaf-dev",
            )
        }
    }
}

fn directory(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("could not make {}: {error}", path.display()))
}

/// Runs `command` with its output on ours; `lack` says what it means when it fails.
fn run(command: &mut Command, lack: &str) -> Result<(), String> {
    let ended = command.stdin(Stdio::null()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{lack} ({status})")),
        Err(error) => Err(format!("{lack} ({error})")),
    }
}
