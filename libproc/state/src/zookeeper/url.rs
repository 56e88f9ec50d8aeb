//! `zk://user:password@host1:port,host2:port/path`: where an ensemble is, and where in it.

use std::fmt;
use std::str::FromStr;

/// The port of a server that names none.
const PORT: u16 = 2181;
/// The start of such a text.
const SCHEME: &str = "zk://";
/// An ensemble has at most so many servers.
const SERVERS_MAX: usize = 64;

/// Where an ensemble is, and the znode below which all is ours.
#[derive(Clone, PartialEq, Eq)]
pub struct ZkUrl {
    credentials: Option<(String, String)>,
    servers: Vec<String>,
    path: String,
}

/// Why a text is no address of an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected zk://host1:port1,host2:port2/path or zk://user:password@host1:port1/path")]
pub struct BadUrl(&'static str);

impl ZkUrl {
    /// Whether a text is meant as one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The servers, as `host:port`, separated by commas.
    pub fn servers(&self) -> String {
        self.servers.join(",")
    }

    /// The first server, as `host:port`.
    pub fn first_server(&self) -> &str {
        &self.servers[0]
    }

    /// The path, with a slash before it and none behind.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The user and the password, if there are any.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        let credentials = self.credentials.as_ref();
        credentials.map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// The same ensemble, at a path below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> ZkUrl {
        let path = format!("{}/{name}", self.path);
        ZkUrl {
            path,
            ..self.clone()
        }
    }
}

impl FromStr for ZkUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<ZkUrl, BadUrl> {
        let rest = text.trim().strip_prefix(SCHEME);
        let rest = rest.ok_or(BadUrl("it does not begin with zk://"))?;
        let (place, path) = rest.split_once('/').ok_or(BadUrl("it has no path"))?;
        let (credentials, servers) = match place.rsplit_once('@') {
            None => (None, place),
            Some((credentials, servers)) => {
                let pair = credentials
                    .split_once(':')
                    .filter(|(user, _)| !user.is_empty());
                let (user, password) = pair.ok_or(BadUrl("the user has no password"))?;
                (Some((user.to_owned(), password.to_owned())), servers)
            }
        };
        let servers: Result<Vec<_>, _> = servers.split(',').map(server).collect();
        let servers = servers?;
        if servers.len() > SERVERS_MAX {
            return Err(BadUrl("it names too many servers"));
        }
        Ok(ZkUrl {
            credentials,
            servers,
            path: clean(path)?,
        })
    }
}

/// Reads `host:port`, or a host alone.
fn server(text: &str) -> Result<String, BadUrl> {
    let (host, port) = match text.rsplit_once(':') {
        None => (text, PORT),
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (
                host,
                port.ok_or(BadUrl("a server has a port that is none"))?,
            )
        }
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match !host.is_empty() && host.chars().all(good) {
        true => Ok(format!("{host}:{port}")),
        false => Err(BadUrl("a server has a name that is none")),
    }
}

fn clean(path: &str) -> Result<String, BadUrl> {
    let path = path.trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let good = |part: &&str| {
        !part.is_empty() && *part != "." && *part != ".." && !part.chars().any(char::is_control)
    };
    if path.is_empty() || parts[0] == "zookeeper" {
        return Err(BadUrl("the path is ZooKeeper's own"));
    }
    match parts.iter().all(good) {
        true => Ok(format!("/{path}")),
        false => Err(BadUrl("the path has a part that is none")),
    }
}

impl fmt::Display for ZkUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some((user, _)) = &self.credentials {
            write!(f, "{user}:***@")?;
        }
        write!(f, "{}{}", self.servers(), self.path)
    }
}

impl fmt::Debug for ZkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ensemble_is_where_people_say() {
        let url: ZkUrl = "zk://a:1,b/mesos/x/".parse().unwrap();
        assert_eq!(
            (url.servers().as_str(), url.path()),
            ("a:1,b:2181", "/mesos/x")
        );
        assert_eq!(url.credentials(), None);
        let url: ZkUrl = "zk://me:p@ss:word@10.0.0.1:2181/mesos".parse().unwrap();
        assert_eq!(url.credentials(), Some(("me", "p@ss:word")));
        assert_eq!(url.to_string(), "zk://me:***@10.0.0.1:2181/mesos");
        assert_eq!(url.below("registry").path(), "/mesos/registry");
    }

    #[test]
    fn what_is_no_ensemble_is_refused() {
        for text in [
            "",
            "a:1/mesos",
            "zk://a:1",
            "zk://a:1/",
            "zk:///mesos",
            "zk://a:1,,b/mesos",
            "zk://a:0/mesos",
            "zk://a:99999/mesos",
            "zk://me@a:1/mesos",
            "zk://a:1//mesos",
            "zk://a:1/x/../y",
            "zk://a:1/zookeeper/config",
        ] {
            assert!(text.parse::<ZkUrl>().is_err(), "{text}");
        }
    }
}
