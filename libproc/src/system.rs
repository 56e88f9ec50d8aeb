//! The process `system` of every node: starts processes for other nodes, and tells what is there.
//!
//! It is started when somebody first asks for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use actix::{Actor, Handler};

use crate::ask::AskError;
use crate::context::Context;
use crate::letter;
use crate::link::{ExitReason, Exited, Watcher};
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::spawn_on::SpawnOnError;
use crate::supervisor::stopper::Stopper;
use crate::table::Handle;
use crate::tie::{Ended, Tying};

/// The id of the process; no other process should take it.
pub(crate) const SYSTEM: &str = "system";

/// Wait before a tie that was too busy to be told of an exit is told again.
const TELL_AGAIN: Duration = Duration::from_millis(100);

crate::protocol! {
    /// What the process `system` of a node accepts.
    pub(crate) protocol Systemic {
        /// Spawn a process of this kind under this id; tell `tie` when it exits. A bound one is
        /// stopped when its tie is gone.
        message Spawn {
            kind: String,
            id: String,
            #[serde(with = "serde_bytes")]
            args: Vec<u8>,
            #[serde(default)]
            tie: Option<Pid<Tying>>,
            #[serde(default)]
            bound: bool,
        } -> Result<Upid, SpawnOnError>;
        /// Ask the process that was spawned for the sender to stop, or stop it at once.
        message Stop { at_once: bool };
        /// The messages that the process `id` accepts, by name; none when nobody lives there.
        message Find { id: String } -> Option<Vec<String>>;
        /// How many processes live here; none when the kind is not offered, or no more are taken.
        message Load { kind: String } -> Option<u64>;
    }
}

/// The address of the `system` of the node at `address`.
pub(crate) fn at(address: SocketAddr) -> Pid<Systemic> {
    Pid::assume(Upid::elsewhere(SYSTEM, address))
}

impl Node {
    /// Starts no more processes for other nodes: they get [`SpawnOnError::Draining`].
    pub fn refuse_spawns(&self) {
        self.cluster_state().refuse_spawns();
    }

    /// The process `id`, when it is one that is started as soon as somebody asks for it.
    pub(crate) fn start_on_demand(&self, id: &str) -> Option<Handle> {
        if id != SYSTEM || self.is_over() {
            return None;
        }
        match self.try_spawn(SYSTEM, System::default()) {
            Ok(pid) => pid.upid().handle(),
            // Another thread was quicker.
            Err(_) => self.named(SYSTEM),
        }
    }
}

/// Spawns for other nodes, and looks things up for them.
#[derive(Default)]
struct System {
    /// The processes whose exit somebody is to be told of, by the tie that is to be told.
    tied: BTreeMap<Upid, Tied>,
    /// The ties, by process.
    ties: BTreeMap<Upid, Pid<Tying>>,
}

struct Tied {
    child: Upid,
    at: Handle,
    stopper: Stopper,
    bound: bool,
}

impl Actor for System {
    type Context = Context<Self>;
}

impl Process for System {
    type Protocol = Systemic;
}

impl Handler<Spawn> for System {
    type Result = Result<Upid, SpawnOnError>;
    fn handle(&mut self, message: Spawn, ctx: &mut Context<Self>) -> Self::Result {
        let Spawn {
            kind,
            id,
            args,
            tie,
            bound,
        } = message;
        if ctx.node().cluster_state().refuses_spawns() {
            return Err(SpawnOnError::Draining);
        }
        // A tie is the one who asks, and has one process.
        let tie = tie
            .filter(|tie| ctx.sender() == Some(tie.upid()) && !self.tied.contains_key(tie.upid()));
        let factory = ctx.node().kinds().lock().get(kind.as_str()).copied();
        let factory = factory.ok_or(SpawnOnError::UnknownKind(kind))?;
        let Some(tie) = tie else {
            return Ok(factory(ctx.node(), &id, &args, None)?.0);
        };
        let before = Upid::elsewhere(&id, ctx.node().address());
        if ctx.expects(&before) {
            return Err(SpawnOnError::IdTaken(id)); // until we were told that it has gone
        }
        let watcher = Some(Watcher::Process(ctx.at()));
        let (child, stopper) = factory(ctx.node(), &id, &args, watcher)?;
        ctx.adopt(&child);
        ctx.link(tie.upid());
        let tied = Tied {
            child: child.clone(),
            at: child.handle().expect("who spawns a process is told where"),
            stopper,
            bound,
        };
        self.tied.insert(tie.upid().clone(), tied);
        self.ties.insert(child.clone(), tie);
        Ok(child)
    }
}

impl Handler<Stop> for System {
    type Result = ();
    fn handle(&mut self, Stop { at_once }: Stop, ctx: &mut Context<Self>) {
        let Some(tied) = ctx.sender().and_then(|tie| self.tied.get(tie)) else {
            return; // it has gone meanwhile
        };
        if at_once {
            let stop = letter::System::Stop(Box::new(ExitReason::Stopped));
            ctx.node().urgent(tied.at, stop);
        } else {
            (tied.stopper)(ctx.node(), tied.at);
        }
    }
}

impl Handler<Exited> for System {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if let Some(tied) = self.tied.remove(&upid) {
            // The tie is gone: nobody wants to hear of its process.
            if tied.bound {
                let stop = letter::System::Stop(Box::new(ExitReason::Stopped));
                ctx.node().urgent(tied.at, stop);
            }
            self.ties.remove(&tied.child);
            return;
        }
        let Some(tie) = self.ties.remove(&upid) else {
            return;
        };
        self.tied.remove(tie.upid());
        ctx.unlink(tie.upid());
        tell(tie, reason, ctx);
    }
}

/// Tells a tie that its process has gone, until that was heard.
fn tell(tie: Pid<Tying>, reason: ExitReason, ctx: &mut Context<System>) {
    let ended = Ended {
        reason: reason.clone(),
    };
    let told = ctx.ask(&tie, ended);
    ctx.defer(told, move |_, told, ctx| {
        // Any other failure says that the tie is gone, or knows that we are.
        if told == Err(AskError::Busy) {
            ctx.after(TELL_AGAIN, |_, ctx| tell(tie, reason, ctx));
        }
    });
}

impl Handler<Find> for System {
    type Result = Option<Vec<String>>;
    fn handle(&mut self, Find { id }: Find, ctx: &mut Context<Self>) -> Self::Result {
        ctx.node().page_of(&id)
    }
}

impl Handler<Load> for System {
    type Result = Option<u64>;
    fn handle(&mut self, Load { kind }: Load, ctx: &mut Context<Self>) -> Self::Result {
        let node = ctx.node();
        let takes = !node.cluster_state().refuses_spawns()
            && node.kinds().lock().contains_key(kind.as_str());
        takes.then(|| node.process_count())
    }
}
