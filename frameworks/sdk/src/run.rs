//! A framework as a program: finds the master, runs until the end, heeds Ctrl-C.

use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr as _;
use std::time::Duration;

use api::master::Mastering;
use election::{Detector, Masters};
use libproc::{Node, Pid, Security, Upid};
use tokio::signal::unix::{Signal, SignalKind, signal};
use types::FrameworkInfo;

use crate::address::MasterAddress;
use crate::error::{Error, Result};
use crate::framework::{Framework, Interrupt};
use crate::http::HttpMaster;
use crate::keeping::KeptIn;
use crate::leading;
use crate::line::Master;
use crate::security::SecurityFiles;
use crate::start::{Remote, Starting, start_with};

/// Where the master of a cluster on one's own machine is.
const DEFAULT_MASTER: &str = "127.0.0.1:5050";
/// How long the master has to answer the first time.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The environment that says where the master is; the first that is set counts.
const MASTER_VARIABLES: [&str; 2] = ["TEPUI_MASTER", "MESOS_MASTER"];

/// Runs a framework to its end, on this thread.
///
/// The master is where `--master` among the program's arguments says, else `TEPUI_MASTER`, else
/// `MESOS_MASTER`, else on this machine; with `--http` it is spoken to over HTTP: see [`Options`]. Ctrl-C and SIGTERM ask the framework to
/// stop ([`Framework::on_interrupted`]), the second time it ends at once.
///
/// # Errors
/// When no master is there, it refuses the framework, or the framework [fails](crate::Calls::fail).
pub fn run<F: Framework>(framework: F, info: FrameworkInfo) -> Result {
    run_with(framework, info, Options::from_env())
}

/// [`run`] for programs that read their arguments themselves.
///
/// # Errors
/// See [`run`].
pub fn run_with<F: Framework>(framework: F, info: FrameworkInfo, options: Options) -> Result {
    let ran = libproc::run_alone(async { Ok(run_async(framework, info, options).await) });
    ran.unwrap_or_else(|error| Err(Error::Node(error)))
}

/// [`run`] for programs that have a runtime already: an actix `System`, or a tokio `LocalSet`.
///
/// # Errors
/// See [`run`].
pub async fn run_async<F: Framework>(
    framework: F,
    info: FrameworkInfo,
    options: Options,
) -> Result {
    run_beside(framework, info, options, |_, _| {}).await
}

/// [`run_async`] of a framework that others come to: `beside` is called with its node and the means
/// to reach it when it has begun, which one of several does when it leads, to spawn the processes
/// that serve them.
///
/// # Errors
/// See [`run`].
pub async fn run_beside<F: Framework>(
    framework: F,
    info: FrameworkInfo,
    options: Options,
    beside: impl FnOnce(&Node, Remote<F>),
) -> Result {
    let masters = Masters::from_str(&options.master);
    let elected = masters
        .ok()
        .filter(|masters| !matches!(masters, Masters::One(_)));
    let (id, address) = match &elected {
        Some(masters) => (api::MASTER.to_owned(), look_up_one(masters).await?),
        None => {
            let master = MasterAddress::parse(&options.master)?;
            let address = master.look_up().await?;
            (master.id, address)
        }
    };
    let info = match options.failover {
        Some(failover_timeout) => FrameworkInfo {
            failover_timeout,
            ..info
        },
        None => info,
    };
    let mut interrupts = Interrupts::listen()?;
    let security = match &options.security {
        Some(security) => security.clone(),
        None => SecurityFiles::from_env().load()?,
    };
    let node = bind(&options, address, security.clone()).await?;
    let master: Master = match (&elected, options.http) {
        (Some(masters), http) => {
            let mut detector = Detector::of(masters, &node).await?;
            let within = options.subscribe_timeout.unwrap_or(Duration::MAX);
            let found = tokio::time::timeout(within, detector.found()).await;
            let master = options.master.clone();
            let leader = found.map_err(|_| Error::NoMaster { master })?;
            match http {
                true => {
                    let address = leader.pid.upid().address().to_string();
                    let master = HttpMaster::secured(&address, &security)?;
                    master.following(detector).into()
                }
                false => detector.into(),
            }
        }
        (None, true) => HttpMaster::secured(&options.master, &security)?.into(),
        (None, false) => {
            let invalid = |_| Error::InvalidMaster(options.master.clone());
            let upid = Upid::new(id, address).map_err(invalid)?;
            Pid::<Mastering>::assume(upid).into()
        }
    };
    let starting = Starting {
        within: options.subscribe_timeout,
        state: match &options.kept_in {
            KeptIn::Memory => None,
            place => Some(place.open().map_err(|error| Error::State(error.into()))?),
        },
    };
    let mut candidacy = match options.kept_in.contest() {
        Some(contest) => tokio::select! {
            biased;
            interrupt = interrupts.next() => return Ok(interrupt.exit_code()),
            led = leading::lead(&contest, &node, &info) => Some(led?),
        },
        None => None,
    };
    let started = start_with(&node, master, framework, info, starting);
    let result = match started {
        Ok(mut handle) => {
            beside(&node, handle.remote());
            let mut asked = false;
            loop {
                tokio::select! {
                    biased;
                    result = handle.ended() => break result,
                    () = leading::lost(candidacy.as_mut()) => break Err(Error::Superseded),
                    interrupt = interrupts.next() => {
                        if asked {
                            return Ok(interrupt.exit_code());
                        }
                        asked = handle.remote().interrupt(interrupt);
                    }
                }
            }
        }
        Err(error) => Err(error),
    };
    leading::resign(candidacy).await;
    node.shutdown().await;
    result
}

/// The address of one of these masters, or of where they meet: the way to any of them.
async fn look_up_one(masters: &Masters) -> Result<SocketAddr> {
    let master = masters.to_string();
    masters
        .look_up_one()
        .await
        .map_err(|source| Error::Lookup { master, source })
}

/// A port of this framework's own, where the master can reach it.
async fn bind(options: &Options, master: SocketAddr, security: Security) -> Result<Node> {
    let address = match &options.bind {
        Some(address) => address.clone(),
        // Over HTTP nobody calls us.
        None if options.http => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string(),
        None => SocketAddr::new(ip_towards(master)?, 0).to_string(),
    };
    let builder = Node::builder().workers(1).security(security);
    Ok(builder.bind(&address).await?)
}

/// The address of this machine that traffic to the master leaves by.
fn ip_towards(master: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match master {
        SocketAddr::V4(_) => [0, 0, 0, 0].into(),
        SocketAddr::V6(_) => [0u16; 8].into(),
    };
    // Connecting a datagram socket sends nothing; it only chooses the interface.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(master)?;
    Ok(socket.local_addr()?.ip())
}

/// The signals that end a program.
struct Interrupts {
    ctrl_c: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> io::Result<Interrupts> {
        Ok(Interrupts {
            ctrl_c: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.ctrl_c.recv() => Interrupt::CtrlC,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}

/// How a framework is run.
#[derive(Debug, Clone)]
pub struct Options {
    master: String,
    bind: Option<String>,
    failover: Option<Duration>,
    subscribe_timeout: Option<Duration>,
    security: Option<Security>,
    http: bool,
    kept_in: KeptIn,
}

impl Default for Options {
    /// A master on this machine, on the usual port, that answers within five seconds.
    fn default() -> Options {
        Options {
            master: DEFAULT_MASTER.to_owned(),
            bind: None,
            failover: None,
            subscribe_timeout: Some(SUBSCRIBE_TIMEOUT),
            security: None,
            http: false,
            kept_in: KeptIn::Memory,
        }
    }
}

impl Options {
    /// What the program's arguments and its environment say: `--master ADDRESS`,
    /// `--master=ADDRESS`, `TEPUI_MASTER`, `MESOS_MASTER`; and `--http`.
    pub fn from_env() -> Options {
        let argument = master_argument(env::args().skip(1));
        let mut own = env::args().skip(1).take_while(|argument| argument != "--");
        let http = own.any(|argument| argument == "--http");
        Options::default().master_or_env(argument).http(http)
    }

    /// Whether the master is spoken to over HTTP, by the v1 API, instead of by letters between
    /// actors.
    #[must_use]
    pub fn http(mut self, http: bool) -> Options {
        self.http = http;
        self
    }

    /// The master as a program's own arguments name it, or else as the environment does.
    #[must_use]
    pub fn master_or_env(self, master: Option<String>) -> Options {
        let set = |name: &&str| env::var(name).ok().filter(|value| !value.is_empty());
        match master.or_else(|| MASTER_VARIABLES.iter().find_map(set)) {
            Some(master) => self.master(master),
            None => self,
        }
    }

    /// Where the master is: `ip:port`, `host:port` or `master@ip:port`; or the masters of which one
    /// leads: several with commas, or `zk://host1:port1,host2:port2/path`.
    #[must_use]
    pub fn master(mut self, master: impl Into<String>) -> Options {
        self.master = master.into();
        self
    }

    /// Where to listen, `ip:port`; unless given, a free port at the address that traffic to the
    /// master leaves by.
    #[must_use]
    pub fn bind(mut self, address: impl Into<String>) -> Options {
        self.bind = Some(address.into());
        self
    }

    /// How the program shows that it belongs to the cluster; unless given, by the secret or the
    /// certificate that the [environment names](SecurityFiles::from_env).
    #[must_use]
    pub fn security(mut self, security: Security) -> Options {
        self.security = Some(security);
        self
    }

    /// Where what must survive is kept: the framework's id, and what it
    /// [stores](crate::Calls::store). In ZooKeeper several schedulers can share it: one leads, and
    /// when it is gone another goes on where it was.
    #[must_use]
    pub fn kept_in(mut self, place: KeptIn) -> Options {
        self.kept_in = place;
        self
    }

    /// How long tasks go on without the framework, instead of what its info says (a week unless
    /// changed).
    #[must_use]
    pub fn failover(mut self, timeout: Duration) -> Options {
        self.failover = Some(timeout);
        self
    }

    /// How long to wait for the master's first answer; for ever if none.
    #[must_use]
    pub fn subscribe_timeout(mut self, timeout: Option<Duration>) -> Options {
        self.subscribe_timeout = timeout;
        self
    }
}

/// The value of `--master` among arguments that are otherwise the program's own.
fn master_argument(arguments: impl Iterator<Item = String>) -> Option<String> {
    let mut arguments = arguments.take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--master" {
            return arguments.next();
        }
        if let Some(value) = argument.strip_prefix("--master=") {
            return Some(value.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_is_found_among_other_arguments() {
        let find = |words: &[&str]| master_argument(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(
            find(&["-n", "3", "--master", "a:1"]).as_deref(),
            Some("a:1")
        );
        assert_eq!(
            find(&["--master=b:2", "--master=c:3"]).as_deref(),
            Some("b:2")
        );
        assert_eq!(find(&["--", "--master", "a:1"]), None);
        assert_eq!(find(&["--masterly", "a:1"]), None);
    }

    #[test]
    fn the_way_to_this_machine_is_this_machine() {
        let master: SocketAddr = "127.0.0.1:5050".parse().unwrap();
        assert_eq!(ip_towards(master).unwrap(), master.ip());
    }
}
