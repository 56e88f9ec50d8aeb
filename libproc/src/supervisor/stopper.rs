//! How a process whose type was forgotten is asked to stop.

use actix::ActorContext;

use crate::letter::System;
use crate::node::Node;
use crate::process::Process;
use crate::table::Handle;
use crate::work::closure;

/// Asks the process at a handle to stop once it has handled what waits for it already: its
/// `stopping` may put that off.
pub(crate) type Stopper = fn(&Node, Handle);

/// The stopper of processes that are `A`.
pub(crate) fn of<A: Process>() -> Stopper {
    |node, at| node.urgent(at, System::Work(closure(|_: &mut A, ctx| ctx.stop())))
}
