//! Ending: of one process, whoever wished it, and of the node.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Node;
use super::finding::ANONYMOUS;
use crate::dead::DeadReason;
use crate::lane::AnyLane;
use crate::letter::System;
use crate::link::ExitReason;
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
        let named = {
            let mut mailbox = slot.0.lock();
            let Some(upid) = mailbox.upid.as_ref().filter(|_| mailbox.alive) else {
                return;
            };
            let named = !upid.id().starts_with(ANONYMOUS);
            mailbox.alive = false;
            named
        };
        let orderly = !matches!(reason, ExitReason::Panicked(_));
        if !orderly {
            tracing::error!(upid = %self.upid_at(at), %reason, "process panicked");
        }
        let end = std::panic::AssertUnwindSafe(|| {
            let links = body.end(here, orderly);
            drop(body);
            links
        });
        // A process that panics while it ends has ended all the same; its links go with the slot.
        let links = std::panic::catch_unwind(end).unwrap_or_default();
        let (mut lane, waiting, upid) = {
            let mut mailbox = slot.0.lock();
            mailbox.scheduled = false;
            let waiting = std::mem::take(&mut mailbox.waiting);
            let noticed = named || mailbox.len() + rest.len() > 0 || !waiting.is_nobody();
            // Its address stays, for those who got letters from it; most that have no name go
            // unnoticed, and nobody else needs it.
            let upid = noticed.then(|| mailbox.upid.clone()).flatten();
            (mailbox.lane.take(), waiting, upid)
        };
        if let Some(upid) = upid {
            if named {
                self.0.names.lock().remove(&upid);
            }
            self.refuse_all(DeadReason::NoProcess, upid.id(), rest);
            if let Some(lane) = &mut lane {
                self.refuse_all(DeadReason::NoProcess, upid.id(), &mut **lane);
            }
            waiting.made_room();
            for watcher in waiting.into_watchers() {
                watcher.tell(self, &upid, &reason);
            }
        }
        for link in links {
            self.unlink(at, &link);
        }
        if named {
            self.0.table.lay_to_rest(at.index);
        } else if !here.spares().keep_slot(at.index) {
            self.0.table.give_back(at.index);
        }
        if let Some(lane) = lane {
            let rest = here.spares().keep_lane(lane);
            drop(rest);
        }
        if self.0.living.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }

    /// Lets the node go down gracefully: it takes no new processes under a
    /// name from now on, its processes handle
    /// what waits for them, and then it is [shut down](Node::shutdown).
    ///
    /// `within` bounds the time for what waits; letters that come from elsewhere meanwhile are
    /// handled as well, so a node that is always busy uses all of it.
    pub async fn drain(&self, within: Duration) {
        self.0.draining.send_replace(true);
        self.refuse_spawns();
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
        self.0.metrics.clear();
        self.0.down.send_replace(true);
        self.0.pool.rouse_all();
        for arbiter in self.0.arbiters.lock().drain(..) {
            arbiter.stop();
        }
    }

    /// Lets go of everything once the last worker has gone, by shutdown or in a crash: processes,
    /// what waits for them and for peers. All of that holds this node, and would keep it for ever.
    ///
    /// Nobody is told: what could be told lives here as well, or hears it from its connection.
    pub(crate) fn collapse(&self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.down.send_replace(true);
        for (_, slot) in self.0.table.slots() {
            let mut mailbox = slot.0.lock();
            mailbox.alive = false;
            mailbox.upid = None;
        }
        self.0.names.lock().clear();
        // Only what nobody can send to any more is dropped: whatever that calls finds nobody.
        for (_, slot) in self.0.table.slots() {
            let mut mailbox = slot.0.lock();
            let (body, lane, waiting) = (
                mailbox.body.take(),
                mailbox.lane.take(),
                std::mem::take(&mut mailbox.waiting),
            );
            drop(mailbox);
            drop((body, lane, waiting));
        }
        self.0.living.store(0, Ordering::SeqCst);
        self.0.emptied.notify_waiters();
        #[cfg(feature = "sim")]
        self.clear_filters();
        self.0.pool.clear();
        let peers = std::mem::take(&mut *self.0.peers.lock());
        drop(peers);
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::{Arc, Weak};

    use super::super::Inner;
    use super::*;
    use crate::prelude::*;
    use crate::sim;

    protocol! {
        /// What somebody accepts who makes everything that can hold a node.
        pub(crate) protocol Holding {
            message Hold { peer: Pid<Holding> };
            message Wait {} -> u64;
        }
    }

    #[derive(Default)]
    struct Holder {
        waiting: Vec<Answer<u64>>,
    }

    impl Actor for Holder {
        type Context = Context<Self>;
    }

    impl Process for Holder {
        type Protocol = Holding;
    }

    impl Handler<Hold> for Holder {
        type Result = ();
        fn handle(&mut self, Hold { peer }: Hold, ctx: &mut Context<Self>) {
            ctx.link(peer.upid());
            let asked = ctx.ask(&peer, Wait {});
            ctx.defer(asked, |_, _, _| {});
            let node = ctx.node().clone();
            ctx.after(Duration::from_secs(1_000_000), move |_, _| drop(node));
            let node = ctx.node().clone();
            ctx.defer(std::future::pending::<()>(), move |_, (), _| drop(node));
        }
    }

    impl Handler<Wait> for Holder {
        type Result = Later<u64>;
        fn handle(&mut self, _: Wait, _: &mut Context<Self>) -> Later<u64> {
            let (answer, later) = Later::new();
            self.waiting.push(answer);
            later
        }
    }

    impl Handler<Exited> for Holder {
        type Result = ();
        fn handle(&mut self, _: Exited, _: &mut Context<Self>) {}
    }

    #[test]
    fn a_node_that_crashed_or_whose_simulation_ended_is_freed() {
        let nodes: Rc<RefCell<Vec<Weak<Inner>>>> = Rc::default();
        let seen = nodes.clone();
        sim::run(1, async move |world| {
            for (host, other) in [("a", "b"), ("b", "a")] {
                let (seen, world_of_host) = (seen.clone(), world.clone());
                world.host(host, move |node| {
                    seen.borrow_mut().push(Arc::downgrade(&node.0));
                    let holder = node.spawn("holder", Holder::default());
                    for peer in [host, other] {
                        let peer = world_of_host.pid("holder", peer);
                        node.tell(&holder, Hold { peer });
                    }
                    std::future::pending()
                });
            }
            world.sleep(Duration::from_secs(1)).await;
            world.crash("a").await;
            assert!(seen.borrow()[0].upgrade().is_none(), "it crashed");
            world.sleep(Duration::from_secs(30)).await;
            world.bounce("a").await;
            world.sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(nodes.borrow().len(), 3);
        for (number, node) in nodes.borrow().iter().enumerate() {
            assert!(
                node.upgrade().is_none(),
                "node {number} is held by something"
            );
        }
    }

    #[test]
    fn a_node_that_was_shut_down_is_freed() {
        let ran = crate::run_alone(async {
            let (here, there) = (
                Node::bind("127.0.0.1:0").await?,
                Node::bind("127.0.0.1:0").await?,
            );
            let nodes = [Arc::downgrade(&here.0), Arc::downgrade(&there.0)];
            let (one, two) = (Holder::default(), Holder::default());
            let (one, two) = (here.spawn("one", one), there.spawn("two", two));
            here.tell(&one, Hold { peer: two.clone() });
            there.tell(&two, Hold { peer: one });
            let within = Duration::from_millis(20);
            let waiting = tokio::time::timeout(within, here.ask(&two, Wait {})).await;
            assert!(waiting.is_err(), "nobody answers");
            here.shutdown().await;
            there.shutdown().await;
            Ok(nodes)
        });
        for node in ran.expect("ports are free") {
            assert!(node.upgrade().is_none(), "something holds it");
        }
    }
}
