//! One connection: who may open one, and the reader, writer and listener that serve it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::frame::Kind;
use super::peer::Peer;
use super::reader::Reader;
use crate::net::{Stream, WriteHalf};
use crate::node::Node;

/// A connection that counts against the node's limit for as long as this lives.
pub(super) struct Seat<'a>(&'a AtomicUsize);

impl Seat<'_> {
    /// Counts a connection, and how many there are with it.
    fn take(node: &Node) -> (Seat<'_>, usize) {
        let count = node.connections();
        (Seat(count), count.fetch_add(1, Relaxed) + 1)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Counts a connection; none, and a word about it, when there are as many as there may be.
pub(super) fn seat(node: &Node) -> Option<Seat<'_>> {
    let (seat, taken) = Seat::take(node);
    let most = node.limits().connections;
    if taken <= most {
        return Some(seat);
    }
    let refused = &node.counters().refused_connections;
    refused.add(1);
    if refused.get().is_power_of_two() {
        let refused = refused.get();
        tracing::warn!(most, refused, "too many connections: one was closed");
    }
    None
}

/// Serves the connection `epoch` of `peer` until it ends.
pub(crate) async fn serve(peer: Arc<Peer>, epoch: u64, stream: Stream, unread: BytesMut) {
    let _seat = Seat::take(peer.node());
    let (read, write) = stream.into_split();
    peer.write_at_once(epoch, write.direct());
    let heard = Cell::new(Instant::now());
    let mut down = peer.node().down();
    let mut reader = Reader::new(peer.clone(), epoch, &heard);
    tokio::select! {
        biased; // any order will do, but the same one in every run
        result = reader.run(read, unread) => if let Err(error) = result {
            tracing::debug!(peer = %peer.address(), %error, "connection ended");
        },
        () = write_all(&peer, epoch, write) => {}
        () = listen(&peer, epoch, &heard) => {
            tracing::warn!(peer = %peer.address(), "peer fell silent");
        }
        _ = down.wait_for(|down| *down) => {}
    }
    drop(reader);
    peer.disconnected(epoch);
    peer.node().forget(&peer);
}

/// Writes what is put into the outbox and was not written there and then, a chunk at once.
async fn write_all(peer: &Peer, epoch: u64, mut write: WriteHalf) {
    let mut spent = Vec::new();
    while let Some(bytes) = peer.outgoing(epoch, spent).await {
        peer.node().counters().bytes_sent.add(bytes.len() as u64);
        // Flushed too: TLS keeps what the socket did not take.
        if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
            return;
        }
        spent = bytes;
    }
}

/// Pings a peer that is quiet; returns when it has been silent too long.
async fn listen(peer: &Peer, epoch: u64, heard: &Cell<Instant>) {
    let silence = peer.node().limits().silence;
    let mut quiet = Duration::ZERO;
    loop {
        // No longer than the peer may still be silent.
        tokio::time::sleep((silence / 3).min(silence - quiet)).await;
        quiet = heard.get().elapsed();
        if quiet >= silence {
            return;
        }
        if quiet >= silence / 3 {
            peer.beat(epoch, Kind::Ping);
            peer.trim();
        }
    }
}
