//! Supervision: processes that are started in order, watched, and started again when they end.
//!
//! A supervisor is a process like any other, so supervisors form trees. Its children live on its own
//! node or on others, and keep their ids: an address stays good over a restart.

mod process;
mod spec;
pub(crate) mod stopper;
mod tree;
#[cfg(test)]
mod tree_tests;

use std::time::Duration;

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

pub use spec::{Backoff, ChildSpec, Restart};

use crate::env;
use crate::link::ExitReason;
use crate::pid::Upid;
use crate::reply::Answer;
use process::Kept;
use tree::{Limit, Strategy, Tree};

/// Most children of one supervisor.
pub const CHILDREN_MAX: usize = 4096;
/// Restarts within [`WITHIN`] that are not too many, unless given.
const RESTARTS: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);

crate::protocol! {
    /// What a [`Supervisor`] accepts.
    pub protocol Supervising {
        /// Its children, in the order they are started in.
        message Children {} -> Vec<ChildStatus>;
        /// Stops a child, until it is started by hand; false when there is none of that id. It
        /// may still run when the answer comes.
        message StopChild { id: String } -> bool;
        /// Starts a child that was stopped by hand, or has ended for good; false when there is none
        /// of that id.
        message StartChild { id: String } -> bool;
        /// Stops all children in reverse order, and then the supervisor itself; answered when that
        /// is done.
        message Shutdown {} -> ();
    }
}

/// A child as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStatus {
    /// Its id, on whatever node it lives.
    pub id: String,
    /// Where it lives, while it does.
    pub upid: Option<Upid>,
    /// What it does.
    pub state: ChildState,
    /// How often it had to be started again.
    pub restarts: u64,
    /// How it ended last.
    pub last_exit: Option<ExitReason>,
    /// Why it could not be started, when it was tried last.
    pub last_error: Option<String>,
}

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildState {
    /// It is to be started, after a while or after those before it.
    Waiting,
    /// It is being started.
    Starting,
    /// It lives.
    Running,
    /// It was asked to stop.
    Stopping,
    /// It is not started again, unless by hand.
    Stopped,
}

/// A process that starts others, and starts them again when they end.
///
/// Children are started in the order they were added in, each after the one before it, and stopped
/// in reverse. A child that panics, [fails](crate::Context::fail) or is lost with its node is
/// started again after a [wait](Backoff) that grows; when there were too many restarts in a while the
/// supervisor stops its children and ends itself, as [`Failed`](ExitReason::Failed), for its own
/// links to hear.
///
/// A child on another node stops when that node can no longer hear the supervisor's. So when its
/// node is lost, a child that may be placed elsewhere is started there after twice the
/// [silence](crate::NodeBuilder::silence) of this node, when the one that was lost has stopped, given
/// that its node keeps the same silence and none of its handlers blocks. That a node is not reached
/// counts as no restart.
///
/// Told to stop by [`stop`](actix::ActorContext::stop) or [`Shutdown`] it stops its children first,
/// each within its grace; terminated, it stops them all at once.
///
/// ```
/// use libproc::prelude::*;
/// use libproc::{Children, ChildSpec, ChildState, Restart, Supervisor};
/// # protocol! { /// Works, or does not.
/// # pub protocol Working { message Fail {}; } }
/// # #[derive(Default)] struct Worker;
/// # impl Actor for Worker { type Context = Context<Self>; }
/// # impl Process for Worker { type Protocol = Working; }
/// # impl Handler<Fail> for Worker {
/// #     type Result = ();
/// #     fn handle(&mut self, _: Fail, ctx: &mut Context<Self>) { ctx.fail("as told") }
/// # }
/// # fn main() -> std::io::Result<()> { libproc::run_alone(async {
/// let node = Node::bind("127.0.0.1:0").await?;
/// let supervisor = Supervisor::rest_for_one()
///     .child(ChildSpec::local("store", Worker::default))
///     .child(ChildSpec::local("worker", Worker::default).restart(Restart::Transient));
/// let supervisor = node.spawn("supervisor", supervisor);
/// // They are started in order; a failure of `store` takes `worker` along.
/// let children = loop {
///     let children = node.ask(&supervisor, Children {}).await.expect("it lives");
///     if children.iter().all(|child| child.state == ChildState::Running) {
///         break children;
///     }
/// };
/// let store: Pid<Working> = Pid::assume(children[0].upid.clone().expect("it runs"));
/// node.tell(&store, Fail {});
/// # node.ask(&supervisor, libproc::Shutdown {}).await.expect("it stops");
/// # node.shutdown().await;
/// # Ok(()) }) }
/// ```
pub struct Supervisor {
    tree: Tree,
    children: Vec<Kept>,
    waiting: Vec<Answer<()>>,
    chance: StdRng,
}

impl Supervisor {
    fn new(strategy: Strategy) -> Supervisor {
        let limit = Limit {
            restarts: RESTARTS,
            within: WITHIN,
        };
        Supervisor {
            tree: Tree::new(strategy, limit),
            children: Vec::new(),
            waiting: Vec::new(),
            chance: env::rng(),
        }
    }

    /// Starts a child that ended again, and no other.
    #[must_use]
    pub fn one_for_one() -> Supervisor {
        Supervisor::new(Strategy::One)
    }

    /// When a child is started again, stops all others and starts them again too.
    #[must_use]
    pub fn one_for_all() -> Supervisor {
        Supervisor::new(Strategy::All)
    }

    /// When a child is started again, stops those that were added after it and starts them again
    /// too.
    #[must_use]
    pub fn rest_for_one() -> Supervisor {
        Supervisor::new(Strategy::Rest)
    }

    /// How many restarts there may be `within` a time before it gives up; 10 in a minute unless
    /// given.
    #[must_use]
    pub fn limit(mut self, restarts: u32, within: Duration) -> Supervisor {
        self.tree.set_limit(Limit { restarts, within });
        self
    }

    /// Adds a child, to be started after those that were added before.
    ///
    /// # Panics
    /// When a child has that id already, or there are [`CHILDREN_MAX`].
    #[must_use]
    pub fn child(mut self, spec: ChildSpec) -> Supervisor {
        assert!(
            self.children.len() < CHILDREN_MAX,
            "more than {CHILDREN_MAX} children"
        );
        assert!(
            self.children.iter().all(|child| child.spec.id != spec.id),
            "two children with the id `{}`",
            spec.id
        );
        self.tree.add(spec.restart, spec.backoff);
        self.children.push(Kept::new(spec));
        self
    }
}
