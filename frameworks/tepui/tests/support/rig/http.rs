//! As much HTTP as a test needs: one GET, one answer, and requests that are none.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The JSON of a page.
pub(crate) async fn json(address: SocketAddr, path: &str) -> Result<Value, String> {
    let text = tokio::time::timeout(ANSWER, get(address, path)).await;
    let text = text.map_err(|_| format!("no answer from {address}{path}"))??;
    serde_json::from_str(&text).map_err(|error| format!("{address}{path}: {error}: {text}"))
}

async fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{address}{path}: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(told)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(told)?;
    let answer = String::from_utf8(answer).map_err(|error| error.to_string())?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("an answer without an end of head")?;
    match head.starts_with("HTTP/1.1 200") {
        true => Ok(body.to_owned()),
        false => Err(format!("{address}{path}: {head}")),
    }
}

/// Requests to the process `id` of a node that are wrong in some way.
pub(crate) fn bad_requests(id: &str) -> Vec<String> {
    let long = "x".repeat(1 << 20);
    vec![
    format!("BREW /{id} HTTP/1.1\r\n\r\n"),
    "GET / HTTP/9.9\r\n\r\n".to_owned(),
    "GET\r\n\r\n".to_owned(),
    format!("GET /{long} HTTP/1.1\r\n\r\n"),
    format!("GET / HTTP/1.1\r\nCookie: {long}\r\n\r\n"),
    format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(10_000)),
    format!("POST /{id}/state HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"),
    format!("POST /{id}/state HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
    format!("POST /{id}/state HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"),
    format!("POST /{id}/state HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz"),
    format!("GET /{id}/../../../etc/passwd HTTP/1.1\r\n\r\n"),
    "GET /%00%ff%zz/%2e%2e HTTP/1.1\r\n\r\n".to_owned(),
    "GET /agent/files/read?framework=..&task=..&path=../../../etc/passwd HTTP/1.1\r\n\r\n".to_owned(),
    "GET /agent/files/read?framework=a&task=b&path=c&offset=-1&length=99999999999999999999 HTTP/1.1\r\n\r\n".to_owned(),
    format!("GET /{id}/state?{} HTTP/1.1\r\n\r\n", "a=%&".repeat(5_000)),
            ]
}
