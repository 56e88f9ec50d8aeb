//! What becomes of letters when a connection breaks: all of them are counted as dead, and of many
//! the first are reported, each with its receiver, its sender and its message.

use std::net::SocketAddr;

use super::frame::{self, Address, Kind, NOBODY};
use super::outbox::Outbox;
use crate::dead::DeadReason;
use crate::node::Node;
use crate::pid::Upid;
use crate::table::Handle;

/// Most letters of one connection and direction that are reported when it breaks; further ones are
/// counted alone, so that a long outbox does not bury whoever listens.
pub(super) const REPORTED_MAX: usize = 1000;

/// Counts what waited in the outbox of `peer`, and reports it to whoever listens.
pub(super) fn unsent(node: &Node, reason: DeadReason, peer: SocketAddr, outbox: &Outbox) {
    let letters = outbox.letters();
    if letters == 0 {
        return;
    }
    node.dead_office().add(reason, letters);
    if !node.reports_dead() {
        return;
    }
    let (chunks, numbers) = outbox.unsent();
    let (addresses, meanings) = (addresses(chunks), numbers.meanings());
    for Address { to, from, name } in &addresses {
        let name = meanings.names.get(usize::from(*name));
        let (Some(to), Some(name)) = (meanings.to.get(*to as usize), name) else {
            continue;
        };
        let from = (*from != NOBODY).then(|| meanings.from.get(*from as usize));
        let from = from.flatten().copied().and_then(Handle::unpack);
        let from: Option<Upid> = from.map(|at| node.upid_at(at));
        node.report(reason, to, from.as_ref(), name);
    }
    let reported = addresses.len() as u64;
    if reported < letters {
        tracing::warn!(%peer, ?reason, letters, reported, "letters were lost with a connection");
    }
}

/// Whom the first letters are for, and from. Those before numbers were forgotten are left out: what
/// theirs stood for is not known any more.
fn addresses<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Address> {
    let mut addresses = Vec::new();
    for mut rest in chunks {
        while let Ok(Some(frame)) = frame::split(rest) {
            rest = &rest[frame.length()..];
            match frame.kind {
                Kind::Forget => addresses.clear(),
                Kind::Letter | Kind::Ask if addresses.len() < REPORTED_MAX => {
                    addresses.extend(frame::address(frame.body).map(|(address, _)| address));
                }
                _ => {}
            }
        }
    }
    addresses
}
