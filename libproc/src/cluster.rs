//! What a node knows of the cluster it is in: its members, their groups, and who wants to hear of it.
//!
//! One lock for all of it, so that news and what they are about never disagree. It is taken before
//! that of a mailbox, never inside one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::groups::Groups;
use crate::link::Watcher;
use crate::members::MemberInfo;
use crate::members::view::View;
use crate::node::Node;
use crate::table::Handle;

/// The part of a node that is about other nodes.
pub(crate) struct Cluster {
    refuses_spawns: AtomicBool,
    books: Mutex<Books>,
    /// Counts changes of the members.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) view: View,
    pub(crate) groups: Groups,
    /// What this node says of itself since it was last told to say something else.
    pub(crate) said: Option<MemberInfo>,
    /// Where the last process was placed, in turn.
    pub(crate) placed: Option<SocketAddr>,
    /// Processes of this node that are in groups or want news, and are watched for it.
    kept: BTreeSet<Handle>,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            refuses_spawns: AtomicBool::new(false),
            books: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Cluster {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock()
    }

    pub(crate) fn refuse_spawns(&self) {
        self.refuses_spawns.store(true, Relaxed);
    }

    pub(crate) fn refuses_spawns(&self) -> bool {
        self.refuses_spawns.load(Relaxed)
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Books {
    /// Sees to it that what is kept for the process at `at` goes with it; false when it has gone.
    pub(crate) fn keep(&mut self, node: &Node, at: Handle) -> bool {
        if self.kept.contains(&at) {
            return true;
        }
        let lives = node.watch_living(at, Watcher::Keeper(at)).is_ok();
        if lives {
            self.kept.insert(at);
        }
        lives
    }

    /// Watches no longer a process for which nothing is kept.
    pub(crate) fn release(&mut self, node: &Node, at: Handle) {
        if !self.groups.knows(at) && !self.view.knows(at) && self.kept.remove(&at) {
            node.unwatch(at, |watcher| matches!(watcher, Watcher::Keeper(_)));
        }
    }
}

impl Node {
    /// The process at `at` has gone: so does what was kept for it.
    pub(crate) fn forget_process(&self, at: Handle) {
        let mut books = self.cluster_state().books();
        books.kept.remove(&at);
        books.view.unsubscribe(at);
        books.groups.forget(at, self.address());
    }
}
