//! What holds for all resources, and for every noun on the wire.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod algebra;
mod wire;
