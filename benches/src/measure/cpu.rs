//! Processor time: what other jobs of the machine disturb less than the clock on the wall.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What all threads of this OS process have used of the processor; nothing where that is not told.
#[must_use]
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map(Duration::from).unwrap_or_default()
}
