//! Where the master is: the texts people write for it.

use std::net::{IpAddr, SocketAddr};

use api::MASTER_PORT;

use election::Leader;

use crate::error::Error;

/// Where a master is said to be; its host may still have to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MasterAddress {
    /// Its process id.
    pub(crate) id: String,
    /// A name or an IP address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl MasterAddress {
    /// Reads `ip:port`, `host:port`, either with `id@` before it, or without a port.
    pub(crate) fn parse(text: &str) -> Result<MasterAddress, Error> {
        let invalid = || Error::InvalidMaster(text.chars().take(100).collect());
        let text = text.trim();
        let (id, place) = text.rsplit_once('@').unwrap_or((api::MASTER, text));
        let bare: Option<IpAddr> = place.trim_matches(['[', ']']).parse().ok();
        let (host, port) = match (bare, place.rsplit_once(':')) {
            (Some(ip), _) => (ip.to_string(), MASTER_PORT),
            (None, Some((host, port))) => {
                let host = host.trim_matches(['[', ']']).to_owned();
                (host, port.parse().map_err(|_| invalid())?)
            }
            (None, None) => (place.to_owned(), MASTER_PORT),
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if id.is_empty() || host.is_empty() || port == 0 || !host.chars().all(good) {
            return Err(invalid());
        }
        let id = id.to_owned();
        Ok(MasterAddress { id, host, port })
    }

    /// Where a master is that leads.
    pub(crate) fn of(leader: &Leader) -> MasterAddress {
        let upid = leader.pid.upid();
        MasterAddress {
            id: upid.id().to_string(),
            host: upid.address().ip().to_string(),
            port: upid.address().port(),
        }
    }

    /// The socket address, looked up if need be; IPv4 first, as most masters listen there.
    pub(crate) async fn look_up(&self) -> Result<SocketAddr, Error> {
        if let Ok(ip) = self.host.parse() {
            return Ok(SocketAddr::new(ip, self.port));
        }
        let failed = |source| Error::Lookup {
            master: self.to_string(),
            source,
        };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<_> = found.map_err(failed)?.collect();
        let v4 = found.iter().find(|address| address.is_ipv4());
        let none = || failed(std::io::Error::other("the host has no address"));
        v4.or(found.first()).copied().ok_or_else(none)
    }
}

impl std::fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_where_people_say() {
        for (text, id, host, port) in [
            ("127.0.0.1:5050", "master", "127.0.0.1", 5050),
            ("localhost:7", "master", "localhost", 7),
            ("master@10.0.0.1:5050", "master", "10.0.0.1", 5050),
            ("other@[::1]:9", "other", "::1", 9),
            ("::1", "master", "::1", 5050),
            (" node-1.example ", "master", "node-1.example", 5050),
        ] {
            let read = MasterAddress::parse(text).unwrap();
            assert_eq!(
                (read.id.as_str(), read.host.as_str(), read.port),
                (id, host, port)
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            "host:",
            ":1",
            "host:0",
            "host:99999",
            "@h:1",
            "zk://a:1,b:2/mesos",
        ] {
            assert!(MasterAddress::parse(text).is_err(), "{text}");
        }
    }
}
