//! What the allocator promises, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod fairness;
mod filters;
mod frameworks;
mod helpers;
mod model;
mod offers;
mod operations;
mod sequences;
