//! Monitoring from outside any process: a task waits for the exit of a process, here or elsewhere.

use std::future::Future;

use actix::{Actor, ActorContext, Handler};
use tokio::sync::oneshot;

use super::Node;
use crate::context::Context;
use crate::link::{ExitReason, Exited, Watcher};
use crate::pid::Upid;
use crate::process::Process;

impl Node {
    /// Waits until the process at `upid`, of this node or another, has gone; says how it went.
    ///
    /// [`NoProcess`](ExitReason::NoProcess) when nobody lives there.
    /// [`Disconnected`](ExitReason::Disconnected) and [`Unreachable`](ExitReason::Unreachable) when
    /// its node cannot be heard: then it may live. The watch begins with the call, not with the
    /// first poll, and ends when the future is dropped.
    pub fn exit_of(
        &self,
        upid: &Upid,
    ) -> impl Future<Output = ExitReason> + Send + 'static + use<> {
        let (tell, told) = oneshot::channel();
        let (otherwise, monitor) = if upid.address() == self.address() {
            match self.locate(upid) {
                Some(at) => self.watch(at, upid, Watcher::Task(tell)),
                None => Watcher::Task(tell).tell(self, upid, &ExitReason::NoProcess),
            }
            (ExitReason::NoProcess, None)
        } else if self.is_over() {
            drop(tell);
            (ExitReason::Unreachable, None)
        } else {
            let whom = upid.clone();
            let tell = Some(tell);
            let monitor = self.spawn_anonymous(Monitor { whom, tell });
            if let Some(at) = monitor.upid().handle() {
                // Now, not in its first turn: before whatever the caller sends next.
                self.link(at, upid);
            }
            let ends = Ends(self.clone(), monitor.upid().clone());
            (ExitReason::Disconnected, Some(ends))
        };
        async move {
            let _monitor = monitor;
            told.await.unwrap_or(otherwise)
        }
    }
}

/// Ends the monitor of a task that waits no more.
struct Ends(Node, Upid);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.terminate(&self.1);
    }
}

/// Links to a process of another node on behalf of a task.
struct Monitor {
    whom: Upid,
    tell: Option<oneshot::Sender<ExitReason>>,
}

crate::protocol! {
    /// What one accepts who only listens for exits.
    pub(crate) protocol Listening {}
}

impl Actor for Monitor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.adopt(&self.whom); // who made it has linked it
    }
}

impl Process for Monitor {
    type Protocol = Listening;
}

impl Handler<Exited> for Monitor {
    type Result = ();
    fn handle(&mut self, exited: Exited, ctx: &mut Context<Self>) {
        if let Some(tell) = self.tell.take() {
            // The task may have stopped waiting.
            drop(tell.send(exited.reason));
        }
        ctx.terminate();
    }
}
