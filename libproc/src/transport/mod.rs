//! Between nodes: one connection a peer, over which frames pass.
//!
//! `frame` is the format. `peer` is what a node knows of another, `sending` and `linking` what it
//! does with that, `outbox` what waits to be sent, `encode` how it is written, `numbers` how ids
//! are shortened there. `door` is how a connection opens, `handshake` and `greeting` how two nodes
//! meet, `connection` what serves them then, `reader` how bytes become letters, `arrivals` how
//! shortened ids are understood, `awake` when a thread may sleep, `fallen` what becomes of letters
//! when a connection breaks.

mod arrivals;
mod awake;
mod connection;
mod door;
mod encode;
mod fallen;
mod frame;
mod greeting;
mod handshake;
mod linking;
mod numbers;
mod outbox;
mod peer;
mod reader;
mod sending;

pub(crate) use door::accept;
pub use encode::fits_in_a_message;
pub(crate) use linking::PeerWatch;
pub use peer::Backlog;
pub(crate) use peer::{Peer, PeerLook};
pub(crate) use sending::{PeerReply, forget_peers, letter, letter_when_room};
