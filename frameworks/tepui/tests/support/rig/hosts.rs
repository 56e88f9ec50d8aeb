//! Several hosts on one machine: network namespaces, each with one cable to a common switch.
//!
//! The switch has a namespace of its own, so nothing shows in the machine's own network and any
//! number of tests can use the same addresses.

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Opens the names of namespaces; the process id of the test follows.
const PREFIX: &str = "tepui-test-";
/// How many networks this program has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Hosts `10.231.0.1` and so on. Gone with the test.
pub(crate) struct Hosts {
    prefix: String,
    count: u8,
}

impl Hosts {
    /// Makes the hosts 1 to `count`; says why when the machine does not allow it.
    pub(crate) fn new(count: u8) -> Result<Hosts, String> {
        if !nix::unistd::geteuid().is_root() || ip("netns list").is_err() {
            return Err("not run: needs root and ip netns".to_owned());
        }
        remove_leftovers();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}{}-{number}-", std::process::id());
        let switch = format!("{prefix}switch");
        ip(&format!("netns add {switch}"))
            .map_err(|error| format!("not run: needs root and ip netns: {error}"))?;
        let hosts = Hosts { prefix, count };
        hosts
            .wire(&switch)
            .map_err(|error| format!("not run: needs root and ip netns: {error}"))?;
        Ok(hosts)
    }

    fn wire(&self, switch: &str) -> Result<(), String> {
        ip(&format!("-n {switch} link add switch type bridge"))?;
        ip(&format!("-n {switch} link set switch up"))?;
        for host in 1..=self.count {
            let name = self.name(host);
            ip(&format!("netns add {name}"))?;
            ip(&format!(
                "-n {switch} link add cable{host} type veth peer name eth0 netns {name}"
            ))?;
            ip(&format!(
                "-n {switch} link set cable{host} master switch up"
            ))?;
            ip(&format!(
                "-n {name} address add {}/24 dev eth0",
                address(host)
            ))?;
            ip(&format!("-n {name} link set eth0 up"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(())
    }

    fn name(&self, host: u8) -> String {
        format!("{}{host}", self.prefix)
    }

    /// The words before a program that make it run on a host.
    pub(crate) fn on(&self, host: u8) -> Vec<OsString> {
        ["ip", "netns", "exec", &self.name(host)]
            .map(OsString::from)
            .into()
    }

    /// Pulls the cable of a host.
    pub(crate) fn cut(&self, host: u8) {
        self.set(host, "down");
    }

    /// Puts the cable of a host back.
    pub(crate) fn heal(&self, host: u8) {
        self.set(host, "up");
    }

    fn set(&self, host: u8, how: &str) {
        let switch = format!("{}switch", self.prefix);
        ip(&format!("-n {switch} link set cable{host} {how}")).expect("the cable is there");
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in (1..=self.count).map(|host| self.name(host)) {
            let _ = ip(&format!("netns delete {name}")); // it may never have been made
        }
        let _ = ip(&format!("netns delete {}switch", self.prefix));
    }
}

/// The address of a host.
pub(crate) fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 231, 0, host)
}

/// Removes the namespaces of tests that were killed.
fn remove_leftovers() {
    let list = ip("netns list").unwrap_or_default();
    for name in list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let rest = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if rest.is_some_and(|pid| fs::metadata(format!("/proc/{pid}")).is_err()) {
            let _ = ip(&format!("netns delete {name}")); // another test may be at it, too
        }
    }
}

fn ip(words: &str) -> Result<String, String> {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "ip {words}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
