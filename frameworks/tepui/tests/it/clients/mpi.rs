//! Programs of MPI, by MPICH's hydra and a scheduler on pymesos.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::python::PYMESOS;
use super::{program, run, script, succeed};
use crate::support::Cluster;

/// Compiles the program of MPI; or says why it cannot: whoever owns the machine installs MPICH.
fn compile(to: &Path) -> Result<(), String> {
    let compile = || {
        program("mpiexec.hydra")?;
        let mut compiler = Command::new("mpicc.mpich");
        compiler.arg("-o").arg(to).arg(script("mpi_pi.c"));
        program("mpicc.mpich").and_then(|()| succeed(compiler))
    };
    compile().map_err(|error| format!("{error}: install Debian's `mpich` and `libmpich-dev`"))
}

#[test]
fn a_program_of_mpi_runs_through_proxies_that_are_tasks() {
    let scratch = tempfile::tempdir().unwrap();
    let pi = scratch.path().join("pi");
    let Some(()) = super::get("mpich", || compile(&pi)) else {
        return;
    };
    let Some(mut client) = PYMESOS.command("mpi_hydra.py") else {
        return;
    };
    let cluster = Cluster::start(&["--agents=2"]);
    client.arg(&pi).arg("4");
    let saw = run(client, &cluster);
    assert_eq!(
        saw["output"],
        json!(["4 processes say 3.14159265"]),
        "{saw}"
    );
    assert_eq!(
        (&saw["code"], &saw["over"]),
        (&json!(0), &json!(true)),
        "{saw}"
    );
    let states = json!({"proxy-0": "TASK_FINISHED", "proxy-1": "TASK_FINISHED"});
    assert_eq!(
        (&saw["states"], &saw["agents"]),
        (&states, &json!(2)),
        "{saw}"
    );
}
