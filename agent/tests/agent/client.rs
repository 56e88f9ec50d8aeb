//! A client for HTTP that sees what others hide: the chunks of a body.

use std::net::SocketAddr;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer that came whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer that comes in chunks, as long as the other side likes.
#[derive(Debug)]
pub(crate) struct Chunks {
    socket: TcpStream,
    received: Vec<u8>,
    pub(crate) head: String,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Heard {
    Refused(Answer),
    Accepted(Chunks),
}

/// What a request says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) accept: Option<&'a str>,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

impl<'a> Ask<'a> {
    pub(crate) fn get(path: &'a str) -> Ask<'a> {
        Ask {
            method: "GET",
            path,
            content_type: None,
            accept: None,
            authorization: None,
            body: b"",
        }
    }

    pub(crate) fn post(path: &'a str, content_type: &'a str, body: &'a [u8]) -> Ask<'a> {
        Ask {
            method: "POST",
            path,
            content_type: Some(content_type),
            accept: Some(content_type),
            authorization: None,
            body,
        }
    }

    /// With this to show.
    pub(crate) fn showing(self, authorization: &'a str) -> Ask<'a> {
        let authorization = Some(authorization);
        Ask {
            authorization,
            ..self
        }
    }

    async fn send(self, to: SocketAddr) -> Chunks {
        let mut socket = TcpStream::connect(to).await.unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {to}\r\n", self.method, self.path);
        let headers = [
            ("Content-Type", self.content_type),
            ("Accept", self.accept),
            ("Authorization", self.authorization),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        // Streams are held open all the same.
        head.push_str("Connection: close\r\n");
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body);
        socket.write_all(&bytes).await.unwrap();
        let (received, head) = (Vec::new(), String::new());
        let mut answer = Chunks {
            socket,
            received,
            head,
        };
        answer.head = answer.line_until(b"\r\n\r\n").await.expect("an answer");
        answer
    }

    /// The status alone, of an answer that may be a stream.
    pub(crate) async fn status(self, to: SocketAddr) -> u16 {
        self.send(to).await.status()
    }

    /// What became of it: a refusal, or what it was heard on, which may be a stream.
    pub(crate) async fn heard(self, to: SocketAddr) -> Heard {
        let mut answer = self.send(to).await;
        let status = answer.status();
        if status < 300 {
            return Heard::Accepted(answer);
        }
        while answer.receive().await {}
        let (head, body) = (answer.head, answer.received);
        Heard::Refused(Answer { status, head, body })
    }

    pub(crate) async fn answer(self, to: SocketAddr) -> Answer {
        let mut answer = self.send(to).await;
        let status = answer.status();
        let mut body = Vec::new();
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = answer.chunk().await {
                body.extend_from_slice(&chunk);
            }
        } else {
            while answer.receive().await {}
            body = std::mem::take(&mut answer.received);
            let length = answer.header("content-length");
            if self.method != "HEAD" {
                assert_eq!(length.unwrap_or("0"), body.len().to_string());
            }
        }
        let head = answer.head;
        Answer { status, head, body }
    }

    /// Expects a stream.
    pub(crate) async fn stream(self, to: SocketAddr) -> Chunks {
        let answer = self.send(to).await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        answer
    }
}

impl Chunks {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(ours, _)| ours.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// Reads more; false at the end.
    async fn receive(&mut self) -> bool {
        matches!(self.socket.read_buf(&mut self.received).await, Ok(1..))
    }

    async fn line_until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            let found = self.received.windows(end.len()).position(|w| w == end);
            if let Some(at) = found {
                let line = self.received.drain(..at + end.len()).collect::<Vec<_>>();
                return Some(String::from_utf8(line[..at].to_vec()).unwrap());
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// The next chunk; none at the end of the stream.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = self.line_until(b"\r\n").await?;
        let length = usize::from_str_radix(&length, 16).unwrap();
        while self.received.len() < length + 2 {
            if !self.receive().await {
                return None;
            }
        }
        let mut chunk = self.received.drain(..length + 2).collect::<Vec<_>>();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// The next record, which must be all of the next chunk.
    pub(crate) async fn record(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunk().await?;
        let newline = chunk.iter().position(|byte| *byte == b'\n').unwrap();
        let length = std::str::from_utf8(&chunk[..newline]).unwrap();
        let record = chunk[newline + 1..].to_vec();
        assert_eq!(length.parse::<usize>().unwrap(), record.len());
        Some(record)
    }

    /// The next event, in JSON.
    pub(crate) async fn event(&mut self) -> Value {
        let record = self.record().await.expect("the stream goes on");
        serde_json::from_slice(&record).unwrap()
    }

    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.chunk().await, None);
    }
}

/// Makes of the bytes of a call what no client would say, or nearly.
pub(crate) fn mangle(body: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..body.len().max(1));
        match rng.random_range(0..5) {
            0 => body.truncate(at),
            1 if at < body.len() => body[at] = rng.random(),
            2 if at < body.len() => drop(body.remove(at)),
            3 => body.insert(at.min(body.len()), rng.random()),
            _ => {
                let piece = body[at.min(body.len())..].to_vec();
                body.extend_from_slice(&piece);
            }
        }
    }
}
