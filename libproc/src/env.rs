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
    /// The same, for what must not disturb the others.
    static APART: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
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
    if let Some(seed) = step(&SEED) {
        return StdRng::seed_from_u64(seed);
    }
    StdRng::from_os_rng()
}

/// [`rng`] for what may be switched on and off, such as tracing: the others draw the same numbers
/// with it and without.
pub(crate) fn rng_apart() -> StdRng {
    #[cfg(feature = "sim")]
    if let Some(seed) = step(&APART) {
        return StdRng::seed_from_u64(seed);
    }
    StdRng::from_os_rng()
}

/// Makes every [`rng`] of this thread follow from `seed`.
#[cfg(feature = "sim")]
pub fn seed(seed: u64) {
    SEED.set(Some(seed));
    APART.set(Some(!seed));
}

#[cfg(feature = "sim")]
fn step(next: &'static std::thread::LocalKey<std::cell::Cell<Option<u64>>>) -> Option<u64> {
    let seed = next.get()?;
    next.set(Some(
        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1),
    ));
    Some(seed)
}

/// Leaves every [`rng`] of this thread to chance again.
#[cfg(feature = "sim")]
pub(crate) fn unseed() {
    SEED.set(None);
}
