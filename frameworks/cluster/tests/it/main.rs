//! Whole clusters, simulated: scenarios that people tell, and faults that nobody thought of.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod chaos;
mod frameworks;
mod kept;
mod master;
mod masters;
mod real;
