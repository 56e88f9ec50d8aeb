//! One look at a node: its numbers and its processes, over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Sort;

/// Longest time for connecting, and for each page.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest page that is read, in bytes.
const PAGE_MAX: usize = 16 << 20;
/// Processes that are looked at: those that lead by what they have done altogether.
const PROCESSES: usize = 1_000;

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) sort: Sort,
    /// What the ids of the processes begin with.
    pub(crate) prefix: String,
}

/// What a node said at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) at: Instant,
    /// Its own metrics, `libproc/…`.
    pub(crate) numbers: BTreeMap<String, f64>,
    pub(crate) processes: Vec<Process>,
}

/// A process as `/processes` tells of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Process {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) mailbox: u64,
    pub(crate) capacity: u64,
    pub(crate) handled: u64,
    pub(crate) busy_ns: u64,
    pub(crate) links: Option<u64>,
    pub(crate) watchers: u64,
    pub(crate) age_s: u64,
}

/// The way to a node's pages.
pub(crate) struct Feed {
    address: SocketAddr,
    /// The address as its user wrote it.
    name: String,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

impl Feed {
    pub(crate) fn new(address: SocketAddr, name: String) -> Feed {
        Feed {
            address,
            name,
            connection: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the node.
    ///
    /// # Errors
    /// When nobody answers in time, or something else than a node does.
    pub(crate) async fn look(&mut self, wanted: &Wanted) -> Result<Look> {
        let looked = self.pages(wanted).await;
        if looked.is_err() {
            self.connection = None; // it may be half read
        }
        looked
    }

    async fn pages(&mut self, wanted: &Wanted) -> Result<Look> {
        let path = "/metrics/snapshot?prefix=libproc/&timeout=1secs";
        let numbers = self.page(path).await?;
        let at = Instant::now();
        let strange = || format!("what answers at {} is no node of this program", self.name);
        let numbers = serde_json::from_slice(&numbers).with_context(strange)?;
        let sort = wanted.sort.parameter();
        let prefix = escaped(&wanted.prefix);
        let path = format!("/processes?sort={sort}&limit={PROCESSES}&prefix={prefix}");
        let page = self.page(&path).await?;
        let mut processes: Vec<Process> = serde_json::from_slice(&page)
            .with_context(|| format!("what answers at {} is no node of this program", self.name))?;
        for process in &mut processes {
            for text in [&mut process.id, &mut process.kind, &mut process.state] {
                // A terminal would act on them.
                text.retain(|c| !c.is_control());
            }
        }
        Ok(Look {
            at,
            numbers,
            processes,
        })
    }

    async fn page(&mut self, path: &str) -> Result<Bytes> {
        let name = self.name.clone();
        let late = || anyhow!("the node at {name} did not answer in time");
        timeout(PATIENCE, self.read(path))
            .await
            .map_err(|_| late())?
    }

    async fn read(&mut self, path: &str) -> Result<Bytes> {
        let name = &self.name;
        let connection = match self
            .connection
            .take()
            .filter(|connection| !connection.is_closed())
        {
            Some(connection) => connection,
            None => connect(self.address).await.with_context(|| {
                format!("no node answers at {name}: is it running, and is that its address?")
            })?,
        };
        let connection = self.connection.insert(connection);
        let broken = || format!("what answers at {name} does not speak HTTP, or broke off");
        connection.ready().await.with_context(broken)?;
        let request = Request::get(path)
            .header("host", self.address.to_string())
            .body(Empty::new())?;
        let response = connection
            .send_request(request)
            .await
            .with_context(broken)?;
        let status = response.status();
        if status != StatusCode::OK {
            bail!("{name} has no page {path}, or does not show it: {status}");
        }
        let body = Limited::new(response.into_body(), PAGE_MAX).collect().await;
        let body = body.map_err(|error| anyhow!("could not read {path} of {name}: {error}"))?;
        Ok(body.to_bytes())
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its errors are those of the requests on it.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}

/// A text for a query, with everything escaped that could mean something there.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_escaped() {
        assert_eq!(escaped("agent(1)&x=ü"), "agent%281%29%26x%3D%C3%BC");
    }
}
