//! Variables in a replicated log of three, on a simulated network.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod basics;
mod faults;
mod hosts;
mod large;
