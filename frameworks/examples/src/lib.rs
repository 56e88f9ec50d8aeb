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

/// How an example runs: with the master and the security it was given, or those of the environment.
fn options(master: Option<String>, security: Option<sdk::Security>, http: bool) -> sdk::Options {
    let options = sdk::Options::default().master_or_env(master).http(http);
    match security {
        Some(security) => options.security(security),
        None => options,
    }
}
