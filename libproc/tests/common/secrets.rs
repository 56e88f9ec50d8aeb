//! Nodes with secrets, and bare connections to them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

use std::net::SocketAddr;

use libproc::prelude::*;
use libproc::security::Keys;
use libproc::{Denied, Security};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::common::Counting;

/// A secret of 32 bytes.
pub type Key = [u8; 32];
pub const OLD: Key = [1; 32];
pub const NEW: Key = [2; 32];

pub fn knowing(keys: &[Key]) -> Security {
    Security::secret(Keys::from_bytes(keys).expect("they are long enough"))
}

pub async fn node_with(security: Security) -> Node {
    let node = Node::builder().security(security).bind("127.0.0.1:0").await;
    node.expect("a free port")
}

pub fn denied<T>(why: Denied) -> Result<T, AskError> {
    Err(AskError::Denied(why))
}

/// The number of a counter on the metrics page.
pub async fn metric(node: &Node, name: &str) -> u64 {
    let page = http(node.address(), "/metrics/snapshot", None).await;
    let body = page.split("\r\n\r\n").nth(1).expect("a body");
    let page: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    page[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {page}"))
}

pub async fn http(to: SocketAddr, path: &str, token: Option<&str>) -> String {
    let stream = TcpStream::connect(to).await.expect("it listens");
    let shown = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    request(
        stream,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{shown}\r\n"),
    )
    .await
}

async fn request(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    answer
}

pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

pub fn counter_at(address: SocketAddr) -> Pid<Counting> {
    format!("counter@{address}").parse().expect("an address")
}

pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
