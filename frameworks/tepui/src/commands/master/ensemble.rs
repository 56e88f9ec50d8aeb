//! Masters of a static list: which of them is this one, and its replica of their log.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use election::{BadMasters, Ensemble, Masters, Place};
use libproc::{Node, Upid};
use master::Stand;
use replog::LogError;
use replog::store::StoreError;

use super::{Args, Registry};
use crate::commands::daemon::Listen;

/// Where the replica is, in the work directory.
const LOG: &str = "log";

/// The masters of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List(Vec<Place>);

impl FromStr for List {
    type Err = String;

    fn from_str(text: &str) -> Result<List, String> {
        match text.parse::<Masters>() {
            Ok(Masters::One(place)) => Ok(List(vec![place])),
            Ok(Masters::List(places)) => Ok(List(places)),
            Ok(Masters::ZooKeeper(_)) => Err("masters of a ZooKeeper are given by --zk".to_owned()),
            Err(BadMasters::Address(text)) => {
                Err(format!("{text:?} is no master: expected host or host:port"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.0.iter().map(Place::to_string).collect();
        f.write_str(&places.join(","))
    }
}

/// Masters, and this one among them.
pub(super) struct Members {
    ensemble: Ensemble,
    /// Where this one listens, and what it tells others: the address in the list.
    pub(super) listen: Listen,
    directory: PathBuf,
}

/// Looks up the masters of a list, and finds this one.
///
/// # Errors
/// When a name is not known, this one is not in the list, or another flag does not go with it.
pub(super) async fn find(list: &List, listen: Listen, args: &Args) -> Result<Members> {
    if args.registry == Some(Registry::InMemory) {
        bail!("masters of a list keep the registry in their log: leave --registry out");
    }
    let Some(directory) = &args.work_dir else {
        bail!("a master of a list keeps its part of their log: say where with --work-dir");
    };
    let mut masters = Vec::new();
    for place in &list.0 {
        let address = place.look_up().await.with_context(|| {
            format!("could not look up {place}, which --masters names: is the name right?")
        })?;
        masters.push((place.clone(), address));
    }
    let (here, address) = this_one(&masters, listen)?;
    let others = masters.iter().any(|(_, other)| !other.ip().is_loopback());
    if address.ip().is_loopback() && others {
        bail!(
            "{here} is {address} on this machine, where others cannot reach it: name this machine \
             by an address that others use (/etc/hosts may say otherwise)"
        );
    }
    Ok(Members {
        ensemble: Ensemble::new(&masters, &here)?,
        listen: Listen {
            advertise_ip: Some(address.ip()),
            advertise_port: Some(address.port()),
            ..listen
        },
        directory: directory.join(LOG),
    })
}

/// The master that is this one: it has the address that is listened on or told others. Where that is
/// every address of the machine, it has one of them.
fn this_one(masters: &[(Place, SocketAddr)], listen: Listen) -> Result<(Place, SocketAddr)> {
    let ip = listen.advertise_ip.unwrap_or(listen.ip);
    let port = listen.advertise_port.unwrap_or(listen.port);
    if port == 0 {
        bail!("a master of a list is found by its port: choose one with --port");
    }
    let has = |address: &SocketAddr| match ip.is_unspecified() {
        true => is_of_this_machine(address.ip()),
        false => address.ip() == ip,
    };
    let mut found = masters
        .iter()
        .filter(|(_, address)| address.port() == port && has(address));
    let flags = "with --ip and --port, or with --advertise-ip and --advertise-port";
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some((one, _)), Some((other, _))) => {
            bail!("--masters names this machine twice, as {one} and as {other}: say which {flags}")
        }
        (None, _) => {
            let (here, names) = (SocketAddr::new(ip, port), shown(masters));
            bail!(
                "none of the masters {names} is this one, which is at {here}: add it, or say which \
                 it is {flags}"
            )
        }
    }
}

fn shown(masters: &[(Place, SocketAddr)]) -> String {
    let shown = masters
        .iter()
        .map(|(place, address)| match place.to_string() {
            text if text == address.to_string() => text,
            text => format!("{text} ({})", address.ip()),
        });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether a socket can be had at this address.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

impl Members {
    /// Opens the replica, and stands for election; gives the replica, without which this master
    /// should end.
    ///
    /// # Errors
    /// When the files of the replica cannot be used.
    pub(super) async fn stand(
        &self,
        node: &Node,
        options: master::Options,
    ) -> Result<(Stand, Upid)> {
        let (masters, quorum) = (self.ensemble.masters(), self.ensemble.quorum());
        let shown = self.directory.display();
        let log = self
            .ensemble
            .options(replog::Place::Directory(self.directory.clone()));
        let opened = Ensemble::open(node, log).await;
        let (contest, state) = opened.map_err(|error| {
            let advice = advice(&error);
            let what = format!("could not run this master with its log in {shown}{advice}");
            anyhow::Error::new(error).context(what)
        })?;
        tracing::info!(
            masters,
            quorum,
            replica = self.ensemble.here().0,
            log = %shown,
            "a quorum of the masters must be there for one to lead"
        );
        let replica = contest.replica().clone();
        Ok((master::stand(node, options, contest, state), replica))
    }
}

/// What to do when the files of a replica cannot be used.
fn advice(error: &LogError) -> &'static str {
    let LogError::Store(error) = error else {
        return "";
    };
    match error {
        StoreError::Foreign { .. } => {
            ": spell the masters in --masters as they were when it was made, or give a --work-dir of \
             its own; where that is lost, an empty one will do, and the other masters fill it"
        }
        StoreError::InUse { .. } => ": stop the other process, or give another --work-dir",
        StoreError::Full { .. } => ": make room there, or give another --work-dir",
        StoreError::Version { .. } => {
            ": run the version of this program that wrote it, or a later one"
        }
        StoreError::Io { .. } | StoreError::Damaged(_) => {
            ": see to the disk and its permissions; where it is lost, an empty directory will do, and \
             the other masters fill it"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters(list: &[&str]) -> Vec<(Place, SocketAddr)> {
        let master = |text: &&str| {
            let address: SocketAddr = text.parse().unwrap();
            let host = address.ip().to_string();
            let port = address.port();
            (Place { host, port }, address)
        };
        list.iter().map(master).collect()
    }

    fn listen(ip: [u8; 4], port: u16) -> Listen {
        Listen {
            ip: ip.into(),
            port,
            advertise_ip: None,
            advertise_port: None,
        }
    }

    #[test]
    fn a_master_finds_itself_by_what_it_listens_on_or_tells_others() {
        let list = masters(&["198.51.100.1:5050", "198.51.100.2:5050", "127.0.0.1:5050"]);
        let found = |listen| this_one(&list, listen).unwrap().0.to_string();
        assert_eq!(found(listen([198, 51, 100, 2], 5050)), "198.51.100.2:5050");
        assert_eq!(found(listen([0, 0, 0, 0], 5050)), "127.0.0.1:5050");
        let told = Listen {
            advertise_ip: Some([198, 51, 100, 1].into()),
            ..listen([0, 0, 0, 0], 5050)
        };
        assert_eq!(found(told), "198.51.100.1:5050");
    }

    #[test]
    fn a_list_without_this_master_is_refused_with_the_flags_that_say_which_it_is() {
        let list = masters(&["198.51.100.1:5050", "127.0.0.1:5051", "127.0.0.1:5050"]);
        for (wrong, word) in [
            (listen([198, 51, 100, 7], 5050), "198.51.100.7:5050"),
            (listen([0, 0, 0, 0], 5052), "--advertise-ip"),
            (listen([0, 0, 0, 0], 0), "--port"),
        ] {
            let error = this_one(&list, wrong).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let twice = masters(&["127.0.0.1:5050", "127.0.0.2:5050"]);
        let error = this_one(&twice, listen([0, 0, 0, 0], 5050)).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }

    #[test]
    fn a_list_is_hosts_with_or_without_ports() {
        let list: List = "a, b:7,a:5050".parse().unwrap();
        assert_eq!(list.to_string(), "a:5050,b:7");
        for (text, word) in [("zk://a:1/m", "--zk"), ("a,,b", "host:port")] {
            let error = text.parse::<List>().unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
