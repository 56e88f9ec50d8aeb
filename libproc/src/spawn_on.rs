//! Spawning on another node: by kinds that it offers, with arguments that travel.

use std::net::SocketAddr;

use actix::{Actor, Handler};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ask::AskError;
use crate::context::Context;
use crate::node::{Node, SpawnError};
use crate::pid::{Pid, Upid};
use crate::process::Process;

/// The id of the process that spawns for other nodes.
const SPAWNER: &str = "spawner";

/// A process that other nodes may spawn, where [`Node::offer`] says so.
pub trait Spawnable: Process {
    /// What it is called between nodes; the same on both.
    const KIND: &'static str;
    /// What it is made from.
    type Args: Serialize + DeserializeOwned + Send + 'static;
    /// Makes it.
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
    /// The node was not reached, or offers nothing.
    #[error("the node did not answer")]
    Node(#[source] AskError),
}

impl From<SpawnError> for SpawnOnError {
    fn from(error: SpawnError) -> SpawnOnError {
        match error {
            SpawnError::IdTaken(id) => SpawnOnError::IdTaken(id),
            SpawnError::InvalidId(id) => SpawnOnError::InvalidId(id),
        }
    }
}

/// How a node makes a process of one kind.
pub(crate) type Factory = fn(&Node, &str, &[u8]) -> Result<Upid, SpawnOnError>;

crate::protocol! {
    /// What a spawner accepts.
    pub(crate) protocol Spawning {
        /// Spawn a process of this kind under this id.
        message Spawn {
            kind: String,
            id: String,
            #[serde(with = "serde_bytes")]
            args: Vec<u8>,
        } -> Result<Upid, SpawnOnError>;
    }
}

impl Node {
    /// Lets other nodes spawn processes of the kind `A` here.
    pub fn offer<A: Spawnable>(&self) {
        let factory: Factory = |node, id, args| {
            let bad = |_| SpawnOnError::BadArgs(A::KIND.to_owned());
            let args = crate::body::decode(args).map_err(bad)?;
            Ok(node.try_spawn(id, A::from_args(args))?.upid().clone())
        };
        self.kinds().lock().insert(A::KIND, factory);
        // It is there already when another kind was offered before.
        let _ = self.try_spawn(SPAWNER, Spawner);
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
        let upid = Upid::resolved(SPAWNER.into(), address, None);
        let bad = |_| SpawnOnError::BadArgs(A::KIND.to_owned());
        let spawn = Spawn {
            kind: A::KIND.to_owned(),
            id: id.to_owned(),
            args: rmp_serde::to_vec_named(&args).map_err(bad)?,
        };
        let asked = self.ask(&Pid::<Spawning>::assume(upid), spawn);
        let spawned = asked.await.map_err(SpawnOnError::Node)?;
        spawned.map(Pid::assume)
    }
}

/// Spawns for other nodes.
struct Spawner;

impl Actor for Spawner {
    type Context = Context<Self>;
}

impl Process for Spawner {
    type Protocol = Spawning;
}

impl Handler<Spawn> for Spawner {
    type Result = Result<Upid, SpawnOnError>;
    fn handle(&mut self, message: Spawn, ctx: &mut Context<Self>) -> Self::Result {
        let Spawn { kind, id, args } = message;
        let factory = ctx.node().kinds().lock().get(kind.as_str()).copied();
        factory.ok_or(SpawnOnError::UnknownKind(kind))?(ctx.node(), &id, &args)
    }
}
