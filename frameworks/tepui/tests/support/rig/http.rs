//! As much HTTP as a test needs: one GET, one answer.

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
