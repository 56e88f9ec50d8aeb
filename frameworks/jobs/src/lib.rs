//! A queue of jobs: commands that run when there is room, in order, fairly, to their end.
//!
//! [`queue::Queue`] decides: it is a pure framework. [`desk`] is where others come to it: the
//! protocol that `tepui jobs` speaks, and Retz's paths over HTTP.
//!
//! ```
//! use jobs::queue::{Limits, Queue};
//! use jobs::spec::{Command, Spec};
//! use sdk::testing::Stage;
//! use std::time::Duration;
//! use types::Resources;
//!
//! let mut stage = Stage::new(1, || Queue::new(Limits::default()))
//!     .agent("agent-1", Resources::new().cpus(1.0).mem_mib(1024));
//! let job = Spec::new(Command::Shell("sleep 5".to_owned()));
//! let ids = stage.visit(|queue, calls| queue.submit(vec![job], calls)).expect("it is a job");
//! assert!(stage.until(Duration::from_secs(60), |queue| queue.open() == 0));
//! assert!(stage.framework().job(ids[0]).expect("it is remembered").has_succeeded());
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod desk;
pub mod ids;
pub mod job;
pub mod protocol;
pub mod queue;
mod retz;
mod serve;
pub mod spec;
pub mod view;

pub use serve::{open, serve};
