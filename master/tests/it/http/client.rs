//! A client that speaks HTTP/1.1 itself, so that it sees every chunk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Nothing takes longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer that is complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By name, in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

/// A connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Connection(BufReader::new(stream))
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{line} HTTP/1.1\r\nHost: master\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let request = [head.as_bytes(), body].concat();
        self.0.write_all(&request).await.expect("it reads");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.expect("it answers").expect("a line");
        line.trim_end().to_owned()
    }

    /// The head of an answer.
    pub(crate) async fn head(&mut self) -> (u16, BTreeMap<String, String>) {
        let first = self.line().await;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {first:?}"));
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(':') else {
                return (status, headers);
            };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut bytes)).await;
        read.expect("it goes on").expect("all of it");
        bytes
    }

    /// The next chunk; none when the stream has ended.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await;
        if !matches!(read.expect("a chunk comes"), Ok(1..)) {
            return None; // hung up
        }
        let length = usize::from_str_radix(line.trim(), 16).expect("the length of a chunk");
        let chunk = self.exactly(length).await;
        assert_eq!(self.exactly(2).await, b"\r\n");
        (length > 0).then_some(chunk)
    }

    /// An answer, all of it.
    pub(crate) async fn answer(&mut self) -> Answer {
        let (status, headers) = self.head().await;
        let mut body = Vec::new();
        if let Some(length) = headers.get("content-length") {
            body = self.exactly(length.parse().expect("a length")).await;
        } else {
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
        }
        Answer {
            status,
            headers,
            body,
        }
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn request(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.send(line, headers, body).await;
    connection.answer().await
}

/// Gets a page.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, &format!("GET {path}"), &[], b"").await
}

/// A stream of events in JSON.
pub(crate) struct Events {
    connection: Connection,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Events {
    /// Subscribes, by the call `body` to `path`.
    pub(crate) async fn subscribe(address: SocketAddr, path: &str, body: &Value) -> Events {
        let mut connection = Connection::open(address).await;
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        ];
        let body = body.to_string();
        let line = format!("POST {path}");
        connection.send(&line, &headers, body.as_bytes()).await;
        let (status, headers) = connection.head().await;
        assert_eq!(status, 200);
        assert_eq!(headers["transfer-encoding"], "chunked");
        assert_eq!(headers["content-type"], "application/json");
        Events {
            connection,
            headers,
        }
    }

    /// The next event, which is one record, which is one chunk; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let chunk = self.connection.chunk().await?;
        let chunk = String::from_utf8(chunk).expect("JSON is text");
        let (length, record) = chunk.split_once('\n').expect("a length and a record");
        assert_eq!(length.parse(), Ok(record.len()), "one record in one chunk");
        Some(serde_json::from_str(record).expect("an event"))
    }

    /// The next event of this type; those before it are thrown away.
    pub(crate) async fn skip_to(&mut self, kind: &str) -> Value {
        loop {
            let next = self.next().await;
            let event = next.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Reads until the stream ends; what came comes back.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
