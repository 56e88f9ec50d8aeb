//! A real master and allocator, with stand-ins for agents, schedulers and operators, on virtual
//! time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod failover;
mod frameworks;
mod offers;
mod operators;
mod reconciliation;
mod reregistration;
mod tasks;
mod world;
