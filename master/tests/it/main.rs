//! A real master and allocator, with stand-ins for agents, schedulers and operators, on virtual
//! time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod chaos;
mod elections;
mod failover;
mod frameworks;
mod http;
mod network;
mod offers;
mod operators;
mod reconciliation;
mod registry;
mod reregistration;
mod tasks;
mod world;
