//! Between nodes: one connection a peer, over which frames pass.
//!
//! `frame` is the format, `outbox` what waits to be sent, `peer` what a node knows of another,
//! `handshake` how two nodes meet, `connection` how bytes become letters.

mod connection;
mod frame;
mod handshake;
mod outbox;
mod peer;

pub(crate) use connection::accept;
pub(crate) use peer::{Peer, PeerLook, PeerReply, PeerWatch};
