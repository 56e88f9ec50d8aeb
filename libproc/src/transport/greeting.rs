//! What two nodes say to each other before frames pass: a length and a MessagePack map each.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Stream;
use crate::security::{Denied, Nonce, Proof, denial};

/// Raised when frames or greetings change in a way that older nodes cannot read.
pub(super) const VERSION: u16 = 2;
/// Largest greeting, in bytes.
const GREETING_MAX: usize = 1024;
/// Most bytes that are read, and thrown away, of somebody who was denied.
const FAREWELL_MAX: u64 = 64 << 10;

/// What the dialer says first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) version: u16,
    /// Where the speaker is reached.
    pub(super) address: SocketAddr,
    /// Another number each time a node starts: a new one at an old address is another node.
    pub(super) incarnation: u64,
    /// Where the speaker thinks that it has dialed.
    pub(super) to: SocketAddr,
    /// What the answerer is to prove over, where a secret is shared.
    #[serde(default)]
    pub(super) nonce: Option<Nonce>,
    /// What the keys of the speaker are called that the answerer delegated to it.
    #[serde(default)]
    pub(super) label: Option<String>,
}

/// The part of a [`Hello`] that stays the same in all versions.
#[derive(Debug, Deserialize)]
pub(super) struct Speaks {
    pub(super) version: u16,
}

/// What the answerer says to that, where a secret is shared.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Challenge {
    /// What the dialer is to prove over.
    pub(super) nonce: Nonce,
    /// What the keys of the answerer are called that the dialer delegated to it.
    #[serde(default)]
    pub(super) label: Option<String>,
}

/// What the dialer says to a challenge: a proof by each of its keys.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Proofs {
    pub(super) proofs: Vec<Proof>,
}

/// What the answerer says last, with its proof where a secret is shared.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// A [`Welcome`].
    #[serde(with = "serde_bytes")]
    pub(super) welcome: Vec<u8>,
    #[serde(default)]
    pub(super) proof: Option<Proof>,
}

/// What the answerer says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub(super) incarnation: u64,
    /// Whether the answerer uses this connection.
    pub(super) accepted: bool,
}

/// Why two nodes did not meet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Network(#[source] io::Error),
    #[error("{0}")]
    Denied(Denied),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match denial(&error) {
            Some(denied) => Failure::Denied(denied),
            None => Failure::Network(error),
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure::Denied(denied)
    }
}

/// A connection over which greetings pass.
pub(super) struct Talk {
    pub(super) stream: Stream,
    /// What was read beyond the last greeting.
    pub(super) unread: BytesMut,
}

impl Talk {
    pub(super) fn new(stream: Stream) -> Talk {
        Talk {
            stream,
            unread: BytesMut::with_capacity(GREETING_MAX),
        }
    }

    /// Says something, and what opens it, at once; gives what was said.
    pub(super) async fn say<T: Serialize>(
        &mut self,
        opening: &[u8],
        greeting: &T,
    ) -> io::Result<Vec<u8>> {
        let body = encode(greeting)?;
        let length = (body.len() as u32).to_le_bytes();
        self.stream
            .write_all(&[opening, &length, &body].concat())
            .await?;
        self.stream.flush().await?;
        Ok(body)
    }

    /// Hears the next greeting, as it was said.
    pub(super) async fn hear(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some((length, rest)) = self.unread.split_first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                if length > GREETING_MAX {
                    return Err(invalid("a greeting that is too long"));
                }
                if rest.len() >= length {
                    self.unread.advance(4);
                    return Ok(self.unread.split_to(length).freeze());
                }
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Hears an answer; gives also how it was said.
    pub(super) async fn hear_answer<T: DeserializeOwned>(&mut self) -> Result<(T, Bytes), Failure> {
        let body = self.hear().await?;
        let answer: Result<T, Denied> = decode(&body)?;
        Ok((answer?, body))
    }

    /// Says why there is no connection, and ends.
    pub(super) async fn deny(mut self, denied: Denied) {
        let answer: Result<(), Denied> = Err(denied);
        if self.say(&[], &answer).await.is_ok() {
            farewell(self.stream).await;
        }
    }
}

/// Ends a connection so that what was said last arrives: a socket that is closed while there is
/// something to read takes back what it has said.
pub(super) async fn farewell(mut stream: Stream) {
    if stream.shutdown().await.is_ok() {
        let mut rest = stream.take(FAREWELL_MAX);
        // Whatever goes wrong, it is over.
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}

pub(super) fn encode<T: Serialize>(greeting: &T) -> io::Result<Vec<u8>> {
    rmp_serde::to_vec_named(greeting).map_err(io::Error::other)
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    rmp_serde::from_slice(body).map_err(|_| invalid("a greeting that does not decode"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
