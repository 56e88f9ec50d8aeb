//! Sifting: what the filters of a node make of the messages of its processes.

use std::any::Any;
use std::time::Duration;

use actix::Handler;

use super::filter::{Action, copy};
use super::history::record;
use crate::context::Context;
use crate::letter::ReplyTo;
use crate::node::Node;
use crate::pid::Upid;
use crate::process::{Process, hand};
use crate::protocol::{MessageInfo, Wire};

/// Notes a message whose turn has come; gives it back if it is to be handled now. Else it is gone,
/// or comes later.
pub(crate) fn sift<A: Process + Handler<M>, M: Wire>(
    ctx: &mut Context<A>,
    message: M,
    reply: Option<ReplyTo>,
) -> Option<(M, Option<ReplyTo>)> {
    let (node, to, from) = (ctx.node(), ctx.upid(), ctx.sender());
    if node.is_simulated() {
        let body = rmp_serde::to_vec_named(&message).unwrap_or_default();
        record(node, to, from, M::NAME, body);
    }
    match node.inner().filters.decide(&message, from, to) {
        None | Some(Action::Watch) => return Some((message, reply)),
        Some(Action::Drop) => {}
        Some(Action::Delay(delay)) => again(ctx, delay, message, reply),
        Some(Action::Double) => {
            let copy = copy(&message);
            again(ctx, Duration::ZERO, copy, None);
            return Some((message, reply));
        }
    }
    None
}

/// Hands a message to the actor after `after`, as from whoever sent it; filters have seen it.
fn again<A: Process + Handler<M>, M: Wire>(
    ctx: &mut Context<A>,
    after: Duration,
    message: M,
    reply: Option<ReplyTo>,
) {
    let from = ctx.sender().cloned();
    ctx.after(after, move |actor, ctx| {
        ctx.sender = from;
        hand(actor, ctx, message, reply);
        ctx.sender = None;
    });
}

/// Has a probe take a message now, later, twice or not at all, as the filters say.
pub(crate) fn sift_for_probe(
    node: &Node,
    to: &Upid,
    from: Option<&Upid>,
    info: &MessageInfo,
    parcel: Box<dyn Any + Send>,
    take: impl Fn(Box<dyn Any + Send>) + 'static,
) {
    if node.is_simulated() {
        record(node, to, from, info.name, (info.encode)(&*parcel));
    }
    match node.inner().filters.decide((info.look)(&*parcel), from, to) {
        None | Some(Action::Watch) => take(parcel),
        Some(Action::Drop) => {}
        Some(Action::Delay(delay)) => drop(tokio::task::spawn_local(async move {
            tokio::time::sleep(delay).await;
            take(parcel);
        })),
        Some(Action::Double) => {
            let copy = (info.decode)(&(info.encode)(&*parcel), None);
            take(parcel);
            // One that does not come back as it was encoded is no message.
            copy.into_iter().for_each(take);
        }
    }
}
