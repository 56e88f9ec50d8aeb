//! How two nodes meet: each says which protocol it speaks, where it can be reached and who it is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::peer::Peer;
use crate::net::Stream;
use crate::node::Node;

/// The bytes that open a connection of frames; any other opening is HTTP.
pub(crate) const PREFACE: &[u8; 8] = b"\x00tepui\r\n";
/// Raised when frames change in a way that older nodes cannot read.
const VERSION: u16 = 2;
/// Longest time for connecting, and for the greetings.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest greeting, in bytes.
const HELLO_MAX: usize = 1024;

/// What each side says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u16,
    /// Where the speaker is reached.
    address: SocketAddr,
    /// Another number each time a node starts: a new one at an old address is another node.
    incarnation: u64,
    /// Whether the speaker uses this connection; the dialer always does.
    accepted: bool,
}

/// A connection whose two sides have greeted each other.
pub(crate) struct Met {
    pub(crate) stream: Stream,
    /// What was read beyond the greeting.
    pub(crate) unread: BytesMut,
    /// Which start of the node the peer is.
    pub(crate) incarnation: u64,
}

/// Connects to `peer` after `wait`, and serves the connection.
pub(crate) async fn dial(peer: Arc<Peer>, wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let dialed = timeout(TIMEOUT, greet(&peer)).await;
    match dialed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(Some(met)) => peer.connected(met, true),
        // The peer dials as well and its dial stands: it gets as long as ours had.
        Ok(None) => {
            tokio::time::sleep(TIMEOUT).await;
            peer.not_connected(false);
        }
        Err(error) => {
            tracing::debug!(peer = %peer.address(), %error, "could not connect");
            peer.not_connected(error.kind() == io::ErrorKind::ConnectionRefused);
        }
    }
    peer.node().forget(&peer);
}

async fn greet(peer: &Peer) -> io::Result<Option<Met>> {
    let mut stream = Stream::connect(peer.address()).await?;
    write(&mut stream, PREFACE, &hello(peer.node(), true)).await?;
    let mut unread = BytesMut::with_capacity(HELLO_MAX);
    let theirs = read(&mut stream, &mut unread).await?;
    let incarnation = theirs.incarnation;
    Ok(theirs.accepted.then_some(Met {
        stream,
        unread,
        incarnation,
    }))
}

/// Answers a dialer whose preface was read; the connection is served if it is wanted.
pub(crate) async fn answer(
    node: &Node,
    mut stream: Stream,
    mut unread: BytesMut,
) -> io::Result<()> {
    let theirs = timeout(TIMEOUT, read(&mut stream, &mut unread)).await??;
    if theirs.address == node.address() {
        return Err(io::Error::other("a node claims the address of this one"));
    }
    let peer = node.peer(theirs.address);
    let incarnation = theirs.incarnation;
    let accepted = peer.admits(incarnation);
    timeout(TIMEOUT, write(&mut stream, &[], &hello(node, accepted))).await??;
    if accepted {
        let met = Met {
            stream,
            unread,
            incarnation,
        };
        peer.connected(met, false);
    }
    Ok(())
}

fn hello(node: &Node, accepted: bool) -> Hello {
    let (address, incarnation) = (node.address(), node.incarnation());
    Hello {
        version: VERSION,
        address,
        incarnation,
        accepted,
    }
}

/// Writes a greeting and what opens it, at once.
async fn write(stream: &mut Stream, opening: &[u8], hello: &Hello) -> io::Result<()> {
    let body = rmp_serde::to_vec_named(hello).map_err(io::Error::other)?;
    let length = (body.len() as u32).to_le_bytes();
    let bytes = [opening, &length, &body].concat();
    stream.write_all(&bytes).await
}

async fn read(stream: &mut Stream, unread: &mut BytesMut) -> io::Result<Hello> {
    let invalid = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    loop {
        if let Some((length, rest)) = unread.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length > HELLO_MAX {
                return Err(invalid("a greeting that is too long"));
            }
            if let Some(body) = rest.get(..length) {
                let hello: Hello = crate::body::decode(body)
                    .map_err(|_| invalid("a greeting that does not decode"))?;
                unread.advance(4 + length);
                if hello.version != VERSION {
                    return Err(invalid("a node that speaks another version"));
                }
                return Ok(hello);
            }
        }
        if stream.read_buf(unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
