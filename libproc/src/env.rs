//! The world outside: wall clock and chance, the simulation's when there is one.
//!
//! Whatever reads them elsewhere cannot be replayed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;

pub use tokio::time::Instant;

#[cfg(feature = "sim")]
thread_local! {
    /// What the next generator of this thread's simulation is seeded with.
    static SEED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    since_epoch().as_millis().try_into().unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    #[cfg(feature = "sim")]
    if let Some(since_epoch) = turmoil::since_epoch() {
        return since_epoch;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A generator of random numbers: seeded by chance, or in a simulation by its seed.
#[must_use]
pub fn rng() -> StdRng {
    #[cfg(feature = "sim")]
    if let Some(seed) = SEED.get() {
        SEED.set(Some(
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1),
        ));
        return StdRng::seed_from_u64(seed);
    }
    StdRng::from_os_rng()
}

/// Makes every [`rng`] of this thread follow from `seed`.
#[cfg(feature = "sim")]
pub fn seed(seed: u64) {
    SEED.set(Some(seed));
}

/// Leaves every [`rng`] of this thread to chance again.
#[cfg(feature = "sim")]
pub(crate) fn unseed() {
    SEED.set(None);
}
