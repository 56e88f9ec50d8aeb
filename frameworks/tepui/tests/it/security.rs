//! Clusters that let in only those who show that they belong to them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::daemons::{master, stop};
use crate::support::{Cluster, Place, Program};

/// A file of a place, as a flag's value.
fn flag(name: &str, place: &Place, file: &str) -> String {
    format!("--{name}={}", place.path().join(file).display())
}

/// A command that is not let in; gives what it says.
fn denied(place: &Place, words: &[&str]) -> String {
    let done = place.run(words);
    assert_eq!(done.code, Some(1), "{}", done.text());
    done.stderr
}

#[test]
fn a_cluster_with_a_secret_runs_tasks_for_those_who_know_it() {
    let place = Place::new();
    for file in ["secret", "other"] {
        let path = place.path().join(file);
        let done = place.run(&["keygen", &path.display().to_string()]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert_eq!(mode(&path), 0o600);
        assert!(denied(&place, &["keygen", &path.display().to_string()]).contains("exists"));
    }
    let secret = flag("secret-file", &place, "secret");
    let cluster = Cluster::start(&["--agents=2", &secret]);
    let master = format!("--master={}", cluster.master);
    let done = cluster.run(&["run", &secret, "-n", "4", "--", "echo", "hello"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.text().lines().count(), 4);
    // Its files are read from the agents.
    let tasks = cluster.run(&["ps", "--all", "--json", &secret]).json();
    let task = tasks[0]["id"].as_str().unwrap();
    assert_eq!(cluster.run(&["logs", &secret, task]).text(), "hello\n");
    let done = cluster.run(&["example", &secret, "sleepers", "-n", "2", "--seconds=0.1"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);

    let stranger = denied(&place, &["ps", &master]);
    let expected = "it wants a shared secret: start this program with the secret of the cluster \
                    (--secret-file or TEPUI_SECRET_FILE)";
    assert!(stranger.contains(expected), "{stranger}");
    assert_eq!(stranger.lines().count(), 1, "{stranger}");
    let other = flag("secret-file", &place, "other");
    let stranger = denied(&place, &["run", &master, &other, "--", "true"]);
    assert!(
        stranger.contains("its shared secret is another one"),
        "{stranger}"
    );
    // While one replaces the other, both are known.
    let both = place.run(&["ps", &master, &other, &secret]);
    assert_eq!(both.code, Some(0), "{}", both.stderr);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_agent_that_is_not_let_in_says_what_to_do() {
    let place = Place::new();
    let secret = place.path().join("secret").display().to_string();
    place.run(&["keygen", &secret]);
    let (master, address) = master(&place, &[&format!("--secret-file={secret}")]);
    let work_dir = format!("--work-dir={}", place.path().join("work").display());
    let at = format!("--master={address}");
    let words = ["agent", "--port=0", &at, &work_dir, "--no-switch-user"];
    let agent = Program::start(place.tepui(&words));
    agent.error_line(|line| line.contains("WARN") && line.contains("it wants a shared secret"));
    master.error_line(|line| line.contains("WARN") && line.contains("SecretWanted"));
    stop(agent);
    stop(master);
}

#[test]
fn a_cluster_with_certificates_runs_tasks_for_those_who_have_one() {
    let place = Place::new();
    let dir = flag("dir", &place, "certs");
    let hosts = "--hosts=localhost,elsewhere=10.0.0.2";
    let done = place.run(&["certs", &dir, hosts, "--roaming=alice"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(mode(&place.path().join("certs/ca-key.pem")), 0o600);
    assert_eq!(mode(&place.path().join("certs/localhost-key.pem")), 0o600);
    let tls = |name: &str| {
        [
            flag("tls-cert", &place, &format!("certs/{name}.pem")),
            flag("tls-key", &place, &format!("certs/{name}-key.pem")),
            flag("tls-ca", &place, "certs/ca.pem"),
        ]
    };
    let own = tls("localhost");
    let [certificate, key, authority] = own.each_ref().map(String::as_str);
    let cluster = Cluster::start(&["--agents=1", certificate, key, authority]);
    let master = format!("--master={}", cluster.master);
    let words = [
        "run",
        certificate,
        key,
        authority,
        "-n",
        "3",
        "--",
        "echo",
        "hello",
    ];
    let done = cluster.run(&words);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.text().lines().count(), 3);
    let alice = tls("alice");
    let [certificate, key, _] = alice.each_ref().map(String::as_str);
    let done = cluster.run(&["run", certificate, key, authority, "--", "echo", "hello"]);
    assert_eq!(
        (done.code, done.text().as_str()),
        (Some(0), "hello\n"),
        "{}",
        done.stderr
    );

    let words = [
        "run",
        "--http",
        certificate,
        key,
        authority,
        "--",
        "echo",
        "hello",
    ];
    let done = cluster.run(&words);
    assert_eq!(
        (done.code, done.text().as_str()),
        (Some(0), "hello\n"),
        "{}",
        done.stderr
    );

    let stranger = denied(&place, &["ps", &master]);
    assert!(
        stranger.contains("it wants TLS") && stranger.contains("--tls-cert"),
        "{stranger}"
    );
    // By another authority, though for the same address.
    let other = flag("dir", &place, "other");
    place.run(&["certs", &other, "--hosts=localhost"]);
    let certificate = flag("tls-cert", &place, "other/localhost.pem");
    let key = flag("tls-key", &place, "other/localhost-key.pem");
    let stranger = denied(&place, &["ps", &master, &certificate, &key, authority]);
    assert!(
        stranger.contains("a certificate is not valid here"),
        "{stranger}"
    );
    let half = denied(&place, &["ps", &master, &certificate]);
    assert!(half.contains("the key is not given"), "{half}");
    // More of them by the same authority.
    let done = place.run(&["certs", &dir, "--hosts=localhost"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let renewed = tls("localhost");
    let [certificate, key, authority] = renewed.each_ref().map(String::as_str);
    let done = place.run(&["ps", &master, certificate, key, authority]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
