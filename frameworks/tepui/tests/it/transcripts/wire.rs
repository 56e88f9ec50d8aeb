//! HTTP as it was recorded: a head that is sent as it is, an answer that is read to its end, and
//! streams of records.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// With names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends a request; what says where it goes and how long it is, is said anew.
fn send(address: &str, head: &[String], body: &[u8]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    for line in head {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        let line = match name.as_str() {
            "host" => format!("Host: {address}"),
            "content-length" => format!("Content-Length: {}", body.len()),
            _ => line.clone(),
        };
        text.push_str(&line);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
    BufReader::new(stream)
}

fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(read) if read > 0 => Some(line.trim_end().to_owned()),
        Ok(_) | Err(_) => None,
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Answer {
    let first = line(stream).expect("an answer");
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let mut headers = Vec::new();
    while let Some(line) = line(stream).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    Answer {
        status: status.expect("a status"),
        headers,
        body: Vec::new(),
    }
}

/// A chunk of a body; none at its end.
fn chunk(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let length = usize::from_str_radix(&line(stream)?, 16).ok()?;
    let mut chunk = vec![0; length + 2];
    stream.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    (length > 0).then_some(chunk)
}

/// Makes a request; gives its answer, all of it.
pub(super) fn ask(address: &str, head: &[String], body: &[u8]) -> Answer {
    let mut stream = send(address, head, body);
    let mut answer = read_head(&mut stream);
    if head[0].starts_with("HEAD") {
        return answer;
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = std::iter::from_fn(|| chunk(&mut stream))
            .flatten()
            .collect();
    } else {
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse().ok());
        answer.body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut answer.body).unwrap();
    }
    answer
}

/// Makes a request whose answer is a stream; gives its head, and the records as they come. The
/// stream is closed when nobody listens to it any more and something comes.
pub(super) fn open(address: &str, head: &[String], body: &[u8]) -> (Answer, Receiver<Json>) {
    let mut stream = send(address, head, body);
    let answer = read_head(&mut stream);
    let (sender, records) = mpsc::channel();
    thread::spawn(move || {
        while let Some(chunk) = chunk(&mut stream) {
            let text = String::from_utf8_lossy(&chunk).into_owned();
            // One record is one chunk.
            let (_, record) = text.split_once('\n').expect("a length");
            if sender
                .send(serde_json::from_str(record).expect("JSON"))
                .is_err()
            {
                return;
            }
        }
    });
    (answer, records)
}
