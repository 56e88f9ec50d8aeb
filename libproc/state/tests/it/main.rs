//! What every storage promises, over all of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod contract;
mod linearizable;
mod storages;
