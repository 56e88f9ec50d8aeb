//! A real ZooKeeper: Debian's package, on loopback, of one server or of several.
//!
//! The package is installed if it is missing and that can be done. Otherwise the tests say that
//! they were not tried, and with `TEPUI_TEST_CLIENTS=required` they fail.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where Debian keeps what the server needs.
const LIBRARIES: &str = "/usr/share/java";
/// What the names of those begin with, without their version. Of the logs that slf4j can write, one:
/// others want more libraries, and the first that is found counts.
const NEEDED: [&str; 7] = [
    "zookeeper.jar",
    "zookeeper-jute.jar",
    "slf4j-api.jar",
    "slf4j-simple.jar",
    "snappy-java.jar",
    "metrics-core.jar",
    "netty-",
];
/// Longest time for the servers to agree.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);

/// Servers that agree; killed when dropped.
pub(crate) struct ZooKeeper {
    servers: Vec<Child>,
    ports: Vec<u16>,
}

impl ZooKeeper {
    /// So many servers; none if there is no ZooKeeper on this machine.
    pub(crate) fn start(servers: usize, directory: &Path) -> Option<ZooKeeper> {
        if !is_installed() && !install() {
            let required = std::env::var("TEPUI_TEST_CLIENTS").is_ok_and(|it| it == "required");
            assert!(
                !required,
                "there is no zookeeper, and it cannot be installed"
            );
            eprintln!("NOT TRIED: there is no zookeeper on this machine");
            return None;
        }
        let ports: Vec<[u16; 3]> = (0..servers).map(|_| free_ports()).collect();
        let members: Vec<String> = (1..)
            .zip(&ports)
            .map(|(id, [_, a, b])| format!("server.{id}=127.0.0.1:{a}:{b}\n"))
            .collect();
        let start = |(id, [port, ..]): (usize, &[u16; 3])| {
            let home = directory.join(format!("zookeeper-{id}"));
            fs::create_dir_all(&home).unwrap();
            fs::write(home.join("myid"), id.to_string()).unwrap();
            let members = if servers > 1 {
                members.concat()
            } else {
                String::new()
            };
            let text = format!(
                "tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir={}\nclientPort={port}\n\
                 clientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
                 4lw.commands.whitelist=*\nmaxClientCnxns=0\n{members}",
                home.display()
            );
            fs::write(home.join("zoo.cfg"), text).unwrap();
            let log = fs::File::create(home.join("log")).unwrap();
            let mut command = Command::new("java");
            command.args([
                "-Xmx128m",
                "-Dzookeeper.admin.enableServer=false",
                "-cp",
                &class_path(),
            ]);
            command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
            command
                .arg(home.join("zoo.cfg"))
                .stdout(Stdio::null())
                .stderr(log);
            command.spawn().unwrap()
        };
        let children = (1..).zip(&ports).map(start).collect();
        let ports: Vec<u16> = ports.iter().map(|[port, ..]| *port).collect();
        let zookeeper = ZooKeeper {
            servers: children,
            ports,
        };
        let until = Instant::now() + PATIENCE;
        while !zookeeper.ports.iter().all(|port| serves(*port)) {
            assert!(Instant::now() < until, "zookeeper does not start");
            sleep(LOOK);
        }
        Some(zookeeper)
    }

    /// Where masters meet.
    pub(crate) fn url(&self) -> String {
        let servers: Vec<String> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!("zk://{}/mesos", servers.join(","))
    }

    /// Kills one of several servers.
    pub(crate) fn kill_one(&mut self) {
        let mut server = self.servers.remove(0);
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill(); // it may have ended
            let _ = server.wait();
        }
    }
}

fn is_installed() -> bool {
    Path::new(LIBRARIES).join("zookeeper.jar").exists()
}

fn install() -> bool {
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [
        "install",
        "-y",
        "--no-install-recommends",
        "zookeeper",
        "default-jre-headless",
    ];
    nix::unistd::geteuid().is_root() && apt(&["update"]) && apt(&install) && is_installed()
}

fn class_path() -> String {
    let entries = fs::read_dir(LIBRARIES).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let needed = |name: &String| {
        let of_us = NEEDED.iter().any(|needed| name.starts_with(needed));
        of_us && name.ends_with(".jar")
    };
    let paths: Vec<String> = names
        .filter(needed)
        .map(|name| format!("{LIBRARIES}/{name}"))
        .collect();
    paths.join(":")
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Whether a server answers, and is one of those that agree.
fn serves(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut text = String::new();
    let asked = stream
        .write_all(b"srvr")
        .and_then(|()| stream.read_to_string(&mut text));
    asked.is_ok() && text.contains("Mode:")
}
