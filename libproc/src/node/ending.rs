//! Ending: of one process, whoever wished it, and of the node.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Node;
use crate::dead::DeadReason;
use crate::letter::Letter;
use crate::link::ExitReason;
use crate::pid::Upid;
use crate::process::Run;
use crate::table::Handle;

/// Longest time [`Node::shutdown`] waits for processes to end, and then for bytes to leave.
const SHUTDOWN: Duration = Duration::from_secs(5);

impl Node {
    /// Makes the process at `upid` stop before it handles anything else; a remote one is left alone.
    pub fn terminate(&self, upid: &Upid) {
        if let Some(at) = self.locate(upid) {
            self.urgent(at, Letter::Stop(ExitReason::Stopped));
        }
    }

    /// Buries a process: nobody finds it any more, and everybody who waits for it is told.
    pub(crate) fn bury(
        &self,
        at: Handle,
        mut body: Box<dyn Run>,
        rest: impl Iterator<Item = Letter>,
        reason: ExitReason,
    ) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let upid = {
            let mut mailbox = slot.0.lock();
            mailbox.alive = false;
            mailbox.upid.take()
        };
        let Some(upid) = upid else { return };
        let orderly = !matches!(reason, ExitReason::Panicked(_));
        if !orderly {
            tracing::error!(%upid, %reason, "process panicked");
        }
        let end = std::panic::AssertUnwindSafe(|| {
            let links = body.end(orderly);
            drop(body);
            links
        });
        // A process that panics while it ends has ended all the same; its links go with the slot.
        let links = std::panic::catch_unwind(end).unwrap_or_default();
        {
            let mut names = self.0.names.lock();
            if names.get(upid.id()) == Some(&at) {
                names.remove(upid.id());
            }
        }
        let (queue, watchers) = {
            let mut mailbox = slot.0.lock();
            mailbox.scheduled = false;
            mailbox.woken = false;
            (
                std::mem::take(&mut mailbox.queue),
                std::mem::take(&mut mailbox.watchers),
            )
        };
        self.refuse_all(DeadReason::NoProcess, rest.chain(queue));
        for watcher in watchers {
            watcher.tell(self, &upid, &reason);
        }
        for link in links {
            self.unlink(at, &link);
        }
        self.0.table.give_back(at.index);
        if self.0.living.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }

    /// Stops every process, sends what still waits to be sent, closes port and connections.
    ///
    /// Takes a few seconds at most, whatever processes and peers do.
    pub async fn shutdown(&self) {
        self.refuse_spawns();
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
                self.urgent(at, Letter::Stop(ExitReason::Stopped));
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
