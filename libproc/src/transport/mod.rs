//! Between nodes: one connection a peer, over which frames pass.
//!
//! `frame` is the format, `outbox` what waits to be sent, `peer` what a node knows of another,
//! `door` how it opens, `handshake` and
//! `greeting` how two nodes meet, `connection` how bytes become letters.

mod connection;
mod door;
mod frame;
mod greeting;
mod handshake;
mod outbox;
mod peer;

pub(crate) use door::accept;
pub(crate) use peer::{Peer, PeerReply, PeerWatch};
