//! A client of HTTP that tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

use libproc::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request and reads until the server closes.
pub async fn http(node: &Node, request: &str) -> String {
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    let (line, rest) = request.split_once("\r\n").unwrap_or((request, ""));
    let text = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}");
    let text = if text.contains("\r\n\r\n") {
        text
    } else {
        format!("{text}\r\n")
    };
    stream.write_all(text.as_bytes()).await.expect("it reads");
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .await
        .expect("it answers");
    response
}

/// The status of a response.
pub fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or("none")
}

/// The body of the answer to a GET that has to succeed, its chunks put together.
pub async fn body(node: &Node, path: &str) -> String {
    let response = http(node, &format!("GET {path}")).await;
    assert_eq!(status(&response), "200", "{response}");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    if !head.contains("Transfer-Encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, chunk)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("the length of a chunk");
        whole.push_str(&chunk[..length]);
        rest = chunk[length..].trim_start_matches("\r\n");
    }
    whole
}
