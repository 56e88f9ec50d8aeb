//! How two nodes meet: each says who it is and where it can be reached, and shows that it may.
//!
//! Without security, and over TLS, the dialer says `Hello` and the answerer `Welcome`. Where a secret
//! is shared there are two steps between: the answerer says nothing but a number drawn by chance, and
//! the dialer proves first; only then does the answerer say who it is, and proves that too. The
//! proofs are over all that was said before, so none is good for another connection, for another
//! pair of addresses, or for the other side.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rand::Rng as _;
use tokio::time::timeout;

use super::greeting::{
    Challenge, Failure, Hello, Proofs, Sealed, Speaks, Talk, VERSION, Welcome, decode, encode,
};
use super::peer::Peer;
use crate::ask::AskError;
use crate::env;
use crate::net::Stream;
use crate::node::Node;
use crate::security::{self, Denied, Key, LABEL_MAX, Rank, Scheme, Secret, Side};

/// The bytes that open a connection of frames; any other opening is HTTP.
pub(crate) const PREFACE: &[u8; 8] = b"\x00tepui\r\n";
/// Longest time for connecting, and for all that is said before frames pass.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

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
    let timed_out = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    match timeout(TIMEOUT, greet(&peer))
        .await
        .unwrap_or_else(timed_out)
    {
        Ok(Some(met)) => peer.connected(met, true),
        // The peer dials as well and its dial stands: it gets as long as ours had.
        Ok(None) => {
            tokio::time::sleep(TIMEOUT).await;
            peer.not_connected(&AskError::Unreachable);
        }
        Err(Failure::Denied(denied)) => {
            peer.node().denials().of_peer(peer.address(), denied);
            peer.not_connected(&AskError::Denied(denied));
        }
        Err(Failure::Network(error)) => {
            tracing::debug!(peer = %peer.address(), %error, "could not connect");
            peer.not_connected(match error.kind() {
                io::ErrorKind::ConnectionRefused => &AskError::Refused,
                _ => &AskError::Unreachable,
            });
        }
    }
    peer.node().forget(&peer);
}

async fn greet(peer: &Peer) -> Result<Option<Met>, Failure> {
    let (node, to) = (peer.node(), peer.address());
    let mut stream = Stream::connect(to).await?;
    let scheme = node.security().scheme();
    if let Scheme::Tls(tls) = &scheme {
        stream = stream.dial_tls(tls.client.clone(), to.ip()).await?;
        let rank = stream.certificates().and_then(security::rank);
        node.acquaintances()
            .found(to, rank.ok_or(Denied::BadCertificate)?)?;
    }
    let mut talk = Talk::new(stream);
    let secret = match &scheme {
        Scheme::Secret(secret) => Some(&**secret),
        Scheme::None | Scheme::Tls(_) => None,
    };
    let welcome = exchange(node, to, &mut talk, secret).await?;
    let incarnation = welcome.incarnation;
    let Talk { stream, unread } = talk;
    Ok(welcome.accepted.then_some(Met {
        stream,
        unread,
        incarnation,
    }))
}

/// What the dialer says and hears.
async fn exchange(
    node: &Node,
    to: SocketAddr,
    talk: &mut Talk,
    secret: Option<&Secret>,
) -> Result<Welcome, Failure> {
    let hello = Hello {
        version: VERSION,
        address: node.address(),
        incarnation: node.incarnation(),
        to,
        nonce: secret.map(|_| env::rng().random()),
        label: secret.and_then(|secret| secret.label.as_deref().map(str::to_owned)),
    };
    let hello = talk.say(PREFACE, &hello).await?;
    let Some(secret) = secret else {
        let (sealed, _) = talk.hear_answer::<Sealed>().await?;
        return Ok(decode(&sealed.welcome)?);
    };
    let (challenge, heard) = talk.hear_answer::<Challenge>().await?;
    let (keys, rank) = keys(node, secret, challenge.label.as_deref())?;
    let proof = |key: &Key| key.prove(Side::Dialer, &[&hello, &heard]);
    let proofs = keys.iter().map(proof).collect();
    talk.say(&[], &Proofs { proofs }).await?;
    let (sealed, _) = talk.hear_answer::<Sealed>().await?;
    let said: [&[u8]; 3] = [&hello, &heard, &sealed.welcome];
    let proven = sealed.proof.is_some_and(|proof| {
        keys.iter()
            .any(|key| key.verifies(Side::Answerer, &said, &proof))
    });
    if !proven {
        return Err(Denied::WrongSecret.into());
    }
    node.acquaintances().found(to, rank)?;
    Ok(decode(&sealed.welcome)?)
}

/// Answers a dialer whose preface was read; the connection is served if it is wanted.
pub(super) async fn answer(node: &Node, stream: Stream, unread: BytesMut) -> io::Result<()> {
    let from = stream.peer_addr()?;
    let mut talk = Talk { stream, unread };
    let said = talk.hear().await?;
    if decode::<Speaks>(&said)?.version != VERSION {
        return deny(node, from, None, talk, Denied::Version).await;
    }
    let hello: Hello = decode(&said)?;
    let proven = match admit(node, from, &mut talk, &hello, &said).await {
        Ok(proven) => proven,
        Err(Failure::Network(error)) => return Err(error),
        Err(Failure::Denied(denied)) => {
            return deny(node, from, Some(hello.address), talk, denied).await;
        }
    };
    let peer = node.peer(hello.address);
    let _unless_met = Forgotten { node, peer: &peer };
    let accepted = peer.admits(hello.incarnation);
    let welcome = encode(&Welcome {
        incarnation: node.incarnation(),
        accepted,
    })?;
    let proof =
        proven.map(|Proven { key, heard }| key.prove(Side::Answerer, &[&said, &heard, &welcome]));
    let sealed: Result<Sealed, Denied> = Ok(Sealed { welcome, proof });
    talk.say(&[], &sealed).await?;
    if accepted {
        let Talk { stream, unread } = talk;
        let met = Met {
            stream,
            unread,
            incarnation: hello.incarnation,
        };
        peer.connected(met, false);
    }
    Ok(())
}

/// Forgets a peer that did not become connected, however that came.
struct Forgotten<'a> {
    node: &'a Node,
    peer: &'a Arc<Peer>,
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.node.forget(self.peer);
    }
}

/// Tells a dialer that it may not come, and why.
async fn deny(
    node: &Node,
    from: SocketAddr,
    claimed: Option<SocketAddr>,
    talk: Talk,
    denied: Denied,
) -> io::Result<()> {
    node.denies(from, claimed, denied);
    talk.deny(denied).await;
    let kind = io::ErrorKind::PermissionDenied;
    Err(io::Error::new(kind, denied.to_string()))
}

/// Lets a dialer in that may come; only then is anything known of it here.
async fn admit(
    node: &Node,
    from: SocketAddr,
    talk: &mut Talk,
    hello: &Hello,
    said: &[u8],
) -> Result<Option<Proven>, Failure> {
    if hello.address == node.address() {
        return Err(Denied::SameAddress.into());
    }
    let scheme = node.security().scheme();
    let (rank, proven) = match (&scheme, hello.nonce) {
        (Scheme::Secret(secret), Some(_)) => {
            let (rank, proven) = challenge(node, secret, talk, hello, said).await?;
            (rank, Some(proven))
        }
        (Scheme::Secret(_), None) => return Err(Denied::SecretWanted.into()),
        (Scheme::None | Scheme::Tls(_), Some(_)) => return Err(Denied::NoSecretThere.into()),
        (Scheme::None, None) => (Rank::Member, None),
        (Scheme::Tls(_), None) => {
            let chain = talk
                .stream
                .certificates()
                .ok_or(Denied::CertificateWanted)?;
            if !security::names(chain, hello.address.ip(), from) {
                return Err(Denied::OtherAddress.into());
            }
            (security::rank(chain).ok_or(Denied::BadCertificate)?, None)
        }
    };
    node.acquaintances().came(hello.address, rank)?;
    Ok(proven)
}

/// What is left of a challenge that was met: the key it was met with, and how it was said.
struct Proven {
    key: Key,
    heard: Vec<u8>,
}

/// Has a dialer prove that it knows the secret.
async fn challenge(
    node: &Node,
    secret: &Secret,
    talk: &mut Talk,
    hello: &Hello,
    said: &[u8],
) -> Result<(Rank, Proven), Failure> {
    let here = talk.stream.local_addr()?;
    let here = SocketAddr::new(here.ip().to_canonical(), here.port());
    if hello.to != node.address() && hello.to != here {
        return Err(Denied::Relayed.into());
    }
    let (keys, rank) = keys(node, secret, hello.label.as_deref())?;
    let challenge: Result<Challenge, Denied> = Ok(Challenge {
        nonce: env::rng().random(),
        label: secret.label.as_deref().map(str::to_owned),
    });
    let heard = talk.say(&[], &challenge).await?;
    let proofs: Proofs = decode(&talk.hear().await?)?;
    let proves = |key: &Key| {
        let mut proofs = proofs.proofs.iter();
        proofs.any(|proof| key.verifies(Side::Dialer, &[said, &heard], proof))
    };
    match keys.into_iter().find(proves) {
        Some(key) => Ok((rank, Proven { key, heard })),
        None => Err(Denied::WrongSecret.into()),
    }
}

fn keys(node: &Node, secret: &Secret, label: Option<&str>) -> Result<(Vec<Key>, Rank), Failure> {
    if label.is_some_and(|label| label.len() > LABEL_MAX) {
        return Err(Denied::WrongSecret.into());
    }
    Ok(secret.keys_for(node.address(), label)?)
}
