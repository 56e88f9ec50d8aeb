//! Every example runs, says what it is there to say, and ends by itself.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example, which `cargo test` has built; what it printed.
fn run(name: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
    path.pop(); // the name of this test
    path.pop(); // `deps`
    path.push("examples");
    path.push(name);
    let output = Command::new(&path).output();
    let output = output.unwrap_or_else(|error| {
        let path = path.display();
        panic!("{path}: {error}; a test that is run alone needs `cargo build --examples` before")
    });
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {printed}{errors}");
    printed
}

/// Whether these lines are among the printed ones, in this order.
fn says(printed: &str, lines: &[&str]) {
    let mut rest = printed.lines();
    for line in lines {
        let found = rest.any(|printed| printed.contains(line));
        assert!(found, "`{line}` is not where it should be in\n{printed}");
    }
}

#[test]
fn hello() {
    says(
        &run("hello"),
        &[
            "I am greeter@127.0.0.1:",
            "Hello, Ada and Edsger",
            "Goodbye, Ada and Edsger",
            "The greeter has stopped",
            "Asked again: no such process",
        ],
    );
}

#[test]
fn a_store_in_another_os_process() {
    let printed = run("store");
    says(
        &printed,
        &[
            "client: it has Ok(0) keys",
            "client: put, before it was Some(\"Caroni\")",
            "client: the river is Ok(Some(\"Orinoco\"))",
            "client: not put: ",
        ],
    );
    says(
        &printed,
        &["watcher: river is Caroni", "watcher: river is Orinoco"],
    );
    assert!(printed.contains("watcher: store has "), "{printed}");
}

#[test]
fn workers_that_fail_are_replaced() {
    let printed = run("workers");
    assert!(
        printed.contains("has panicked: I do not like 3003"),
        "{printed}"
    );
    says(
        &printed,
        &["10 jobs are done: [(1001, 168), (2002, 303), (3003, 431)"],
    );
}

#[test]
fn pi_is_added_up_on_three_nodes() {
    says(
        &run("pi"),
        &["6 processes on 3 nodes say that pi is 3.1415926536"],
    );
}

#[test]
fn an_actix_actor_beside_a_process() {
    let printed = run("beside_actix");
    for line in [
        "display: 20.5 degrees",
        "display: 19.3 degrees",
        "display: I asked, and it is 223 tenths",
        "display: 22.3 degrees",
    ] {
        says(&printed, &[line]);
    }
    says(&printed, &["3 values were shown"]);
}

#[cfg(feature = "sim")]
#[test]
fn a_partition_and_two_banks() {
    let printed = run("partition");
    let ends = [
        "the careless bank has 40 of 30",
        "the careful bank has 30 of 30",
    ];
    says(&printed, &ends);
    assert_eq!(run("partition"), printed, "a seed replays");
}
