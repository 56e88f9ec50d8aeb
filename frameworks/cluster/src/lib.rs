//! A whole cluster in one OS process: on a simulated network with seeds and faults, under checkers;
//! or on the real one.
//!
//! A simulation is a master, agents, and frameworks, each on a host of its own, on virtual time.
//! Agents pretend to run commands ([`agent::simulated`] says which); everything else is the real
//! thing. A script starts frameworks, cuts links and crashes hosts, and says what it expects:
//!
//! ```
//! use std::time::Duration;
//! use cluster::{Shape, Storm};
//! use types::FrameworkInfo;
//!
//! cluster::simulate(1, Shape::default(), async |cluster| {
//!     let storm = Storm::new(30, 1);
//!     cluster.start("storm", FrameworkInfo::new("storm"), storm.scheduler());
//!     cluster.sleep(Duration::from_secs(5)).await;
//!     cluster.crash("master").await;
//!     cluster.sleep(Duration::from_secs(20)).await;
//!     cluster.settle().await;
//!     cluster.eventually("all is done", Duration::from_secs(600), || storm.is_done()).await;
//! });
//! ```
//!
//! # What is checked
//! All the time: no task runs twice, no agent runs more than it has ([`truth`]); no framework is told
//! anything after the end of a task, nor an end that is none ([`tape`]); nobody panics; the books of
//! the master promise nothing twice. When the cluster [rests](Cluster::settle): books of master and
//! agents agree, every update is acknowledged, and frameworks know what became of each of their tasks.
//!
//! # Replay
//! Everything follows from the seed, faults included ([`faults`]). What fails prints its seed and the
//! command that replays it; `TEPUI_SEED=n` replays one, `TEPUI_SEEDS=n` runs more of them, and
//! `RUST_LOG` shows what goes on.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod cluster;
pub mod faults;
mod hosts;
mod real;
mod record;
mod rest;
mod simulation;
mod storm;
pub mod tape;
mod trace;
pub mod truth;

pub use cluster::{Cluster, Scheduler};
pub use hosts::Shape;
pub use libproc::sim::{History, seeds};
pub use real::{Real, real};
pub use simulation::{Outcome, simulate};
pub use storm::Storm;
