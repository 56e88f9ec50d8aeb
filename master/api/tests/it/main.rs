//! The public API: what goes in and out, in both encodings, and what our nouns make of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod convert;
mod corpus;
mod hostile;
mod nouns;
mod recorded;
mod tolerance;
mod twin;
