//! Frameworks to learn from: each a module to read, a program to run, and a part of `tepui`.
//!
//! | module | shows |
//! | --- | --- |
//! | [`sleepers`] | the smallest framework: offers, tasks, updates |
//! | [`wordcount`] | a job in two phases over real files, retries, when to want offers, a checked result |

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod logging;
mod progress;
pub mod sleepers;
pub mod wordcount;

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

pub use logging::{exit, init as init_logging};
