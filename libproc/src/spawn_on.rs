//! Spawning on another node: by kinds that it offers, with arguments that travel.
//!
//! From outside any process [`Node::spawn_on`] starts a process that lives on its own; from inside
//! one [`Context::spawn_on`] starts it linked, in the same step: however early it ends, its
//! [`Exited`] comes, once and with its reason.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use actix::Handler;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ask::{AskError, Deferred};
use crate::context::Context;
use crate::link::{Exited, Watcher};
use crate::node::{Node, SpawnError};
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::supervisor::stopper::{self, Stopper};
use crate::system::{self, Spawn, Systemic};
use crate::tie::{Owner, Tie};
use crate::worker::panic_text;

/// Wait for the `Exited` of a process that is known to have gone.
const ACCEPT_AGAIN: Duration = Duration::from_millis(1);

/// A process that other nodes may spawn, where [`Node::offer`] says so.
pub trait Spawnable: Process + Send {
    /// What it is called between nodes; the same on both.
    const KIND: &'static str;
    /// What it is made from.
    type Args: Serialize + DeserializeOwned + Send + 'static;
    /// Makes it. A panic fails the spawn with [`SpawnOnError::Crashed`].
    fn from_args(args: Self::Args) -> Self;
}

/// Why a process was not spawned on another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnOnError {
    /// The node offers no such kind.
    #[error("the node offers no processes of the kind `{0}`")]
    UnknownKind(String),
    /// A living process of the node has that id.
    #[error("a process with the id `{0}` lives on the node")]
    IdTaken(String),
    /// The text cannot be an id.
    #[error("`{0}` cannot be the id of a process")]
    InvalidId(String),
    /// The arguments do not decode as the kind's.
    #[error("the arguments are not those of the kind `{0}`")]
    BadArgs(String),
    /// Making the process panicked with this text.
    #[error("making the process panicked: {0}")]
    Crashed(String),
    /// The node starts no more processes for others: it drains or goes down.
    #[error("the node takes no more processes")]
    Draining,
    /// No member of the cluster is fit to be chosen.
    #[error("no member of the cluster can take the process")]
    NoMember,
    /// The node was not reached, or did not answer in time. After a
    /// [timeout](AskError::Timeout), or when the connection broke, the process may have been
    /// started all the same.
    #[error("the node did not answer")]
    Node(#[source] AskError),
}

impl From<SpawnError> for SpawnOnError {
    fn from(error: SpawnError) -> SpawnOnError {
        match error {
            SpawnError::IdTaken(id) => SpawnOnError::IdTaken(id),
            SpawnError::InvalidId(id) => SpawnOnError::InvalidId(id),
            SpawnError::Draining => SpawnOnError::Draining,
        }
    }
}

/// How a node makes a process of one kind, with somebody who is told when it exits; and how that is
/// asked to stop.
pub(crate) type Factory =
    fn(&Node, &str, &[u8], Option<Watcher>) -> Result<(Upid, Stopper), SpawnOnError>;

fn make<A: Spawnable>(
    node: &Node,
    id: &str,
    args: &[u8],
    watcher: Option<Watcher>,
) -> Result<(Upid, Stopper), SpawnOnError> {
    let bad = |_| SpawnOnError::BadArgs(A::KIND.to_owned());
    let args: A::Args = rmp_serde::from_slice(args).map_err(bad)?;
    let made = catch_unwind(AssertUnwindSafe(|| A::from_args(args)));
    let actor = made.map_err(|panic| SpawnOnError::Crashed(panic_text(&*panic)))?;
    let pid = match watcher {
        Some(watcher) => node.spawn_watched(id, actor, watcher)?,
        None => node.try_spawn(id, actor)?,
    };
    Ok((pid.upid().clone(), stopper::of::<A>()))
}

pub(crate) fn encode<A: Spawnable>(args: &A::Args) -> Result<Vec<u8>, SpawnOnError> {
    rmp_serde::to_vec_named(args).map_err(|_| SpawnOnError::BadArgs(A::KIND.to_owned()))
}

impl Node {
    /// Lets other nodes spawn processes of the kind `A` here.
    pub fn offer<A: Spawnable>(&self) {
        self.kinds().lock().insert(A::KIND, make::<A>);
    }

    /// Starts an `A` made from `args` as the process `id` of the node at `address`, which may be
    /// this one.
    ///
    /// # Errors
    /// [`SpawnOnError`]: the node cannot be reached, does not [offer](Node::offer) the kind, or
    /// does not take the id or the arguments.
    pub async fn spawn_on<A: Spawnable>(
        &self,
        address: SocketAddr,
        id: &str,
        args: A::Args,
    ) -> Result<Pid<A::Protocol>, SpawnOnError> {
        let spawn = Spawn {
            kind: A::KIND.to_owned(),
            id: id.to_owned(),
            args: encode::<A>(&args)?,
            tie: None,
            bound: false,
        };
        let system: Pid<Systemic> = system::at(address);
        let spawned = self.ask(&system, spawn).await;
        spawned.map_err(SpawnOnError::Node)?.map(Pid::assume)
    }

    /// [`spawn_on`](Node::spawn_on) that fails with [`AskError::Timeout`] when the node has not
    /// answered `within`; it may start the process all the same.
    ///
    /// # Errors
    /// [`SpawnOnError`].
    pub async fn spawn_on_within<A: Spawnable>(
        &self,
        address: SocketAddr,
        id: &str,
        args: A::Args,
        within: Duration,
    ) -> Result<Pid<A::Protocol>, SpawnOnError> {
        let spawned = tokio::time::timeout(within, self.spawn_on::<A>(address, id, args)).await;
        spawned.unwrap_or(Err(SpawnOnError::Node(AskError::Timeout)))
    }
}

impl<A: Process + Handler<Exited>> Context<A> {
    /// Starts a `K` made from `args` as the process `id` of the node at `address`, linked in the
    /// same step: hand it to [`defer`](Context::defer).
    ///
    /// When the deferred continuation is given the process's address, exactly one [`Exited`] of it
    /// follows, also when it ended at once: with the reason it ended for, or
    /// [`Disconnected`](crate::ExitReason::Disconnected) when its node is lost.
    ///
    /// ```
    /// use libproc::prelude::*;
    /// # protocol! { /// Nothing.
    /// # pub protocol Idle {} }
    /// # struct Worker;
    /// # impl Actor for Worker { type Context = Context<Self>; }
    /// # impl Process for Worker { type Protocol = Idle; }
    /// # impl Spawnable for Worker {
    /// #     const KIND: &'static str = "worker";
    /// #     type Args = ();
    /// #     fn from_args((): ()) -> Worker { Worker }
    /// # }
    /// struct Boss { at: std::net::SocketAddr, worker: Option<Pid<Idle>> }
    ///
    /// impl Actor for Boss {
    ///     type Context = Context<Self>;
    ///     fn started(&mut self, ctx: &mut Context<Self>) {
    ///         let spawned = ctx.spawn_on::<Worker>(self.at, "worker", ());
    ///         ctx.defer(spawned, |boss, worker, _| boss.worker = worker.ok());
    ///     }
    /// }
    /// # impl Process for Boss { type Protocol = Idle; }
    /// impl Handler<Exited> for Boss {
    ///     type Result = ();
    ///     fn handle(&mut self, _: Exited, _: &mut Context<Self>) { self.worker = None; }
    /// }
    /// ```
    pub fn spawn_on<K: Spawnable>(
        &mut self,
        address: SocketAddr,
        id: &str,
        args: K::Args,
    ) -> SpawnedOn<K> {
        let spawn = encode::<K>(&args).map(|args| Spawn {
            kind: K::KIND.to_owned(),
            id: id.to_owned(),
            args,
            tie: None,
            bound: false,
        });
        SpawnedOn {
            address,
            spawn,
            within: None,
            of: PhantomData,
        }
    }
}

/// A linked spawn on another node, made by [`Context::spawn_on`]; begins when it is handed to
/// [`Context::defer`].
#[must_use = "hand it to `defer`"]
pub struct SpawnedOn<K> {
    address: SocketAddr,
    spawn: Result<Spawn, SpawnOnError>,
    within: Option<Duration>,
    of: PhantomData<fn() -> K>,
}

impl<K> SpawnedOn<K> {
    /// Fails with [`AskError::Timeout`] when no answer came `within`; a process that was started
    /// all the same is stopped as soon as that is known.
    pub fn within(mut self, within: Duration) -> SpawnedOn<K> {
        self.within = Some(within);
        self
    }
}

impl<A: Process + Handler<Exited>, K: Spawnable> Deferred<A> for SpawnedOn<K> {
    type Output = Result<Pid<K::Protocol>, SpawnOnError>;
    fn attach(
        self,
        ctx: &mut Context<A>,
        then: impl FnOnce(&mut A, Self::Output, &mut Context<A>) + Send + 'static,
    ) {
        let local = ctx.local();
        let then = move |actor: &mut A, spawned: Result<Upid, _>, ctx: &mut Context<A>| {
            then(actor, spawned.map(Pid::assume), ctx);
        };
        let report = move |spawned: Result<Upid, SpawnOnError>| {
            local.run(move |actor, ctx| accept(actor, spawned, ctx, then));
        };
        let spawn = match self.spawn {
            Ok(spawn) => spawn,
            Err(error) => return report(Err(error)),
        };
        let owner = Owner {
            at: ctx.at(),
            upid: ctx.upid().clone(),
            report: Some(Box::new(report)),
        };
        Tie::start(ctx.node(), owner, self.address, spawn, self.within);
    }
}

/// Runs `then` with the process expected to exit: not before one with its address, which had gone
/// before, was heard to have.
fn accept<A: Process + Handler<Exited>>(
    actor: &mut A,
    spawned: Result<Upid, SpawnOnError>,
    ctx: &mut Context<A>,
    then: impl FnOnce(&mut A, Result<Upid, SpawnOnError>, &mut Context<A>) + Send + 'static,
) {
    if let Ok(child) = &spawned
        && !ctx.adopt(child)
    {
        ctx.after(ACCEPT_AGAIN, |actor, ctx| {
            accept(actor, spawned, ctx, then);
        });
        return;
    }
    then(actor, spawned, ctx);
}
