//! Load that does not wait: questions fall due by the clock, answered or not.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::latency::Latency;
use super::reading::Reading;

/// How long before something is due the pacing thread stops sleeping: what a sleep overshoots by.
const AWAKE: Duration = Duration::from_micros(100);

/// Starts a thread that calls `due` whenever something is, with nanoseconds since `began`.
///
/// It never leaves one out: held up, it catches up.
pub fn start(
    began: Instant,
    per_second: u64,
    count: u64,
    due: impl Fn(u64) + Send + 'static,
) -> JoinHandle<()> {
    let interval = 1_000_000_000.0 / per_second as f64;
    thread::spawn(move || {
        for number in 0..count {
            let nanoseconds = (number as f64 * interval) as u64;
            wait_until(began + Duration::from_nanos(nanoseconds));
            due(nanoseconds);
        }
    })
}

fn wait_until(instant: Instant) {
    loop {
        let left = instant.saturating_duration_since(Instant::now());
        match left.checked_sub(AWAKE) {
            Some(sleep) if !sleep.is_zero() => thread::sleep(sleep),
            _ if left.is_zero() => return,
            _ => thread::yield_now(),
        }
    }
}

/// Waits for the pacing thread.
///
/// # Errors
/// When it panicked.
pub fn ended(pacer: JoinHandle<()>) -> io::Result<()> {
    pacer
        .join()
        .map_err(|_| io::Error::other("the pacing thread panicked"))
}

/// What users see, from when each question was due, as `name`; and beside it, as `name-sent`, what
/// a load that waits for its turn would have seen.
#[must_use]
pub fn readings(name: &str, due: Latency, sent: Latency) -> Vec<Reading> {
    vec![
        Reading::latency(name, "from when due", due),
        Reading::latency(&format!("{name}-sent"), "from when sent", sent),
    ]
}
