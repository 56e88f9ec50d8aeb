//! A client of a master: finds it, asks it, and says in plain words when nobody answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use api::master::Mastering;
use clap::Args;
use election::{Detector, Electing, Leader, Masters, WhoLeads};
use libproc::{Accepts, AskError, Denied, Node, Pid, Security, Upid, Wire};

use crate::masters;
use crate::security::SecurityFlags;

/// Longest time an operator waits for an answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest time an operator waits until it is known who leads.
const DETECTION: Duration = Duration::from_secs(5);
/// Longest time a master may take to say that another one leads.
const REDIRECTION: Duration = Duration::from_secs(1);

/// Where the master is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MasterFlag {
    /// The master, as host:port, several of them with commas, or zk://host1:port1/path [default: $MESOS_MASTER, else 127.0.0.1:5050]
    #[arg(long, short, value_name = "ADDRESS", env = "TEPUI_MASTER")]
    pub(crate) master: Option<String>,
    #[command(flatten)]
    pub(crate) security: SecurityFlags,
}

impl MasterFlag {
    /// The address as its user would write it.
    pub(crate) fn text(&self) -> String {
        master_text(self.master.as_deref())
    }
}

/// The address of the master as its user would write it, where this was `given`.
pub(crate) fn master_text(given: Option<&str>) -> String {
    let given = given.map(str::to_owned);
    let given = given.or_else(|| std::env::var("MESOS_MASTER").ok());
    given.unwrap_or_else(|| format!("127.0.0.1:{}", api::MASTER_PORT))
}

/// A node of our own on a free port, and the master it talks to.
pub(crate) struct Client {
    pub(crate) node: Node,
    pub(crate) master: Pid<Mastering>,
    /// Tells which master leads, where that changes.
    detector: Option<Detector>,
    name: String,
}

impl Client {
    /// Gets ready to talk to a master; whether it answers shows with the first question.
    ///
    /// # Errors
    /// When the address is none, or no port can be had.
    pub(crate) async fn new(flag: &MasterFlag) -> Result<Client> {
        let name = flag.text();
        let elected = elected(&name)?;
        let address = match &elected {
            Some(masters) => look_up_one(masters).await?,
            None => resolve(&name, api::MASTER_PORT)?,
        };
        let ours = SocketAddr::new(ip_towards(address), 0);
        let builder = Node::builder().workers(1).security(flag.security.load()?);
        let node = builder.bind(&ours.to_string()).await;
        let node = node.context("could not open a port for the answers")?;
        let (master, detector) = match &elected {
            None => (leader_by(&node, address).await, None),
            Some(masters) => {
                let mut detector = Detector::of(masters, &node).await?;
                match tokio::time::timeout(DETECTION, detector.found()).await {
                    Ok(leader) => (leader.pid, Some(detector)),
                    Err(_) => return Err(nobody_leads(&node, masters).await),
                }
            }
        };
        Ok(Client {
            node,
            master,
            detector,
            name,
        })
    }

    /// The way to the master, for a framework: to each that leads, where that changes.
    pub(crate) fn line(&self) -> sdk::Master {
        match &self.detector {
            Some(detector) => detector.clone().into(),
            None => self.master.clone().into(),
        }
    }

    /// [`line`](Client::line) over HTTP.
    ///
    /// # Errors
    /// When the master has no address that HTTP can be spoken with.
    pub(crate) fn http_line(&self, security: &Security) -> Result<sdk::Master> {
        let address = self.master.upid().address().to_string();
        let master = sdk::HttpMaster::secured(&address, security)?;
        Ok(match &self.detector {
            Some(detector) => master.following(detector.clone()).into(),
            None => master.into(),
        })
    }

    /// Asks the master.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub(crate) async fn ask<M: Wire>(&self, message: M) -> Result<M::Result>
    where
        Mastering: Accepts<M>,
    {
        let asked = tokio::time::timeout(ANSWER, self.node.ask(&self.master, message)).await;
        let answer = asked.unwrap_or(Err(AskError::Timeout));
        answer.map_err(|error| self.explain(&error))
    }

    /// What it means that the master did not answer.
    pub(crate) fn explain(&self, error: &AskError) -> anyhow::Error {
        let name = &self.name;
        let advice = "start one with `tepui up`, or name another with --master";
        match error {
            AskError::Refused | AskError::Unreachable | AskError::Timeout | AskError::Lost => {
                anyhow!("no master answers at {name}: {advice}")
            }
            AskError::NoProcess => {
                anyhow!("no master answers at {name}, though something else does: {advice}")
            }
            AskError::Denied(why) => denied(&format!("the master at {name}"), *why),
            AskError::NotAccepted | AskError::Undecodable => {
                anyhow!("the master at {name} is of a version that does not know this question")
            }
            other => anyhow!(other.clone()).context(format!("the master at {name} did not answer")),
        }
    }
}

/// The masters of which one leads, if the text names such.
///
/// # Errors
/// When it is meant so, and names none.
pub(crate) fn elected(text: &str) -> Result<Option<Masters>> {
    if !text.contains(',') && !text.starts_with("zk://") {
        return Ok(None);
    }
    let masters: Masters = text.parse()?;
    Ok((!matches!(masters, Masters::One(_))).then_some(masters))
}

async fn nobody_leads(node: &Node, masters: &Masters) -> anyhow::Error {
    match masters {
        Masters::List(places) => masters::nobody_leads(node, places).await,
        Masters::One(_) | Masters::ZooKeeper(_) => anyhow!("no master leads at {masters}"),
    }
}

/// The address of one of these masters, or of where they meet.
///
/// # Errors
/// When its host is not known.
pub(crate) async fn look_up_one(masters: &Masters) -> Result<SocketAddr> {
    let found = masters.look_up_one().await;
    found.with_context(|| format!("could not look up {masters}"))
}

/// The master at an address, or the one that leads in its place.
async fn leader_by(node: &Node, address: SocketAddr) -> Pid<Mastering> {
    let election: Pid<Electing> = pid_at(election::ELECTION, address);
    let asked = tokio::time::timeout(REDIRECTION, node.ask(&election, WhoLeads {})).await;
    // A master that stands for no election has nobody who would answer.
    let led = asked.ok().and_then(Result::ok).and_then(|told| told.leader);
    let leader = led.and_then(Leader::of);
    leader.map_or_else(|| pid_at(api::MASTER, address), |leader| leader.pid)
}

/// What it means that somebody denied us, or we denied them, and which flag helps.
pub(crate) fn denied(who: &str, why: Denied) -> anyhow::Error {
    let flags = match why {
        Denied::SecretWanted | Denied::NoSecretThere | Denied::WrongSecret => {
            " (--secret-file or TEPUI_SECRET_FILE)"
        }
        Denied::TlsWanted
        | Denied::NoTlsThere
        | Denied::CertificateWanted
        | Denied::BadCertificate => " (--tls-cert, --tls-key and --tls-ca)",
        Denied::OtherAddress => " (`tepui certs --hosts`)",
        _ => "",
    };
    anyhow!("no connection to {who}: {why}{flags}")
}

/// The process of this name on the node at an address.
///
/// # Panics
/// When the name cannot be one, which ours can.
pub(crate) fn pid_at<P>(id: &str, address: SocketAddr) -> Pid<P> {
    let upid = Upid::new(id, address).expect("the ids of masters and agents are ids");
    upid.to_string()
        .parse()
        .expect("a printed address reads back")
}

/// Finds an address: `ip:port`, `host:port`, `host`, also behind `http://` or `master@`.
///
/// # Errors
/// When it has another form, or the name is not known.
pub(crate) fn resolve(text: &str, default_port: u16) -> Result<SocketAddr> {
    if text.starts_with("zk://") {
        bail!("`{text}`: one node is meant here, not the masters of a ZooKeeper: give host:port");
    }
    let bare = text
        .strip_prefix("http://")
        .unwrap_or(text)
        .trim_end_matches('/');
    let bare = bare.rsplit_once('@').map_or(bare, |(_, address)| address);
    if let Ok(address) = bare.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, default_port));
    }
    let (host, port) = match bare.split_once(':') {
        Some((host, port)) => {
            let port = port.parse();
            (
                host,
                port.with_context(|| format!("`{text}` is not an address like host:port"))?,
            )
        }
        None => (bare, default_port),
    };
    if host.is_empty() {
        bail!("`{text}` is not an address like host:port");
    }
    let found = (host, port).to_socket_addrs();
    let mut found: Vec<SocketAddr> = found
        .with_context(|| format!("could not find the host `{host}`"))?
        .collect();
    found.sort_by_key(SocketAddr::is_ipv6); // nodes listen on IPv4 unless told otherwise
    found
        .first()
        .copied()
        .ok_or_else(|| anyhow!("the host `{host}` has no address"))
}

/// The address of this machine that the other one sees.
pub(crate) fn ip_towards(other: SocketAddr) -> IpAddr {
    if other.ip().is_loopback() {
        return other.ip();
    }
    let any: IpAddr = match other {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a datagram socket sends nothing; it only chooses the interface.
    let towards = || {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(other).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    towards().unwrap_or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_in_several_forms() {
        let address = |text: &str| resolve(text, 5050).unwrap().to_string();
        assert_eq!(address("10.0.0.1:80"), "10.0.0.1:80");
        assert_eq!(address("10.0.0.1"), "10.0.0.1:5050");
        assert_eq!(address("master@10.0.0.1:80"), "10.0.0.1:80");
        assert_eq!(address("http://10.0.0.1:80/"), "10.0.0.1:80");
        assert_eq!(address("localhost:80"), "127.0.0.1:80");
        assert_eq!(address("[::1]:80"), "[::1]:80");
    }

    #[test]
    fn what_is_no_address_is_refused_in_words() {
        for bad in [
            "",
            ":5050",
            "host:port",
            "zk://h:2181/mesos",
            "1.2.3.4:99999",
        ] {
            assert!(resolve(bad, 5050).is_err(), "{bad}");
        }
        let error = resolve("zk://h:2181/mesos", 5050).unwrap_err();
        assert!(error.to_string().contains("ZooKeeper"), "{error}");
    }

    #[test]
    fn a_loopback_master_is_answered_from_loopback() {
        let master = "127.0.0.1:5050".parse().unwrap();
        assert_eq!(ip_towards(master), IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
}
