//! A peer that is no node: it greets as one would, and then says what a test wants it to.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

use std::net::SocketAddr;

use libproc::Node;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PREFACE: &[u8] = b"\x00tepui\r\n";

/// What a dialer says first.
#[derive(Serialize)]
struct Hello {
    version: u16,
    address: SocketAddr,
    incarnation: u64,
    to: SocketAddr,
}

/// What is said to a dialer that may come.
#[derive(Serialize)]
struct Sealed {
    #[serde(with = "serde_bytes")]
    welcome: Vec<u8>,
}

#[derive(Serialize)]
struct Welcome {
    incarnation: u64,
    accepted: bool,
}

fn greeting(body: &impl Serialize) -> Vec<u8> {
    let body = rmp_serde::to_vec_named(body).expect("it encodes");
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// The greeting of a node at `address` that has dialed the one at `to`.
pub fn hello(address: SocketAddr, incarnation: u64, to: SocketAddr) -> Vec<u8> {
    greeting(&Hello {
        version: 2,
        address,
        incarnation,
        to,
    })
}

/// Connects to `node` and greets it as the node at `address`.
pub async fn greet(node: &Node, address: SocketAddr, incarnation: u64) -> TcpStream {
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    let hello = hello(address, incarnation, node.address());
    let greeting = [PREFACE, &hello].concat();
    stream.write_all(&greeting).await.expect("it reads");
    read_greeting(&mut stream).await;
    stream
}

/// Answers a node that has dialed.
pub async fn answer(stream: &mut TcpStream, incarnation: u64) {
    let mut preface = [0; 8];
    stream.read_exact(&mut preface).await.expect("a preface");
    assert_eq!(preface, PREFACE);
    read_greeting(stream).await;
    let accepted = true;
    let welcome = Welcome {
        incarnation,
        accepted,
    };
    let welcome = rmp_serde::to_vec_named(&welcome).expect("it encodes");
    let sealed: Result<Sealed, ()> = Ok(Sealed { welcome });
    stream
        .write_all(&greeting(&sealed))
        .await
        .expect("it reads");
}

async fn read_greeting(stream: &mut TcpStream) {
    let length = stream.read_u32_le().await.expect("a greeting");
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.expect("a greeting");
}

/// The address of no node that runs.
pub fn elsewhere(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 99], port))
}

pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_le_bytes()[..], &[kind], body].concat()
}

/// A letter from nobody, with what was defined as `to` and `name`.
pub fn letter(to: u32, name: u16, body: &[u8]) -> Vec<u8> {
    let address = [
        &to.to_le_bytes()[..],
        &u32::MAX.to_le_bytes(),
        &name.to_le_bytes(),
    ];
    frame(4, &[&address.concat()[..], body].concat())
}

/// An ask from nobody.
pub fn ask(to: u32, name: u16, number: u64, body: &[u8]) -> Vec<u8> {
    let head = [
        &to.to_le_bytes()[..],
        &u32::MAX.to_le_bytes(),
        &name.to_le_bytes(),
        &number.to_le_bytes(),
    ];
    frame(5, &[&head.concat()[..], body].concat())
}

/// Whether the connection was ended by the node, whatever it says before.
pub async fn is_ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), end).await;
    ended.is_ok()
}
