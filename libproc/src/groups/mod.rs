//! Groups: processes of any node of the cluster, found by the name of what they do.
//!
//! Each node says who of its own processes is in which group; the others follow it. A process that
//! exits is in no group any more, and so is everyone on a node that is lost, or that this node cannot
//! reach. What one node sees follows what another does by a message's way, or by the time it takes to
//! notice that it cannot be heard.

mod books;
mod process;

use std::sync::Arc;

use actix::Handler;

pub use books::GroupEvent;

pub(crate) use books::Groups;
pub(crate) use process::{GROUPS, GroupsProcess};

use crate::context::Context;
use crate::members::SUBSCRIBERS_MAX;
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::process::Process;

/// Longest name of a group, in bytes.
pub const GROUP_NAME_MAX: usize = 255;
/// Most places in groups that the processes of one node take: all of them fit into one message.
pub const ENTRIES_MAX: usize = 10_000;

/// Why a process is in no group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The name is empty, longer than [`GROUP_NAME_MAX`] or holds control characters.
    #[error("`{0}` cannot be the name of a group")]
    InvalidName(String),
    /// The process lives on another node: that one's business.
    #[error("the process lives on another node")]
    NotHere,
    /// Nobody lives at the address.
    #[error("no such process")]
    NoProcess,
    /// [`ENTRIES_MAX`] places are taken, or as many processes as may listen to a group.
    #[error("too many processes are in groups, or listen to this one")]
    TooMany,
}

pub(crate) fn valid_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= GROUP_NAME_MAX && !name.contains(char::is_control)
}

fn checked(name: &str) -> Result<Arc<str>, GroupError> {
    if valid_name(name) {
        return Ok(name.into());
    }
    Err(GroupError::InvalidName(
        name.chars().take(GROUP_NAME_MAX).collect(),
    ))
}

impl Node {
    /// Puts a process of this node into a group, until it [leaves](Node::leave) or exits. In the
    /// group already, it stays there.
    ///
    /// The other members of the [cluster](Node::cluster) hear of it by a message's way, and keep it
    /// there until it is gone or they cannot reach this node. A node in no cluster has groups of its
    /// own.
    ///
    /// ```
    /// use libproc::prelude::*;
    /// # protocol! { /// Nothing.
    /// # pub protocol Working {} }
    /// # struct Worker;
    /// # impl Actor for Worker { type Context = Context<Self>; }
    /// # impl Process for Worker { type Protocol = Working; }
    /// # fn main() -> std::io::Result<()> { libproc::run_alone(async {
    /// let node = Node::bind("127.0.0.1:0").await?;
    /// let worker = node.spawn("worker", Worker);
    /// node.join("workers", worker.upid()).expect("it lives here");
    /// assert_eq!(node.group::<Working>("workers"), [worker.clone()]);
    /// node.terminate(worker.upid());
    /// node.exit_of(worker.upid()).await;
    /// assert_eq!(node.group::<Working>("workers"), []);
    /// node.shutdown().await;
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn join(&self, group: &str, upid: &Upid) -> Result<(), GroupError> {
        let group = checked(group)?;
        if upid.address() != self.address() {
            return Err(GroupError::NotHere);
        }
        let at = self.locate(upid).ok_or(GroupError::NoProcess)?;
        let mut books = self.cluster_state().books();
        let entry = (group, upid.id().into());
        if !books.groups.has_local(&entry) && books.groups.local_count() >= ENTRIES_MAX {
            return Err(GroupError::TooMany);
        }
        if !books.keep(self, at) {
            return Err(GroupError::NoProcess);
        }
        books.groups.join(entry, at, self.address());
        Ok(())
    }

    /// Takes a process of this node out of a group, if it is in it.
    pub fn leave(&self, group: &str, upid: &Upid) {
        let Some(at) = self.locate(upid) else {
            return; // it is in no group any more
        };
        let mut books = self.cluster_state().books();
        let entry = (group.into(), upid.id().into());
        books.groups.leave(&entry, at, self.address());
        books.release(self, at);
    }

    /// Everyone in a group as this node sees it, by address and id, claiming that they speak `P`.
    #[must_use]
    pub fn group<P>(&self, name: &str) -> Vec<Pid<P>> {
        let books = self.cluster_state().books();
        let members = books.groups.members(name, self.address());
        members.into_iter().map(Pid::assume).collect()
    }
}

impl<A: Process + Handler<GroupEvent>> Context<A> {
    /// Tells this process of everyone in a group, and then of every change, until it exits.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn watch_group(&mut self, name: &str) -> Result<(), GroupError> {
        let group = checked(name)?;
        let (at, local) = (self.at(), self.local());
        let mut books = self.node().cluster_state().books();
        if books.groups.subscriber_count(name) >= SUBSCRIBERS_MAX {
            return Err(GroupError::TooMany);
        }
        if books.keep(self.node(), at) {
            let notify = Box::new(move |event| local.tell(event));
            let own = self.node().address();
            books.groups.subscribe(group, at, notify, own);
        }
        Ok(())
    }

    /// Undoes [`watch_group`](Context::watch_group).
    pub fn unwatch_group(&mut self, name: &str) {
        let at = self.at();
        let mut books = self.node().cluster_state().books();
        books.groups.unsubscribe(name, at);
        books.release(self.node(), at);
    }
}
