//! What tests with real processes share: daemons, `/proc`, waiting, a framework with a journal.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub(crate) mod absurd;
pub(crate) mod blows;
pub(crate) mod cluster;
pub(crate) mod corpus;
pub(crate) mod daemon;
pub(crate) mod hosts;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod place;
pub(crate) mod processes;
pub(crate) mod retrying;
pub(crate) mod scheduler;
pub(crate) mod siege;
pub(crate) mod stranger;
pub(crate) mod watching;

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at that nobody tells of.
const LOOK: Duration = Duration::from_millis(20);

/// The seed of this run: `TEPUI_TEST_SEED`, else another one every time. Printed, so that a
/// failure shows it.
pub(crate) fn seed(test: &str) -> u64 {
    let given = std::env::var("TEPUI_TEST_SEED").ok();
    let given = given.map(|text| text.parse().expect("TEPUI_TEST_SEED is a number"));
    let seed = given.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("{test}: TEPUI_TEST_SEED={seed}");
    seed
}

/// Runs a test on this thread, at most for `limit`.
pub(crate) fn run(limit: Duration, test: impl Future<Output = ()>) {
    let timed = async { Ok(tokio::time::timeout(limit, test).await) };
    let ended = libproc::run_alone(timed).expect("a runtime starts");
    assert!(ended.is_ok(), "the test took longer than {limit:?}");
}

/// Waits until `look` gives no complaint, for `limit` at most; the last complaint is the panic's.
pub(crate) async fn eventually<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let until = Instant::now() + limit;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(complaint) if Instant::now() >= until => {
                panic!("not within {limit:?}: {what}: {complaint:?}")
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
