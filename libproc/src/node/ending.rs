//! Ending: of one process, whoever wished it, and of the node.

use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Node;
use super::finding::ANONYMOUS;
use crate::dead::DeadReason;
use crate::lane::AnyLane;
use crate::letter::System;
use crate::link::{ExitReason, Watcher};
use crate::pid::Upid;
use crate::process::Run;
use crate::table::{Handle, Slot};
use crate::worker::Here;

/// Longest time [`Node::shutdown`] waits for processes to end, and then for bytes to leave.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// First pause between two looks whether a draining node still has work.
const DRAIN_LOOK: Duration = Duration::from_millis(1);

impl Node {
    /// Makes the process at `upid` stop before it handles anything else; a remote one is left alone.
    pub fn terminate(&self, upid: &Upid) {
        if let Some(at) = self.locate(upid) {
            self.urgent(at, System::Stop(Box::new(ExitReason::Stopped)));
        }
    }

    /// Waits until the process at `upid` of this node has gone.
    pub fn exit_of(
        &self,
        upid: &Upid,
    ) -> impl Future<Output = ExitReason> + Send + 'static + use<> {
        let (sender, exited) = oneshot::channel();
        match self.locate(upid) {
            Some(at) => self.watch(at, Watcher::Task(sender)),
            None => Watcher::Task(sender).tell(self, upid, &ExitReason::NoProcess),
        }
        async move { exited.await.unwrap_or(ExitReason::NoProcess) }
    }

    /// Buries a process: nobody finds it any more, and everybody who waits for it is told.
    pub(crate) fn bury(
        &self,
        at: Handle,
        mut body: Box<dyn Run>,
        here: &Rc<Here>,
        rest: &mut dyn AnyLane,
        reason: ExitReason,
    ) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let upid = {
            let mut mailbox = slot.0.lock();
            // Its address stays, for those who got letters from it.
            std::mem::take(&mut mailbox.alive).then(|| mailbox.upid.clone())
        };
        let Some(upid) = upid.flatten() else { return };
        let orderly = !matches!(reason, ExitReason::Panicked(_));
        if !orderly {
            tracing::error!(%upid, %reason, "process panicked");
        }
        let end = std::panic::AssertUnwindSafe(|| {
            let links = body.end(here, orderly);
            drop(body);
            links
        });
        // A process that panics while it ends has ended all the same; its links go with the slot.
        let links = std::panic::catch_unwind(end).unwrap_or_default();
        let named = !upid.id().starts_with(ANONYMOUS);
        if named {
            self.0.names.lock().remove(&upid);
        }
        let (lane, waiting) = {
            let mut mailbox = slot.0.lock();
            mailbox.scheduled = false;
            (mailbox.lane.take(), mailbox.waiting.take())
        };
        self.refuse_all(DeadReason::NoProcess, upid.id(), rest);
        if let Some(mut lane) = lane {
            self.refuse_all(DeadReason::NoProcess, upid.id(), &mut *lane);
        }
        if let Some(waiting) = waiting {
            waiting.room.made();
            for watcher in waiting.watchers {
                watcher.tell(self, &upid, &reason);
            }
        }
        for link in links {
            self.unlink(at, &link);
        }
        if named {
            self.0.table.lay_to_rest(at.index);
        } else {
            self.0.table.give_back(at.index);
        }
        if self.0.living.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }

    /// Lets the node go down gracefully: it takes no new processes from now on, its processes handle
    /// what waits for them, and then it is [shut down](Node::shutdown).
    ///
    /// `within` bounds the time for what waits; letters that come from elsewhere meanwhile are
    /// handled as well, so a node that is always busy uses all of it.
    pub async fn drain(&self, within: Duration) {
        self.0.draining.send_replace(true);
        let handled = async {
            let mut look = DRAIN_LOOK;
            while self.is_at_work() {
                tokio::time::sleep(look).await;
                look = (2 * look).min(32 * DRAIN_LOOK);
            }
        };
        if tokio::time::timeout(within, handled).await.is_err() {
            tracing::warn!("the node goes down with letters that were not handled");
        }
        self.shutdown().await;
    }

    /// Whether the node takes no new processes any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    fn is_at_work(&self) -> bool {
        let at_work = |(_, slot): (u32, &Slot)| {
            let mailbox = slot.0.lock();
            mailbox.alive && (mailbox.scheduled || mailbox.len() > 0)
        };
        self.0.table.slots().any(at_work)
    }

    /// Stops every process, sends what still waits to be sent, closes port and connections.
    ///
    /// Takes a few seconds at most, whatever processes and peers do.
    pub async fn shutdown(&self) {
        let emptied = self.0.emptied.notified();
        for (index, slot) in self.0.table.slots() {
            let mailbox = slot.0.lock();
            let at = Handle {
                index,
                generation: mailbox.generation,
            };
            let alive = mailbox.alive;
            drop(mailbox);
            if alive {
                self.urgent(at, System::Stop(Box::new(ExitReason::Stopped)));
            }
        }
        if self.process_count() > 0 {
            // What does not end in time is left where it is: the node goes down around it.
            let _ = tokio::time::timeout(SHUTDOWN, emptied).await;
        }
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        let flushed = async {
            while !peers.iter().all(|peer| peer.is_flushed()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN / 5, flushed).await;
        self.0.over.store(true, Ordering::SeqCst);
        self.0.down.send_replace(true);
        self.0.pool.rouse_all();
        for arbiter in self.0.arbiters.lock().drain(..) {
            arbiter.stop();
        }
    }
}
