//! Members: the nodes of a cluster, as each of them sees it by gossip.
//!
//! A node joins through any seed, and then knows all members: each probes another every period, asks
//! others to probe one that does not answer, and tells the rest (SWIM, with suspicion). A member
//! that is cut off is [lost](MemberEvent::Lost) after five to ten periods; when it can be heard
//! again both sides find each other, by the seeds or because the lost are tried again.
//!
//! The view of one member follows that of another after a while, not at once: two nodes may disagree
//! on who is there. What needs agreement belongs into a replicated log.

mod chance;
mod codec;
#[cfg(test)]
mod codec_tests;
mod identity;
mod info;
mod process;
pub(crate) mod view;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix::Handler;

pub use info::{ENTRIES_MAX, INFO_MAX, MemberInfo, WORD_MAX};
pub use view::{Member, MemberEvent};

pub(crate) use codec::MEMBERS_MAX;

use crate::context::{Context, Local};
use crate::groups::{GROUPS, GroupsProcess};
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::supervisor::{ChildSpec, Shutdown, Supervising, Supervisor};
use process::{MEMBERS, MembersProcess};

/// The id of the supervisor of `members` and `groups`; no other process should take any of them.
const CLUSTER: &str = "cluster";
/// Most seeds of a node: each is tried until one answers.
pub const SEEDS_MAX: usize = 64;
/// Most processes of a node that are told of changes of the members, or of one group.
pub const SUBSCRIBERS_MAX: usize = 4096;
/// How often a member is probed, unless given.
const PERIOD: Duration = Duration::from_secs(1);
/// Shortest period.
const PERIOD_MIN: Duration = Duration::from_millis(50);

/// Why a node is in no cluster, or a process hears of none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// It is in one, or another process has the id `cluster`.
    #[error("the node is in a cluster already")]
    InCluster,
    /// It is in none.
    #[error("the node is in no cluster")]
    NotInCluster,
    /// The name, the role or the entries exceed a limit, or hold control characters.
    #[error("what the node says of itself exceeds a limit")]
    InvalidInfo,
    /// More than [`SEEDS_MAX`].
    #[error("more than {SEEDS_MAX} seeds")]
    TooManySeeds,
    /// More than [`SUBSCRIBERS_MAX`].
    #[error("more than {SUBSCRIBERS_MAX} processes want to hear of changes")]
    TooManySubscribers,
}

impl From<ClusterError> for io::Error {
    fn from(error: ClusterError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

/// How a node joins a cluster, for [`Node::cluster_with`].
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    seeds: Vec<SocketAddr>,
    info: MemberInfo,
    period: Duration,
}

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions {
            seeds: Vec::new(),
            info: MemberInfo::new(),
            period: PERIOD,
        }
    }
}

impl ClusterOptions {
    /// No seeds, nothing to say, a period of a second.
    #[must_use]
    pub fn new() -> ClusterOptions {
        ClusterOptions::default()
    }

    /// Nodes to join through, by the addresses they tell their peers; this node may be among them.
    /// At most [`SEEDS_MAX`].
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = SocketAddr>) -> ClusterOptions {
        self.seeds = seeds.into_iter().take(SEEDS_MAX + 1).collect();
        self
    }

    /// What the node says of itself.
    #[must_use]
    pub fn info(mut self, info: MemberInfo) -> ClusterOptions {
        self.info = info;
        self
    }

    /// How often each member probes another; the same on all nodes, a second unless given, 50 ms at
    /// least. A member that cannot be heard is lost after five to ten of them.
    #[must_use]
    pub fn period(mut self, period: Duration) -> ClusterOptions {
        self.period = period.max(PERIOD_MIN);
        self
    }
}

impl Node {
    /// Makes this node a member of a cluster, joined through any of `seeds`: they are tried until
    /// one answers, and again whenever this node is alone. Without seeds others join through this
    /// node.
    ///
    /// Each member probes another every period, has others probe one that does not answer, and tells
    /// the rest (SWIM, with suspicion). A member that cannot be heard is lost after five to ten
    /// periods of a second; when it can be heard again both sides find each other. Views follow each
    /// other after a while, not at once: what needs agreement belongs into a replicated log.
    ///
    /// ```
    /// use libproc::prelude::*;
    /// # fn main() -> std::io::Result<()> { libproc::run_alone(async {
    /// let first = Node::bind("127.0.0.1:0").await?;
    /// first.cluster([])?;
    /// let second = Node::builder()
    ///     .seeds([first.address()])
    ///     .member(libproc::MemberInfo::new().role("worker"))
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let members = first.members_when(|members| members.len() == 2).await;
    /// assert!(members.iter().any(|member| member.info.get_role() == "worker"));
    /// second.shutdown().await; // it leaves, and says so
    /// first.members_when(|members| members.len() == 1).await;
    /// first.shutdown().await;
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// [`ClusterError`] when it is in a cluster already, or there are too many seeds.
    pub fn cluster(&self, seeds: impl IntoIterator<Item = SocketAddr>) -> Result<(), ClusterError> {
        self.cluster_with(ClusterOptions::new().seeds(seeds))
    }

    /// [`cluster`](Node::cluster), with all there is to choose.
    ///
    /// # Errors
    /// [`ClusterError`] when it is in a cluster already, or an option exceeds a limit.
    pub fn cluster_with(&self, options: ClusterOptions) -> Result<(), ClusterError> {
        if options.seeds.len() > SEEDS_MAX {
            return Err(ClusterError::TooManySeeds);
        }
        if !options.info.is_valid() {
            return Err(ClusterError::InvalidInfo);
        }
        let node = self.clone();
        let members = move || MembersProcess::new(&node, options.clone());
        let supervisor = Supervisor::one_for_all()
            .child(ChildSpec::local(MEMBERS, members))
            .child(ChildSpec::local(GROUPS, GroupsProcess::new));
        self.try_spawn(CLUSTER, supervisor)
            .map(drop)
            .map_err(|_| ClusterError::InCluster)
    }

    /// Leaves the cluster: the others are told so, and nothing is in a group for them any more. A
    /// node that is [shut down](Node::shutdown) leaves on its own.
    pub async fn leave_cluster(&self) {
        let cluster = Upid::elsewhere(CLUSTER, self.address());
        // Refused when it is in none.
        let _ = self
            .ask(&Pid::<Supervising>::assume(cluster.clone()), Shutdown {})
            .await;
        self.exit_of(&cluster).await;
        self.cluster_state().books().said = None;
    }

    /// The members of the cluster as this node sees them, by address, itself included; none when it
    /// is in no cluster.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.cluster_state()
            .books()
            .view
            .members()
            .cloned()
            .collect()
    }

    /// Waits until the members are as `wanted` says.
    pub async fn members_when(&self, wanted: impl Fn(&[Member]) -> bool) -> Vec<Member> {
        let mut changes = self.cluster_state().changes();
        loop {
            changes.mark_unchanged();
            let members = self.members();
            // The sender lives in the node, which is held here.
            if wanted(&members) || changes.changed().await.is_err() {
                return members;
            }
        }
    }

    /// Says something else of this node to the other members from now on.
    ///
    /// # Errors
    /// [`ClusterError`] when it is in no cluster, or `info` exceeds a limit.
    pub fn set_member_info(&self, info: MemberInfo) -> Result<(), ClusterError> {
        if !info.is_valid() {
            return Err(ClusterError::InvalidInfo);
        }
        let at = self.named(MEMBERS).ok_or(ClusterError::NotInCluster)?;
        Local::<MembersProcess>::of(self.clone(), at).run(|members, ctx| members.say(info, ctx));
        Ok(())
    }
}

impl<A: Process + Handler<MemberEvent>> Context<A> {
    /// Tells this process of every member there is, this node included, and then of every change,
    /// until it exits.
    ///
    /// # Errors
    /// [`ClusterError::TooManySubscribers`].
    pub fn watch_members(&mut self) -> Result<(), ClusterError> {
        let (at, local) = (self.at(), self.local());
        let mut books = self.node().cluster_state().books();
        if !books.view.knows(at) && books.view.subscriber_count() >= SUBSCRIBERS_MAX {
            return Err(ClusterError::TooManySubscribers);
        }
        if books.keep(self.node(), at) {
            let notify = move |event| local.tell(event);
            books.view.subscribe(at, Box::new(notify));
        }
        Ok(())
    }

    /// Undoes [`watch_members`](Context::watch_members).
    pub fn unwatch_members(&mut self) {
        let at = self.at();
        let mut books = self.node().cluster_state().books();
        books.view.unsubscribe(at);
        books.release(self.node(), at);
    }
}
