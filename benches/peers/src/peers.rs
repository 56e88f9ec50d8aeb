//! Who is measured: how each is built, and what it can do.

use std::path::Path;
use std::process::Command;

/// How a peer comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// A package of this workspace.
    Cargo(&'static str),
    /// Compiled by erlc.
    Erlang,
    /// Compiled by the C++ compiler.
    Caf,
}

/// One that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its name in tables.
    pub name: &'static str,
    /// How it comes to be.
    pub made: Made,
    /// Plays patterns between actors of one OS process.
    pub local: bool,
    /// How many messages of 0 or 100 bytes, messages of 1024 bytes, round trips and asks are enough
    /// between two OS processes, for about a second each on a quiet machine.
    pub remote: Option<[u64; 4]>,
}

const fn local(name: &'static str, made: Made) -> Peer {
    Peer {
        name,
        made,
        local: true,
        remote: None,
    }
}

const fn remote(name: &'static str, made: Made, counts: [u64; 4]) -> Peer {
    Peer {
        name,
        made,
        local: false,
        remote: Some(counts),
    }
}

/// Ourselves.
pub const LIBPROC: &str = "libproc";
/// What messages with such bodies cost at least.
pub const FLOOR: &str = "floor";
/// A socket that gives back what it gets.
pub const ECHO: &str = "echo";
/// What actors are made of by hand.
pub const TOKIO: &str = "tokio-unbounded";
/// Those that the limits are set by, on one machine.
pub const LOCAL_RIVALS: [&str; 4] = ["erlang", "caf", "ractor", "kameo"];
/// Those that they are set by between two OS processes.
pub const REMOTE_RIVALS: [&str; 5] = [
    "erlang-dist",
    "caf-io",
    "ractor-cluster",
    "kameo-remote",
    "coerce-remote",
];

const OURS: Made = Made::Cargo("peer-libproc");
const QUICK: [u64; 4] = [2_000_000, 500_000, 20_000, 500_000];
const USUAL: [u64; 4] = [200_000, 100_000, 10_000, 50_000];

/// Everybody, in the order of tables.
pub const PEERS: &[Peer] = &[
    Peer {
        name: LIBPROC,
        made: OURS,
        local: true,
        remote: Some(QUICK),
    },
    remote(FLOOR, OURS, QUICK),
    remote(ECHO, OURS, [0, 0, 20_000, 0]),
    local(TOKIO, Made::Cargo("peer-tokio")),
    local("tokio-bounded", Made::Cargo("peer-tokio")),
    local("actix", Made::Cargo("peer-actix")),
    local("ractor", Made::Cargo("peer-ractor")),
    local("kameo", Made::Cargo("peer-kameo")),
    local("coerce", Made::Cargo("peer-coerce")),
    local("erlang", Made::Erlang),
    local("caf", Made::Caf),
    remote("ractor-cluster", Made::Cargo("peer-ractor-cluster"), USUAL),
    remote(
        "kameo-remote",
        Made::Cargo("peer-kameo-remote"),
        [10_000, 10_000, 3_000, 10_000],
    ),
    remote(
        "coerce-remote",
        Made::Cargo("peer-coerce-remote"),
        [50_000, 30_000, 10_000, 50_000],
    ),
    remote("erlang-dist", Made::Erlang, USUAL),
    remote("caf-io", Made::Caf, [100_000, 50_000, 3_000, 50_000]),
];

/// The patterns between actors of one OS process, in the order of tables. The last ones only we
/// play.
pub const PATTERNS: [&str; 16] = [
    "ping-pong",
    "one-way",
    "fan-in",
    "ring",
    "fork-join",
    "big",
    "ask-1",
    "ask-100",
    "ask-1-task",
    "ask-100-task",
    "burn",
    "memory",
    "memory-named",
    "memory-linked",
    "timers",
    "million",
];

/// Those that only we play.
pub const OURS_ALONE: [&str; 4] = ["memory-named", "memory-linked", "timers", "million"];

/// The cases between two OS processes, in the order of tables.
pub const CASES: [&str; 5] = [
    "one-way-0",
    "one-way-100",
    "one-way-1024",
    "round-trip",
    "ask-100",
];

/// A cookie, so that strangers on this machine do not join by accident.
const COOKIE: &str = "tepui-bench";

impl Peer {
    /// How often it does `case`; 0 when it cannot.
    #[must_use]
    pub fn count(&self, case: &str) -> u64 {
        let Some([small, large, round_trips, asks]) = self.remote else {
            return 0;
        };
        match case {
            "one-way-1024" => large,
            "round-trip" => round_trips,
            "ask-100" => asks,
            _ => small,
        }
    }

    /// The program below `target`, called with `words`. An Erlang one has so many threads.
    #[must_use]
    pub fn command(&self, target: &Path, threads: usize, words: &[&str]) -> Command {
        let mut command = match self.made {
            Made::Cargo(package) => Command::new(target.join("release").join(package)),
            Made::Caf => Command::new(target.join("caf").join("peer")),
            Made::Erlang => return self.erlang(target, threads, words),
        };
        command.args(words).env("PEER", self.name);
        command
    }

    fn erlang(&self, target: &Path, threads: usize, words: &[&str]) -> Command {
        let mut command = Command::new("erl");
        command.args(["-noshell", "-pa"]).arg(target.join("erlang"));
        command.arg("+S").arg(format!("{threads}:{threads}"));
        // Nodes without epmd, which would stay behind.
        let node = |side: &str| format!("{side}{}@127.0.0.1", words[1]);
        if words[0] != "local" {
            command.args(["-start_epmd", "false", "-erl_epmd_port", words[1]]);
            command.args(["-setcookie", COOKIE, "-kernel", "inet_dist_use_interface"]);
            command.arg("{127,0,0,1}");
        }
        match words[0] {
            "serve" => drop(command.args(["-name", &node("there")])),
            "remote" => drop(command.args(["-dist_listen", "false", "-name", &node("here")])),
            _ => {}
        }
        let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        command.args(["-eval", &format!("beam_peer:main([{}])", words.join(","))]);
        command
    }
}
