//! Sending: a letter finds its mailbox, its peer, or an honest end.

use std::future::Future;

use tokio::sync::oneshot;

use super::{Node, Target};
use crate::ask::{AskError, unbox};
use crate::dead::DeadReason;
use crate::http::Call;
use crate::letter::{Asker, Letter, Parcel, ReplyTo};
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid};
use crate::protocol::{Accepts, Wire};
use crate::table::Handle;
use crate::transport;

impl Node {
    /// Sends `message` from outside any process: at most once.
    pub fn tell<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M) {
        self.post(None, to, message, None);
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
        self.post(None, to, message, Some(ReplyTo::new(Asker::Task(sender))));
        async move { unbox(answer.await.unwrap_or(Err(AskError::Lost))) }
    }

    pub(crate) fn post<P: Accepts<M>, M: Wire>(
        &self,
        from: Option<Upid>,
        to: &Pid<P>,
        message: M,
        reply: Option<ReplyTo>,
    ) {
        let upid = to.upid();
        if upid.address() != self.0.address {
            return transport::letter(self, from.as_ref(), upid, &message, reply);
        }
        let parcel = Box::new(Parcel { message, reply });
        let letter = Letter::Message {
            from,
            index: P::INDEX,
            parcel,
        };
        if let Err((letter, reason)) = self.post_here(upid, letter) {
            self.dead(reason, 1);
            refuse::<M>(letter, reason);
        }
    }

    /// Puts a message into the mailbox of the process at `upid` of this node.
    fn post_here(&self, upid: &Upid, letter: Letter) -> Result<(), (Letter, DeadReason)> {
        let mut letter = letter;
        if let Some(at) = upid.hint() {
            match self.push(at, Some(upid), letter) {
                Err((back, DeadReason::NoProcess)) => letter = back, // the hint may be old
                done => return done,
            }
        }
        let Some(at) = self.find(upid.id()) else {
            return Err((letter, DeadReason::NoProcess));
        };
        upid.remember(at);
        self.push(at, Some(upid), letter)
    }

    /// Puts a letter of the system itself into a mailbox, full or not; a stop goes to its front.
    pub(crate) fn urgent(&self, at: Handle, letter: Letter) {
        // To a process that has gone there is nothing left to say.
        let _ = self.push(at, None, letter);
    }

    /// Puts a letter into a mailbox; one addressed by a `upid` only if that is the process's, and
    /// there is room.
    fn push(
        &self,
        at: Handle,
        upid: Option<&Upid>,
        letter: Letter,
    ) -> Result<(), (Letter, DeadReason)> {
        let Some(slot) = self.0.table.slot(at.index) else {
            return Err((letter, DeadReason::NoProcess));
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            return Err((letter, DeadReason::NoProcess));
        }
        if let Some(upid) = upid {
            // A hint may be of another node that had this address: the id tells.
            if mailbox.upid.as_ref() != Some(upid) {
                return Err((letter, DeadReason::NoProcess));
            }
            if mailbox.queue.len() >= mailbox.capacity as usize {
                return Err((letter, DeadReason::MailboxFull));
            }
        }
        match letter {
            Letter::Stop(_) => mailbox.queue.push_front(letter),
            letter => mailbox.queue.push_back(letter),
        }
        if !mailbox.scheduled {
            mailbox.scheduled = true;
            drop(mailbox);
            self.schedule(at.index);
        }
        Ok(())
    }

    /// Puts letters from a peer into a mailbox; those that do not fit stay in `letters` when its
    /// process holds up the connection, and are dead otherwise.
    pub(crate) fn deliver(&self, target: &mut Target, letters: &mut Vec<Letter>) {
        let slot = target
            .at
            .and_then(|at| Some((at, self.0.table.slot(at.index)?)));
        let Some((at, slot)) = slot else {
            return self.refuse_all(DeadReason::NoProcess, letters.drain(..));
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            drop(mailbox);
            target.at = None;
            return self.refuse_all(DeadReason::NoProcess, letters.drain(..));
        }
        let overflow = mailbox.overflow;
        let room = (mailbox.capacity as usize).saturating_sub(mailbox.queue.len());
        let fit = match overflow {
            Overflow::Grow | Overflow::DropOldest => letters.len(),
            Overflow::Reject | Overflow::Block => room.min(letters.len()),
        };
        mailbox.queue.extend(letters.drain(..fit));
        let mut oldest = Vec::new();
        if overflow == Overflow::DropOldest {
            for _ in room..fit {
                let message = |letter: &Letter| matches!(letter, Letter::Message { .. });
                let place = mailbox.queue.iter().position(message);
                oldest.extend(place.and_then(|place| mailbox.queue.remove(place)));
            }
        }
        if !mailbox.scheduled && !mailbox.queue.is_empty() {
            mailbox.scheduled = true;
            drop(mailbox);
            self.schedule(at.index);
        } else {
            drop(mailbox);
        }
        self.refuse_all(DeadReason::MailboxFull, oldest.into_iter());
        if overflow != Overflow::Block {
            self.refuse_all(DeadReason::MailboxFull, letters.drain(..));
        }
    }

    /// Wakes a process whose timer is due.
    pub(crate) fn wake(&self, at: Handle) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            return;
        }
        if mailbox.scheduled {
            mailbox.woken = true;
            return;
        }
        mailbox.scheduled = true;
        drop(mailbox);
        self.schedule(at.index);
    }

    /// Hands a request to one of the process's routes.
    pub(crate) fn call(&self, process: Handle, call: Call) {
        // Dropped when the process has gone: the client sees 503.
        self.urgent(process, Letter::Http(Box::new(call)));
    }
}

/// Fails the ask of a letter that was not delivered with the reason, where its type is known.
fn refuse<M: Wire>(letter: Letter, reason: DeadReason) {
    let Letter::Message { parcel, .. } = letter else {
        return;
    };
    let Ok(parcel) = parcel.downcast::<Parcel<M>>() else {
        return;
    };
    if let Some(reply) = parcel.reply {
        reply.fail(match reason {
            DeadReason::MailboxFull => AskError::Busy,
            _ => AskError::NoProcess,
        });
    }
}
