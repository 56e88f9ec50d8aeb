//! Addresses for ordinary actix actors, so that they and processes can be mixed.

use std::any::TypeId;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler};
use tokio::time::Instant;

use crate::lane::{self, AnyLane};
use crate::letter::{Owed, System};
use crate::link::ExitReason;
use crate::node::{Node, SpawnError};
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid};
use crate::process::{Kind, Run, Turn, lane_for_one};
use crate::protocol::{Page, Wire};
use crate::worker::Here;

/// How often an adapter looks whether its actor still runs.
const LOOK: Duration = Duration::from_millis(500);
/// Letters that may wait for an adapter: they only pass through.
const CAPACITY: u32 = 65_536;

/// Ties a protocol to an ordinary actix actor that handles each of its messages; made by
/// `protocol!`.
#[diagnostic::on_unimplemented(
    message = "the actix actor `{A}` does not handle every message of `{Self}`",
    note = "each message on the protocol's page needs an `impl Handler<Message>`"
)]
pub trait Bridge<A: Actor>: Page {
    /// Hands a message to the actor.
    #[doc(hidden)]
    fn pass(actor: &Addr<A>, message: Self::Messages, owed: Option<Owed>);
}

/// Hands a message to an actix actor, and its answer to whoever waits for one.
#[doc(hidden)]
pub fn pass<A, M>(actor: &Addr<A>, message: M, owed: Option<Owed>)
where
    A: Actor<Context: ToEnvelope<A, M>> + Handler<M>,
    M: Wire,
{
    let Some(owed) = owed else {
        return actor.do_send(message);
    };
    let answer = actor.send(message);
    tokio::task::spawn_local(async move {
        // Dropped without an answer, the asker sees that it was lost.
        if let Ok(value) = answer.await {
            owed.send(Ok(value));
        }
    });
}

impl Node {
    /// Gives an ordinary actix actor an address: whatever is sent to it is sent on to the actor,
    /// and answers come back.
    ///
    /// The actor keeps its own context, mailbox and thread; what it costs is the actor's `do_send`
    /// beside our own. When it stops, the process exits: within half a second, or with the next
    /// message. The actor itself can hold any [`Pid`] and use this node's `tell` and `ask`.
    ///
    /// # Errors
    /// As [`try_spawn`](Node::try_spawn).
    pub fn adopt<P: Bridge<A>, A: Actor>(
        &self,
        id: &str,
        actor: Addr<A>,
    ) -> Result<Pid<P>, SpawnError> {
        let adapter = Adapter {
            actor: actor.clone(),
            speaks: PhantomData::<fn() -> P>,
        };
        let upid = self.settle(Some(id), P::KIND, |_| adapter)?;
        let (node, address) = (self.clone(), upid.clone());
        self.on_worker(move || {
            drop(tokio::task::spawn_local(async move {
                while actor.connected() && !node.is_gone(&address) {
                    tokio::time::sleep(LOOK).await;
                }
                node.terminate(&address);
            }));
        });
        Ok(Pid::assume(upid))
    }
}

/// What adapters of one protocol have in common.
trait Adapted {
    const KIND: &'static Kind;
}

impl<P: Page> Adapted for P {
    const KIND: &'static Kind = &Kind {
        name: || "actix actor",
        capacity: CAPACITY,
        overflow: Overflow::Block,
        messages: P::MESSAGES,
        protocol: TypeId::of::<P>(),
        lane: lane_for_one::<P>,
    };
}

/// The process that stands for an actix actor.
struct Adapter<A: Actor, P> {
    actor: Addr<A>,
    speaks: PhantomData<fn() -> P>,
}

impl<A: Actor, P: Bridge<A>> Run for Adapter<A, P> {
    fn turn(&mut self, here: &Rc<Here>, lane: &mut dyn AnyLane, turn: Turn) -> Option<ExitReason> {
        let lane = lane::typed::<P>(lane)?;
        for _ in 0..turn.letters {
            let (message, reply) = match lane.letters.pop_front()?.open() {
                Ok((_, message, reply)) => (message, reply),
                Err(System::Stop(reason)) => return Some(*reason),
                // Nothing else is addressed to an adapter.
                Err(_) => continue,
            };
            let owed = reply.map(|reply| Owed::new(here.node().clone(), reply));
            P::pass(&self.actor, message, owed);
            if !self.actor.connected() {
                return Some(ExitReason::Stopped);
            }
        }
        None
    }

    fn rearm(&mut self, _: Instant) -> Option<Instant> {
        None
    }

    fn end(&mut self, _: &Rc<Here>, _: bool) -> Vec<Upid> {
        Vec::new()
    }

    fn link_count(&self) -> usize {
        0
    }
}
