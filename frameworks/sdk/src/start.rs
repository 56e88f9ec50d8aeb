//! A framework in a given node: for programs with a node of their own, tests and simulations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use api::scheduler::Scheduling;
use libproc::{ExitReason, Node, Pid, env};
use rand::Rng;
use state::State;
use tokio::sync::{mpsc, oneshot};
use types::FrameworkInfo;

use crate::calls::Calls;
use crate::error::{Error, Result};
use crate::framework::{Framework, Interrupt};
use crate::line::Master;
use crate::process::{SchedulerProcess, Visit, Wiring};

/// How many visits from outside may wait for the framework.
const VISITS_MAX: usize = 1_024;
/// Longest part of a framework's name in the ids of its process and its tasks, in bytes.
const NAME_MAX: usize = 40;

/// Starts a framework in `node` and subscribes it with `master`, for as long as it takes.
///
/// # Errors
/// When the node has no room under the id made up for it, which chance makes unlikely.
pub fn start<F: Framework>(
    node: &Node,
    master: impl Into<Master>,
    framework: F,
    info: FrameworkInfo,
) -> std::result::Result<Handle<F>, Error> {
    start_with(node, master, framework, info, Starting::default())
}

/// How a framework is started in a node.
#[derive(Debug, Clone, Default)]
pub struct Starting {
    /// How long the master has to answer the first time; for ever if none.
    pub within: Option<Duration>,
    /// Where what must survive is kept: the framework's id, and what it [stores](Calls::store).
    pub state: Option<State>,
}

/// [`start`] that ends with an error when the master does not answer `within` that time.
///
/// # Errors
/// See [`start`].
pub fn start_within<F: Framework>(
    node: &Node,
    master: impl Into<Master>,
    framework: F,
    info: FrameworkInfo,
    within: Option<Duration>,
) -> std::result::Result<Handle<F>, Error> {
    let starting = Starting {
        within,
        ..Starting::default()
    };
    start_with(node, master, framework, info, starting)
}

/// [`start`] with a time for the master's first answer, and a state.
///
/// # Errors
/// See [`start`].
pub fn start_with<F: Framework>(
    node: &Node,
    master: impl Into<Master>,
    framework: F,
    info: FrameworkInfo,
    starting: Starting,
) -> std::result::Result<Handle<F>, Error> {
    if info.failover_timeout.is_zero() {
        let framework = &info.name;
        tracing::warn!(%framework, "tasks end with the connection: the failover timeout is zero");
    }
    let id = format!("{}-{:08x}", plain(&info.name), env::rng().random::<u32>());
    let (visitor, visits) = mpsc::channel(VISITS_MAX);
    let (end, ended) = oneshot::channel();
    let wiring = Wiring {
        master: master.into(),
        state: starting.state,
        visits,
        end,
    };
    let process = SchedulerProcess::new(framework, info, starting.within, id.clone(), wiring);
    let pid = node.try_spawn(&id, process)?;
    Ok(Handle {
        exit: Box::pin(node.exit_of(pid.upid())),
        pid,
        ended: Some(ended),
        remote: Remote(visitor),
    })
}

/// What of a name can be in an id, whatever it was.
fn plain(name: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '-'
        }
    };
    let plain: String = name.chars().map(keep).take(NAME_MAX).collect();
    match plain.trim_matches('-') {
        "" => "framework".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// A framework that runs. Dropped, it runs on.
pub struct Handle<F> {
    pid: Pid<Scheduling>,
    ended: Option<oneshot::Receiver<Result>>,
    exit: Pin<Box<dyn Future<Output = ExitReason> + Send>>,
    remote: Remote<F>,
}

impl<F: Framework> Handle<F> {
    /// The address of the scheduler.
    pub fn pid(&self) -> &Pid<Scheduling> {
        &self.pid
    }

    /// The means to reach the framework from anywhere.
    pub fn remote(&self) -> Remote<F> {
        self.remote.clone()
    }

    /// Waits for the end. Whoever stopped waiting can wait again; the result comes once, after
    /// that it is how the process went.
    ///
    /// # Errors
    /// Why the framework ended without an exit code.
    pub async fn ended(&mut self) -> Result {
        if let Some(ended) = &mut self.ended {
            let result = ended.await;
            self.ended = None;
            if let Ok(result) = result {
                return result;
            }
        }
        Err(Error::Crashed((&mut self.exit).await))
    }
}

/// Reaches a framework that runs, from any thread: what its own threads come back through.
pub struct Remote<F>(mpsc::Sender<Visit<F>>);

impl<F> Clone for Remote<F> {
    fn clone(&self) -> Self {
        Remote(self.0.clone())
    }
}

impl<F> fmt::Debug for Remote<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl<F: Framework> Remote<F> {
    /// Runs `visit` in a turn of the framework, like one of its methods. False when the framework
    /// has ended, or over a thousand visits wait already.
    pub fn visit(&self, visit: impl FnOnce(&mut F, &mut Calls) + Send + 'static) -> bool {
        let visit: Visit<F> = Box::new(|framework, calls| {
            visit(framework, calls);
            None
        });
        self.0.try_send(visit).is_ok()
    }

    /// Runs `visit` in a turn of the framework, like one of its methods, and gives what it gives
    /// when everything that was [stored](Calls::store) up to then is kept: what somebody is told
    /// is true after any crash.
    ///
    /// None when the framework has ended, or ends before.
    pub async fn ask<R: Send + 'static>(
        &self,
        visit: impl FnOnce(&mut F, &mut Calls) -> R + Send + 'static,
    ) -> Option<R> {
        let (tell, told) = oneshot::channel();
        let visit: Visit<F> = Box::new(|framework, calls| {
            let result = visit(framework, calls);
            // Nobody waits any more when the receiver was dropped.
            Some(Box::new(move || drop(tell.send(result))))
        });
        self.0.send(visit).await.ok()?;
        told.await.ok()
    }

    /// Asks the framework to stop: see [`Framework::on_interrupted`].
    pub fn interrupt(&self, interrupt: Interrupt) -> bool {
        self.visit(move |framework, calls| framework.on_interrupted(interrupt, calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_makes_an_id() {
        assert_eq!(plain("sleepers"), "sleepers");
        assert_eq!(plain("my jobs/é@x"), "my-jobs---x");
        assert_eq!(plain("///"), "framework");
        assert_eq!(plain(&"x".repeat(500)).len(), NAME_MAX);
    }
}
