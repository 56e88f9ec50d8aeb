//! What goes wrong, said in a line with what to do about it.

use std::net::TcpListener;

use crate::support::Place;

#[test]
fn without_a_master_every_client_says_how_to_get_one() {
    // Bound and let go of: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let place = Place::new();
    let master = format!("--master={free}");
    for words in [
        &["ps"][..],
        &["agents", "--json"],
        &["frameworks"],
        &["status"],
        &["kill", "x"],
        &["logs", "x"],
        &["teardown", "x"],
        &["run", "--master", &free, "true"],
    ] {
        let words = if words[0] == "run" {
            words.to_vec()
        } else {
            [words, &[&master]].concat()
        };
        let done = place.run(&words);
        assert_eq!(done.code, Some(1), "{words:?}: {}", done.stderr);
        let expected = format!(
            "error: no master answers at {free}: start one with `tepui up`, or name another with \
             --master\n"
        );
        assert_eq!(
            done.stderr.lines().last().map(|line| format!("{line}\n")),
            Some(expected)
        );
        assert_eq!(done.stdout, b"");
    }
}

#[test]
fn a_master_is_also_named_by_the_environment() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let place = Place::new();
    for variable in ["TEPUI_MASTER", "MESOS_MASTER"] {
        let mut command = place.tepui(&["status"]);
        let done = crate::support::finish({
            command.env(variable, &free);
            command
        });
        assert!(done.stderr.contains(&free), "{variable}: {}", done.stderr);
    }
}

#[test]
fn something_else_that_listens_is_no_master() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in other.incoming().flatten() {
            drop(stream); // hangs up
        }
    });
    let place = Place::new();
    let done = place.run(&["status", &format!("--master={address}")]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("no master answers"), "{}", done.stderr);
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let place = Place::new();
    for words in [
        &["no-such-command"][..],
        &["ps", "--no-such-flag"],
        &["master", "--no_such_flag=1"],
        &["master", "--offer-timeout=soon"],
        &["agent"],
        &["run"],
        &["run", "--cpus=many", "true"],
        &["up", "--agents=0"],
    ] {
        let done = place.run(words);
        assert_eq!(done.code, Some(2), "{words:?}: {}", done.stderr);
        assert!(done.stderr.contains("--help"), "{words:?}: {}", done.stderr);
    }
}

#[test]
fn an_address_that_is_none_is_said_to_be_none() {
    let place = Place::new();
    let done = place.run(&["status", "--master=zk://host:2181"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("it has no path"), "{}", done.stderr);
}

#[test]
fn help_and_version_are_there() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert!(
        help.code == Some(0) && help.text().contains("Exit codes"),
        "{}",
        help.text()
    );
    let version = place.run(&["--version"]);
    assert_eq!(
        version.text(),
        format!("tepui {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(place.run(&["completions", "bash"]).text().contains("tepui"));
}
