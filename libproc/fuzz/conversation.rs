//! A node to talk nonsense to, and what every conversation with it must leave behind.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "shared by a test and a fuzz target"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use libproc::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Opens a connection of frames.
pub const PREFACE: &[u8] = b"\x00tepui\r\n";

protocol! {
    /// What the fuzzed process accepts: a message of each shape that serde knows.
    pub protocol Fuzzed {
        message Add { by: u64 } -> u64;
        message Shapes {
            text: String,
            #[serde(with = "serde_bytes")]
            bytes: Vec<u8>,
            lists: Vec<Vec<(u8, i64)>>,
            map: BTreeMap<String, Option<f64>>,
            choice: Choice,
        } -> Choice;
        message Greet { whom: Pid<Fuzzed> };
        message Hold {} -> u64;
    }
}

/// A choice of shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Choice {
    /// Of none.
    Unit,
    /// Of one.
    One(String),
    /// Of two.
    Two(u16, char),
    /// Of named ones.
    Named { upid: Option<Upid>, wide: i128 },
}

/// Adds up, and does what it is asked.
#[derive(Default)]
pub struct Subject {
    total: u64,
    held: Vec<Answer<u64>>,
}

impl Actor for Subject {
    type Context = Context<Self>;
}

impl Process for Subject {
    type Protocol = Fuzzed;
    const CAPACITY: u32 = 32;
}

impl Handler<Add> for Subject {
    type Result = u64;
    fn handle(&mut self, Add { by }: Add, _: &mut Context<Self>) -> u64 {
        self.total = self.total.wrapping_add(by);
        self.total
    }
}

impl Handler<Shapes> for Subject {
    type Result = Reply<Choice>;
    fn handle(&mut self, shapes: Shapes, _: &mut Context<Self>) -> Self::Result {
        Reply(shapes.choice)
    }
}

impl Handler<Greet> for Subject {
    type Result = ();
    fn handle(&mut self, _: Greet, ctx: &mut Context<Self>) {
        ctx.reply::<Fuzzed, _>(Add { by: 1 });
    }
}

impl Handler<Hold> for Subject {
    type Result = Later<u64>;
    fn handle(&mut self, _: Hold, _: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        self.held.push(answer);
        if self.held.len() > 100 {
            self.held.clear();
        }
        later
    }
}

/// What the node is told that it is called: the same in each run, as greetings name it.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// The greeting of a node at `address` to the [`subject`].
pub fn hello(address: SocketAddr, incarnation: u64) -> Vec<u8> {
    #[derive(Serialize)]
    struct Hello {
        version: u16,
        address: SocketAddr,
        incarnation: u64,
        to: SocketAddr,
    }
    let hello = Hello {
        version: 2,
        address,
        incarnation,
        to: HERE,
    };
    let body = rmp_serde::to_vec_named(&hello).expect("it encodes");
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// The node, with a process that is asked and one that is always full.
pub async fn subject() -> (Node, Pid<Fuzzed>) {
    let builder = Node::builder().advertise(HERE);
    let node = builder.bind("127.0.0.1:0").await.expect("a free port");
    let subject = node.spawn("subject", Subject::default());
    (node, subject)
}

/// Says `bytes` to the node in pieces of at most `piece` bytes, and then hangs up; checks what it
/// said, and that it is as well as before.
pub async fn converse(node: &Node, subject: &Pid<Fuzzed>, bytes: &[u8], piece: usize) {
    let (mut read, mut write) = tokio::io::split(node.connect_in_memory());
    let say = async {
        for piece in bytes.chunks(piece.max(1)) {
            if write.write_all(piece).await.is_err() {
                break; // cut off
            }
            tokio::task::yield_now().await;
        }
        // It may have hung up before.
        let _ = write.shutdown().await;
    };
    let hear = async {
        let mut heard = Vec::new();
        let _ = read.read_to_end(&mut heard).await;
        heard
    };
    let ((), heard) = tokio::join!(say, hear);
    if bytes.starts_with(PREFACE) {
        check_frames(&heard);
    }
    let total = node.ask(subject, Add { by: 0 }).await;
    assert!(
        total.is_ok(),
        "the process lives, and is not full: {total:?}"
    );
}

/// Whatever a node is told, it says a greeting and whole frames of the kinds there are.
fn check_frames(heard: &[u8]) {
    let mut rest = heard;
    let mut greeting = true;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(body) = after.get(..length) else {
            return; // it was cut off in the middle
        };
        let kind = body.first().copied().unwrap_or(0);
        assert!(
            greeting || (1..=15).contains(&kind),
            "a frame of the kind {kind}"
        );
        greeting = false;
        rest = &after[length..];
    }
}
