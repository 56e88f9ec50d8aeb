//! Sending: a letter finds its mailbox, its peer, or an honest end.

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::{Node, Target};
use crate::ask::{AskError, unbox};
use crate::dead::DeadReason;
use crate::http::Call;
use crate::lane::{self, AnyLane, Lane, Refused};
use crate::letter::{Asker, Letter, ReplyTo, Sender, System};
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid};
use crate::process::Kind;
use crate::protocol::{Accepts, Page, Wire};
use crate::table::{Handle, Mailbox, Opened};
use crate::transport;
use crate::worker::Here;

/// How long a sender that waits for room relies on being told of it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A message that found no mailbox, and why.
struct Undelivered<P: Page> {
    letter: Letter<P>,
    reason: DeadReason,
    /// Tells when there is room again, where it was full and somebody wants to wait.
    room: Option<Arc<Notify>>,
}

/// Whether a message that finds the mailbox full is to be told when there is room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    None,
    Waits,
}

impl Node {
    /// Sends `message` from outside any process: at most once.
    pub fn tell<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M) {
        self.post(None, None, to, message, None);
    }

    /// Sends `message` from outside any process and waits for its answer.
    ///
    /// # Errors
    /// [`AskError`] when the process or its node is gone, or cannot be reached.
    pub fn ask<P: Accepts<M>, M: Wire>(
        &self,
        to: &Pid<P>,
        message: M,
    ) -> impl Future<Output = Result<M::Result, AskError>> + Send + 'static + use<P, M> {
        let (sender, answer) = oneshot::channel();
        let reply = ReplyTo(Asker::Task(sender));
        self.post(None, None, to, message, Some(reply));
        async move { unbox(answer.await.unwrap_or(Err(AskError::Lost))) }
    }

    /// [`ask`](Node::ask) that fails with [`AskError::Timeout`] when no answer came `within`.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask_within<P: Accepts<M>, M: Wire>(
        &self,
        to: &Pid<P>,
        message: M,
        within: Duration,
    ) -> impl Future<Output = Result<M::Result, AskError>> + Send + 'static + use<P, M> {
        let asked = self.ask(to, message);
        async move {
            let answer = tokio::time::timeout(within, asked).await;
            answer.unwrap_or(Err(AskError::Timeout))
        }
    }

    /// Sends `message`, waiting while there is no room for it: in the mailbox of a process of this
    /// node, or on the way to another node.
    ///
    /// That it returns says that the message was put there, not that it was handled. A process
    /// gives the future to [`defer`](crate::Context::defer).
    ///
    /// # Errors
    /// [`AskError`] when there is nobody at the address, or the message is too large to send.
    pub fn send<P: Accepts<M>, M: Wire>(
        &self,
        to: &Pid<P>,
        message: M,
    ) -> impl Future<Output = Result<(), AskError>> + 'static + use<P, M> {
        let (node, to) = (self.clone(), to.clone());
        async move {
            let Some(_) = node.place_of(to.upid()) else {
                return transport::letter_when_room(&node, to.upid(), &message).await;
            };
            let mut letter = Letter::<P>::new(Sender::Nobody, P::wrap(message), None);
            loop {
                let full = match node.deliver_here(None, to.upid(), letter, Patience::Waits) {
                    Ok(()) => return Ok(()),
                    Err(undelivered) => undelivered,
                };
                let Some(room) = full.room else {
                    node.dead(full.reason, to.upid(), None, M::NAME);
                    return Err(error_of(full.reason));
                };
                letter = full.letter;
                // It is told within a turn of the process, or when that ends.
                let _ = tokio::time::timeout(LOOK_AGAIN, room.notified()).await;
            }
        }
    }

    /// Sends a message; `here` is the worker that is being polled, where that is known.
    #[inline]
    pub(crate) fn post<P: Accepts<M>, M: Wire>(
        &self,
        here: Option<&Here>,
        from: Option<&Upid>,
        to: &Pid<P>,
        message: M,
        reply: Option<ReplyTo>,
    ) {
        let upid = to.upid();
        if !upid.is_of(self.home()) && upid.address() != self.address() {
            return transport::letter(self, from, upid, &message, reply);
        }
        let from_here = from.and_then(Upid::handle);
        let sender = from_here.map_or(Sender::Nobody, Sender::Here);
        let letter = Letter::<P>::new(sender, P::wrap(message), reply);
        if let Err(undelivered) = self.deliver_here(here, upid, letter, Patience::None) {
            self.undelivered(upid, from, M::NAME, *undelivered);
        }
    }

    #[cold]
    fn undelivered<P: Page>(
        &self,
        to: &Upid,
        from: Option<&Upid>,
        message: &str,
        undelivered: Undelivered<P>,
    ) {
        let Undelivered { letter, reason, .. } = undelivered;
        self.dead(reason, to, from, message);
        if let Ok((_, _, Some(reply))) = letter.open() {
            reply.fail(error_of(reason), self);
        }
    }

    /// Puts a message into the mailbox of the process at `upid` of this node.
    #[inline]
    fn deliver_here<P: Page>(
        &self,
        here: Option<&Here>,
        upid: &Upid,
        letter: Letter<P>,
        patience: Patience,
    ) -> Result<(), Box<Undelivered<P>>> {
        let Some((at, mut mailbox)) = self.open_mailbox(upid) else {
            return undelivered(letter, DeadReason::NoProcess);
        };
        let Some(lane) = lane_with_room::<P>(&mut mailbox, here) else {
            return self.deliver_to_full(upid, at, mailbox, letter, patience);
        };
        lane.letters.push_back(letter);
        self.put_in_queue(mailbox, at.index, here);
        Ok(())
    }

    #[cold]
    fn deliver_to_full<P: Page>(
        &self,
        upid: &Upid,
        at: Handle,
        mut mailbox: Opened<'_>,
        letter: Letter<P>,
        patience: Patience,
    ) -> Result<(), Box<Undelivered<P>>> {
        let overflow = mailbox.kind.map_or(Overflow::Reject, |kind| kind.overflow);
        if mailbox
            .kind
            .is_none_or(|kind| kind.protocol != TypeId::of::<P>())
        {
            return undelivered(letter, DeadReason::NotAccepted);
        }
        if patience == Patience::Waits && overflow != Overflow::Grow {
            let reason = DeadReason::MailboxFull;
            let room = Some(mailbox.waiting.room());
            return Err(Box::new(Undelivered {
                letter,
                reason,
                room,
            }));
        }
        let lane = mailbox.lane.as_mut();
        let Some(lane) = lane.and_then(|lane| lane::typed::<P>(&mut **lane)) else {
            return undelivered(letter, DeadReason::NotAccepted);
        };
        let pushed_out = match overflow {
            Overflow::Grow => None,
            Overflow::DropOldest => lane.refuse_oldest(),
            Overflow::Reject | Overflow::Block => {
                return undelivered(letter, DeadReason::MailboxFull);
            }
        };
        lane.letters.push_back(letter);
        self.put_in_queue(mailbox, at.index, None);
        if let Some(oldest) = pushed_out {
            self.pushed_out(upid.id(), oldest);
        }
        Ok(())
    }

    /// The mailbox of the living process at `upid` of this node.
    #[inline]
    pub(super) fn open_mailbox(&self, upid: &Upid) -> Option<(Handle, Opened<'_>)> {
        let at = self.place_of(upid)??;
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        if mailbox.generation == at.generation && mailbox.alive {
            return Some((at, mailbox));
        }
        drop(mailbox);
        self.open_successor(upid)
    }

    #[cold]
    fn open_successor(&self, upid: &Upid) -> Option<(Handle, Opened<'_>)> {
        // Another process may have the id of one that has gone.
        let at = self.find(upid.id())?;
        upid.remember(at);
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        (mailbox.generation == at.generation && mailbox.alive).then_some((at, mailbox))
    }

    /// After a letter was added: lets a worker know, unless one does.
    #[inline]
    fn put_in_queue(&self, mut mailbox: Opened<'_>, index: u32, here: Option<&Here>) {
        if mailbox.scheduled {
            return;
        }
        mailbox.scheduled = true;
        let pinned = mailbox.pinned;
        drop(mailbox);
        match pinned {
            0 => self.0.pool.schedule(self.number(), index, here),
            worker => self.0.pool.schedule_pinned(worker, index),
        }
    }

    /// Puts a letter of the system itself into a mailbox, full or not; a stop goes to its front.
    pub(crate) fn urgent(&self, at: Handle, letter: System) {
        self.urgent_from(at, letter, None);
    }

    /// As [`urgent`](Node::urgent), from the worker that is being polled.
    pub(crate) fn urgent_from(&self, at: Handle, letter: System, here: Option<&Here>) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let mut mailbox = slot.0.lock();
        // To a process that has gone there is nothing left to say.
        if mailbox.generation != at.generation || !mailbox.alive {
            return;
        }
        if mailbox.lane.is_none() {
            give_lane(&mut mailbox, here);
        }
        if let Some(lane) = &mut mailbox.lane {
            lane.system(letter);
            self.put_in_queue(mailbox, at.index, here);
        }
    }

    /// Puts letters from a peer into a mailbox; those that do not fit stay in `letters` when its
    /// process holds up the connection, and are dead otherwise.
    pub(crate) fn deliver(&self, target: &mut Target, letters: &mut dyn AnyLane) {
        let slot = target
            .at
            .and_then(|at| Some((at, self.0.table.slot(at.index)?)));
        let Some((at, slot)) = slot else {
            return self.refuse_all(DeadReason::NoProcess, &target.id, letters);
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            drop(mailbox);
            if self.succeeded(target, at) {
                return self.deliver(target, letters);
            }
            return self.refuse_all(DeadReason::NoProcess, &target.id, letters);
        }
        if mailbox.lane.is_none() {
            give_lane(&mut mailbox, None);
        }
        let (Some(kind), Some(lane)) = (mailbox.kind, &mut mailbox.lane) else {
            return;
        };
        let mut room = (kind.capacity as usize).saturating_sub(lane.len());
        let mut pushed_out = Vec::new();
        match kind.overflow {
            Overflow::Grow => room = usize::MAX,
            Overflow::DropOldest => {
                while room < letters.len() {
                    let Some(oldest) = lane.refuse_oldest().or_else(|| letters.refuse_oldest())
                    else {
                        break;
                    };
                    pushed_out.push(oldest);
                    room = (kind.capacity as usize).saturating_sub(lane.len());
                }
            }
            Overflow::Reject | Overflow::Block => {}
        }
        lane.append(letters, room);
        if lane.len() > 0 {
            self.put_in_queue(mailbox, at.index, None);
        } else {
            drop(mailbox);
        }
        for oldest in pushed_out {
            self.pushed_out(&target.id, oldest);
        }
        if kind.overflow != Overflow::Block {
            self.refuse_all(DeadReason::MailboxFull, &target.id, letters);
        }
    }

    /// After the oldest message of a full mailbox made room.
    fn pushed_out(&self, id: &str, (refused, reply): (Refused, Option<ReplyTo>)) {
        self.dead_here(DeadReason::MailboxFull, id, &refused.from, refused.message);
        if let Some(reply) = reply {
            reply.fail(AskError::Busy, self);
        }
    }

    /// Whether the process a target stood for, at `before`, has a successor under its id that takes
    /// the same messages: it was started again.
    fn succeeded(&self, target: &mut Target, before: Handle) -> bool {
        let kind = target.kind.take();
        target.at = None;
        if !self.resolve(target) || target.at == Some(before) {
            target.at = None;
            return false;
        }
        // The letters lie in a lane of the old one's protocol: only the same can take them.
        let protocol = |kind: Option<&'static Kind>| kind.map(|kind| kind.protocol);
        protocol(kind) == protocol(target.kind)
    }

    /// Wakes a process whose timer is due.
    pub(crate) fn wake(&self, at: Handle) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation == at.generation && mailbox.alive {
            mailbox.woken = true;
            self.put_in_queue(mailbox, at.index, None);
        }
    }

    /// Hands a request to one of the process's routes.
    pub(crate) fn call(&self, process: Handle, call: Call) {
        // Dropped when the process has gone: the client sees 503.
        self.urgent(process, System::Http(Box::new(call)));
    }

    /// Drops letters; whoever waits for an answer to one is told.
    pub(crate) fn refuse_all(&self, reason: DeadReason, id: &str, letters: &mut dyn AnyLane) {
        if letters.len() > 0 {
            letters.refuse_all(&error_of(reason), self, &mut |refused| {
                self.dead_here(reason, id, &refused.from, refused.message);
            });
        }
    }
}

/// The lane of a mailbox, if it takes messages of the protocol `P` and is not full.
#[inline]
fn lane_with_room<'a, P: Page>(
    mailbox: &'a mut Mailbox,
    here: Option<&Here>,
) -> Option<&'a mut Lane<P>> {
    let kind = mailbox.kind?;
    if mailbox.lane.is_none() && kind.protocol == TypeId::of::<P>() {
        give_lane(mailbox, here);
    }
    let capacity = kind.capacity as usize;
    let lane = lane::typed::<P>(&mut **mailbox.lane.as_mut()?)?;
    (lane.letters.len() < capacity).then_some(lane)
}

/// Gives the mailbox of a process that rested a lane: one that the worker has to spare, or a new one.
#[cold]
fn give_lane(mailbox: &mut Mailbox, here: Option<&Here>) {
    let Some(kind) = mailbox.kind else { return };
    let spare = here.and_then(|here| here.spares().take_lane(kind));
    mailbox.lane = Some(spare.unwrap_or_else(kind.lane));
}

fn undelivered<P: Page>(letter: Letter<P>, reason: DeadReason) -> Result<(), Box<Undelivered<P>>> {
    let room = None;
    Err(Box::new(Undelivered {
        letter,
        reason,
        room,
    }))
}

/// What an asker is told.
fn error_of(reason: DeadReason) -> AskError {
    match reason {
        DeadReason::MailboxFull | DeadReason::PeerBusy => AskError::Busy,
        DeadReason::NotAccepted => AskError::NotAccepted,
        DeadReason::Undecodable => AskError::Undecodable,
        DeadReason::TooLarge => AskError::TooLarge,
        DeadReason::Unreachable | DeadReason::Disconnected => AskError::Unreachable,
        DeadReason::NoProcess => AskError::NoProcess,
    }
}
