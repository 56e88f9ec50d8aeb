//! Where masters are: the texts people write for them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use api::MASTER_PORT;
use state::zookeeper::{BadUrl, ZkUrl};

/// A list names at most so many masters.
const MASTERS_MAX: usize = 32;

/// Where a master is said to be; its host may still have to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Place {
    /// The socket address, looked up if need be; IPv4 first, as most masters listen there.
    ///
    /// # Errors
    /// When the host is not known, or has no address.
    pub async fn look_up(&self) -> std::io::Result<SocketAddr> {
        if let Ok(ip) = self.host.parse() {
            return Ok(SocketAddr::new(ip, self.port));
        }
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let found: Vec<_> = found.collect();
        let v4 = found.iter().find(|address| address.is_ipv4());
        let none = || std::io::Error::other("the host has no address");
        v4.or(found.first()).copied().ok_or_else(none)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Where the master is, or the masters of which one leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masters {
    /// One master.
    One(Place),
    /// Some masters; they say who leads.
    List(Vec<Place>),
    /// Masters that elect each other through ZooKeeper.
    ZooKeeper(ZkUrl),
}

/// Why a text names no masters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadMasters {
    /// It is meant as an ensemble, and is none.
    #[error(transparent)]
    ZooKeeper(#[from] BadUrl),
    /// It is no address.
    #[error("{0:?} is no address: expected host:port, several of them with commas, or zk://…/path")]
    Address(String),
    /// It is too long.
    #[error("a list names at most {MASTERS_MAX} masters")]
    TooMany,
}

impl FromStr for Masters {
    type Err = BadMasters;

    /// Reads `host:port`, `host1:port1,host2:port2` or `zk://host1:port1,host2:port2/path`. A port
    /// that is not given is 5050; `master@` before an address is as good as without.
    fn from_str(text: &str) -> Result<Masters, BadMasters> {
        let text = text.trim();
        if ZkUrl::is_one(text) {
            return Ok(Masters::ZooKeeper(text.parse()?));
        }
        let mut places = Vec::new();
        for text in text.split(',') {
            let place = place(text.trim())?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        match places.len() {
            1 => Ok(Masters::One(places.remove(0))),
            2..=MASTERS_MAX => Ok(Masters::List(places)),
            _ => Err(BadMasters::TooMany),
        }
    }
}

fn place(text: &str) -> Result<Place, BadMasters> {
    let wrong = || BadMasters::Address(text.chars().take(100).collect());
    let place = text.strip_prefix("master@").unwrap_or(text);
    let bare: Option<IpAddr> = place.trim_matches(['[', ']']).parse().ok();
    let (host, port) = match (bare, place.rsplit_once(':')) {
        (Some(ip), _) => (ip.to_string(), MASTER_PORT),
        (None, Some((host, port))) => {
            let host = host.trim_matches(['[', ']']).to_owned();
            (host, port.parse().map_err(|_| wrong())?)
        }
        (None, None) => (place.to_owned(), MASTER_PORT),
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || port == 0 || !host.chars().all(good) {
        return Err(wrong());
    }
    Ok(Place { host, port })
}

impl Masters {
    /// The address of one of them, or of a server where they meet: traffic to any of them goes
    /// the same way, as a rule.
    ///
    /// # Errors
    /// When its host is not known.
    pub async fn look_up_one(&self) -> std::io::Result<SocketAddr> {
        match self {
            Masters::One(place) => place.look_up().await,
            Masters::List(places) => places[0].look_up().await,
            Masters::ZooKeeper(url) => {
                let server = place(url.first_server()).map_err(std::io::Error::other)?;
                server.look_up().await
            }
        }
    }
}

impl fmt::Display for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Masters::One(place) => place.fmt(f),
            Masters::List(places) => {
                let places: Vec<String> = places.iter().map(Place::to_string).collect();
                f.write_str(&places.join(","))
            }
            Masters::ZooKeeper(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_where_people_say() {
        for (text, read) in [
            ("10.0.0.1:7", "10.0.0.1:7"),
            ("localhost", "localhost:5050"),
            (" master@host:1 ", "host:1"),
            ("[::1]:9", "[::1]:9"),
            ("::1", "[::1]:5050"),
            ("a:1, b:2,a:1", "a:1,b:2"),
            ("a,a:5050", "a:5050"),
            ("zk://a:1,b:2/mesos", "zk://a:1,b:2/mesos"),
        ] {
            let masters: Masters = text.parse().unwrap();
            assert_eq!(masters.to_string(), read, "{text}");
        }
        let list: Masters = "a,b".parse().unwrap();
        assert!(matches!(list, Masters::List(places) if places.len() == 2));
    }

    #[test]
    fn what_names_no_masters_is_refused() {
        for text in [
            "",
            ":",
            "host:",
            ":1",
            "host:0",
            "h:1,",
            "@h:1",
            "zk://a:1",
            "http://a:1",
        ] {
            assert!(text.parse::<Masters>().is_err(), "{text}");
        }
        let many: Vec<String> = (0..=MASTERS_MAX).map(|i| format!("h{i}")).collect();
        assert_eq!(many.join(",").parse::<Masters>(), Err(BadMasters::TooMany));
    }
}
