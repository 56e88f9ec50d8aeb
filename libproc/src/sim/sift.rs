//! Sifting: what the filters of a node make of the messages of its processes.

use std::time::Duration;

use actix::Handler;

use super::filter::{Action, copy};
use super::history::record;
use crate::ask::AskError;
use crate::context::Context;
use crate::lane::Lane;
use crate::letter::{Letter, Owed, ReplyTo, Sender};
use crate::node::Node;
use crate::pid::Upid;
use crate::process::{Process, hand};
use crate::protocol::{Page, Wire};

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
        Some(Action::Drop) => {
            if let Some(reply) = reply {
                reply.fail(AskError::Lost, node);
            }
        }
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
    let from = ctx.sent_by();
    let owed = reply.map(|reply| Owed::new(ctx.node().clone(), reply));
    ctx.after(after, move |actor, ctx| {
        ctx.received_from(from);
        hand(actor, ctx, message, owed.and_then(Owed::release));
        ctx.received_from_system();
    });
}

/// Has a probe take a message now, later, twice or not at all, as the filters say.
pub(crate) fn sift_for_probe<P: Page>(
    node: &Node,
    to: &Upid,
    from: Option<&Upid>,
    message: P::Messages,
    owed: Option<Owed>,
    take: impl Fn(P::Messages, Option<Owed>) + 'static,
) {
    let info = &P::MESSAGES[usize::from(P::place_of(&message))];
    if node.is_simulated() {
        record(node, to, from, info.name, (info.encode)(&message));
    }
    let action =
        (info.look)(&message).and_then(|message| node.inner().filters.decide(message, from, to));
    match action {
        None | Some(Action::Watch) => take(message, owed),
        Some(Action::Drop) => {}
        Some(Action::Delay(delay)) => drop(tokio::task::spawn_local(async move {
            tokio::time::sleep(delay).await;
            take(message, owed);
        })),
        Some(Action::Double) => {
            let mut lane = Lane::<P>::for_one();
            let body = (info.encode)(&message);
            let copied = (info.decode)(&body, Sender::Nobody, None, &mut lane);
            take(message, owed);
            // One that does not come back as it was encoded is no message.
            if copied.is_ok()
                && let Some(Ok((_, message, _))) = lane.letters.pop_front().map(Letter::open)
            {
                take(message, None);
            }
        }
    }
}
