//! The replicated log: records on disk, and the actors that agree on them.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod store;
