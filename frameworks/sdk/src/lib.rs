//! A framework as an actor: the author writes decisions, the session is done for them.
//!
//! A framework is a struct and what it decides when resources are offered and tasks change. The
//! session with the master is kept for it: subscribing again after a loss, acknowledging updates,
//! hiding repeated ones, reconciling, and asking until every task has come to an end.
//!
//! ```no_run
//! //! Runs `sleep 60` a hundred times, wherever there is room.
//! use sdk::prelude::*;
//!
//! struct Sleepers { left: u32, running: u32 }
//!
//! impl Framework for Sleepers {
//!     fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
//!         let need = Resources::new().cpus(0.1).mem_mib(32);
//!         for offer in offers {
//!             let count = offer.resources.count(&need).min(self.left);
//!             self.left -= count;
//!             self.running += count;
//!             calls.accept(&offer, (0..count).map(|_| Task::command("sleep 60", &need))); // none: declined
//!         }
//!     }
//!
//!     fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
//!         match update.state {
//!             TaskState::Finished => self.running -= 1,
//!             state if state.is_terminal() => { self.left += 1; self.running -= 1 }
//!             _ => return,
//!         }
//!         if self.left + self.running == 0 { calls.stop() }
//!     }
//! }
//!
//! fn main() -> sdk::Result {
//!     sdk::run(Sleepers { left: 100, running: 0 }, FrameworkInfo::new("sleepers"))
//! }
//! ```
//!
//! The author's struct is a pure core and [`Calls`] are its effects, so its test needs no cluster:
//!
//! ```
//! # use sdk::prelude::*;
//! # #[derive(Default)] struct Greedy;
//! # impl Framework for Greedy {
//! #     fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
//! #         let need = Resources::new().cpus(1.0);
//! #         for offer in offers {
//! #             let count = offer.resources.count(&need);
//! #             calls.accept(&offer, (0..count).map(|_| Task::command("true", &need)));
//! #         }
//! #     }
//! #     fn on_update(&mut self, _: TaskUpdate, _: &mut Calls) {}
//! # }
//! let (mut framework, mut calls) = (Greedy::default(), Calls::default());
//! let offer = sdk::testing::offer("agent-1", Resources::new().cpus(2.0));
//! framework.on_offers(vec![offer], &mut calls);
//! let called = calls.take();
//! assert!(matches!(called[..], [Call::Accept { .. }]));
//! assert_eq!(called[0].tasks().count(), 2);
//! ```
//!
//! # Defaults
//! A framework that vanishes has a week to come back before its tasks end; one that
//! [stops](Calls::stop) takes its tasks with it; one that [leaves](Calls::leave) does not. It is
//! told of partitions (`TaskState::Unreachable` is not the end) and of lost launches
//! (`TaskState::Dropped`). Tasks without an id get one that no other run of the framework uses.
//!
//! # What must survive
//! [`Calls::store`] keeps values under names, before anything that follows from them leaves; a
//! framework that begins again gets them back, and its id: see [`Options::kept_in`] and
//! `docs/FRAMEWORKS.md`, the manual.
//!
//! # Doors
//! A framework speaks with its master by letters between actors, or over HTTP as schedulers of other
//! languages do: [`Options::http`], or `--http` where [`run`] reads the arguments. Its code is the
//! same.
//!
//! # Levels
//! [`run`] is a whole program. [`run_with`] and [`run_async`] take [`Options`]. [`start`] puts a
//! framework into a node that is there already, in a simulation for example. Below that,
//! implement `libproc::Process` with `api::scheduler::Scheduling`, as [`SchedulerProcess`] does.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

/// The examples of the manual are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/FRAMEWORKS.md")]
pub struct Manual;

mod address;
mod calls;
mod demand;
mod error;
mod framework;
mod http;
mod keeping;
mod leading;
mod line;
pub mod placement;
mod pool;
mod post_mortem;
mod process;
pub mod retry;
mod run;
mod sandbox;
pub mod security;
mod session;
mod start;
mod task;
pub mod testing;

pub use calls::{Call, Calls, Stop};
pub use error::{Error, ExitCode, Result};
pub use framework::{ExecutorMessage, Exit, Failure, Framework, Interrupt, Subscribed, TaskUpdate};
pub use http::HttpMaster;
pub use keeping::{BadPlace, Kept, KeptIn, RestoreError};
pub use libproc::Security;
pub use line::Master;
pub use pool::OfferPool;
pub use post_mortem::{FailedTask, reason};
pub use process::SchedulerProcess;
pub use run::{Options, run, run_async, run_beside, run_with};
pub use sandbox::{Part, STDERR, STDOUT, Sandbox, SandboxError};
pub use security::{SecurityFiles, SecurityFilesError};
pub use start::{Handle, Remote, Starting, start, start_with, start_within};
pub use task::Task;

/// What the file of a framework imports.
pub mod prelude {
    pub use crate::{Call, Calls, ExecutorMessage, ExitCode, FailedTask, Failure, Framework};
    pub use crate::{Interrupt, Kept, Stop, Subscribed, Task, TaskUpdate};
    pub use types::{AgentId, CommandInfo, ExecutorId, ExecutorInfo, Filters, FrameworkId};
    pub use types::{FrameworkInfo, Labels, Offer, OfferId, Reason, Resources, Role, TaskId};
    pub use types::{TaskInfo, TaskState};
}
