//! A stranger on the port of a node: says whatever it likes, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rmpv::Value;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// What opens a connection between nodes.
pub(crate) const PREFACE: &[u8; 8] = b"\x00tepui\r\n";
/// The version of greetings and frames.
pub(crate) const VERSION: u16 = 2;
/// Frames that a stranger builds itself.
pub(crate) const TO: u8 = 1;
pub(crate) const FROM: u8 = 2;
pub(crate) const NAME: u8 = 3;
pub(crate) const LETTER: u8 = 4;
pub(crate) const ASK: u8 = 5;
pub(crate) const LINK: u8 = 8;
pub(crate) const PING: u8 = 11;
/// Stands for a sender that is no process.
pub(crate) const NOBODY: u32 = u32::MAX;
/// Longest time for the other side to say something, or to hang up.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// What each side of a connection says first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hello {
    pub(crate) version: u16,
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: u64,
    pub(crate) to: SocketAddr,
}

/// A connection of a stranger.
pub(crate) struct Stranger {
    pub(crate) stream: TcpStream,
}

impl Stranger {
    pub(crate) async fn dial(to: SocketAddr) -> Stranger {
        let stream = TcpStream::connect(to)
            .await
            .expect("the daemon accepts connections");
        Stranger { stream }
    }

    /// One whose buffers are small, so that it feels soon when it does not read.
    pub(crate) async fn dial_narrow(to: SocketAddr) -> Stranger {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .set_recv_buffer_size(4096)
            .expect("a socket has a buffer");
        let stream = socket
            .connect(to)
            .await
            .expect("the daemon accepts connections");
        Stranger { stream }
    }

    /// Greets as a node that is reached at `address`, and waits for the answer.
    pub(crate) async fn greet(&mut self, address: SocketAddr) {
        self.say(&[&PREFACE[..], &hello(VERSION, address)].concat())
            .await;
        let mut length = [0; 4];
        let heard = self.stream.read_exact(&mut length);
        let heard = tokio::time::timeout(ANSWER, heard)
            .await
            .expect("an answer to a greeting");
        heard.expect("an answer to a greeting");
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.stream
            .read_exact(&mut body)
            .await
            .expect("the rest of a greeting");
    }

    /// Says these bytes; whether the other side still takes them.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> bool {
        let said = tokio::time::timeout(ANSWER, self.stream.write_all(bytes)).await;
        matches!(said, Ok(Ok(())))
    }

    /// Waits until the other side hangs up; panics when it does not.
    pub(crate) async fn await_end(&mut self, why: &str) {
        let mut buffer = vec![0; 1 << 16];
        let end = async { while !matches!(self.stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
        let ended = tokio::time::timeout(ANSWER, end).await;
        assert!(ended.is_ok(), "the connection is kept after {why}");
    }
}

/// A greeting with its length.
pub(crate) fn hello(version: u16, address: SocketAddr) -> Vec<u8> {
    let hello = Hello {
        version,
        address,
        incarnation: 7,
        to: address,
    };
    let body = rmp_serde::to_vec_named(&hello).expect("plain data encodes");
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A frame with its length.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_le_bytes()[..], &[kind], body].concat()
}

/// Frames that define the numbers 0 for a receiver and a sender, and one for each name.
pub(crate) fn define(to: &str, from: &str, names: &[&str]) -> Vec<u8> {
    let mut bytes = frame(TO, to.as_bytes());
    bytes.extend(frame(FROM, from.as_bytes()));
    names
        .iter()
        .for_each(|name| bytes.extend(frame(NAME, name.as_bytes())));
    bytes
}

/// A letter to the receiver 0 by the sender `from`.
pub(crate) fn letter(from: u32, name: u16, body: &[u8]) -> Vec<u8> {
    let head = [
        &0u32.to_le_bytes()[..],
        &from.to_le_bytes(),
        &name.to_le_bytes(),
    ]
    .concat();
    frame(LETTER, &[&head, body].concat())
}

/// A question to the receiver 0 by nobody.
pub(crate) fn ask(name: u16, number: u64, body: &[u8]) -> Vec<u8> {
    let head = [
        &0u32.to_le_bytes()[..],
        &NOBODY.to_le_bytes(),
        &name.to_le_bytes(),
    ]
    .concat();
    frame(ASK, &[&head, &number.to_le_bytes()[..], body].concat())
}

/// A message as a value that can be mangled.
pub(crate) fn value<M: libproc::Wire>(message: &M) -> (&'static str, Value) {
    let bytes = rmp_serde::to_vec_named(message).expect("plain data encodes");
    (
        M::NAME,
        rmpv::decode::read_value(&mut &bytes[..]).expect("what was encoded decodes"),
    )
}

/// The bytes of a value.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a value encodes");
    bytes
}

/// Changes a value in one to four places. What becomes of it may be anything but readable.
pub(crate) fn mangle(value: &mut Value, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..=4) {
        let places = count(value);
        let mut place = rng.random_range(0..places);
        change(value, &mut place, rng);
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

/// Changes the value at a place, counted in the order of writing; true once that is done.
fn change(value: &mut Value, place: &mut usize, rng: &mut StdRng) -> bool {
    if *place == 0 {
        *value = changed(value, rng);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(values) => values.iter_mut().any(|value| change(value, place, rng)),
        Value::Map(entries) => entries
            .iter_mut()
            .any(|(_, value)| change(value, place, rng)),
        _ => false,
    }
}

fn changed(value: &Value, rng: &mut StdRng) -> Value {
    let numbers = [
        0,
        1,
        -1,
        i64::MAX,
        i64::MIN,
        1_000_000_000_000_000,
        4_294_967_296,
    ];
    // What is multiplied must not be long already.
    let small = bytes(value).len() < 2_000;
    match (value, rng.random_range(0..10)) {
        (Value::Integer(_), 0..6) => numbers[rng.random_range(0..numbers.len())].into(),
        (Value::Integer(_), 6) => u64::MAX.into(),
        (Value::String(_), 0) => "".into(),
        (Value::String(_), 1) => "x".repeat(1 << 20).into(),
        (Value::String(_), 2) => "../../../etc/passwd".into(),
        (Value::String(_), 3) => "\u{0}\u{1b}[2J\n".into(),
        (Value::String(_), 4..7) => format!("s{}", rng.random_range(0..50)).into(),
        (Value::Array(values), 0..3) if small => Value::Array([&values[..], values].concat()),
        (Value::Array(values), 3) if small => {
            let one = values.first().cloned().unwrap_or(Value::Nil);
            Value::Array(vec![one; 3000])
        }
        (Value::Array(_), 4) => Value::Array(Vec::new()),
        (Value::Map(entries), 0..4) if !entries.is_empty() => {
            let mut entries = entries.clone();
            entries.remove(rng.random_range(0..entries.len()));
            Value::Map(entries)
        }
        (Value::Map(entries), 4) if small => Value::Map([&entries[..], entries].concat()),
        (_, 7) => Value::Nil,
        (_, 8) => Value::F64(f64::NAN),
        (_, 9) => Value::Binary(vec![255; 40]),
        (_, _) => Value::Boolean(true),
    }
}
