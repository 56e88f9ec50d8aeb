//! Distributions: the percentiles of a window, and sums for ever.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How far back percentiles look.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Parts of the window: it moves on by one of them.
const SLICES: usize = 6;
/// Significant digits of percentiles: to 1 %, in about 7 kB a slice that is used.
const DIGITS: u8 = 2;
/// Longest duration told from longer ones: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The percentiles of a window: the ending of their names, and how much lies below.
pub(crate) const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
    ("p9999", 0.9999),
];

/// A distribution of whole numbers: percentiles of the last minute ([`WINDOW`]) to 1 %, and count
/// and sum of everything. Clones record together.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    last: u64,
    count: u64,
    sum: u128,
    /// When the first value came: slices are counted from there.
    began: Option<Instant>,
    /// The number of the newest slice.
    slice: u64,
    /// Those of the last [`SLICES`] that have values, by number modulo [`SLICES`].
    slices: [Option<Slice>; SLICES],
}

type Slice = Box<hdrhistogram::Histogram<u32>>;

/// What a distribution looks like to a reader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) last: u64,
    /// How many there ever were, and what they add up to.
    pub(crate) count: u64,
    pub(crate) sum: u128,
    /// None when no value came in it.
    pub(crate) window: Option<Window>,
}

/// What is known of the values of the last minute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
    /// In the order of [`QUANTILES`].
    pub(crate) quantiles: [u64; QUANTILES.len()],
}

impl Histogram {
    /// Adds a value.
    pub fn record(&self, value: u64) {
        let now = Instant::now();
        let mut recorded = self.0.lock();
        recorded.last = value;
        recorded.count += 1;
        recorded.sum += u128::from(value);
        recorded.move_on(now);
        let slot = (recorded.slice % SLICES as u64) as usize;
        let slice = recorded.slices[slot].get_or_insert_with(|| {
            let slice = hdrhistogram::Histogram::new(DIGITS);
            Box::new(slice.expect("two digits are within what a histogram can have"))
        });
        // Refused only where an address space is too small for the next size.
        let _ = slice.record(value);
    }

    /// How many values were ever recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().count
    }

    pub(crate) fn read(&self) -> Distribution {
        let mut recorded = self.0.lock();
        recorded.move_on(Instant::now());
        let mut slices = recorded.slices.iter().flatten();
        let whole = slices.next().cloned().map(|mut whole| {
            for slice in slices {
                // Both have grown, or grow now, to any value there is.
                let _ = whole.add(&**slice);
            }
            whole
        });
        Distribution {
            last: recorded.last,
            count: recorded.count,
            sum: recorded.sum,
            window: whole.map(|whole| Window {
                count: whole.len(),
                min: whole.min(),
                max: whole.max(),
                quantiles: QUANTILES.map(|(_, part)| whole.value_at_quantile(part)),
            }),
        }
    }
}

impl Recorded {
    /// Forgets the slices that have left the window.
    fn move_on(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let each = WINDOW / SLICES as u32;
        let slice = (now.duration_since(began).as_millis() / each.as_millis()) as u64;
        let passed = slice.saturating_sub(self.slice).min(SLICES as u64);
        for number in 1..=passed {
            self.slices[((slice - passed + number) % SLICES as u64) as usize] = None;
        }
        self.slice = self.slice.max(slice);
    }
}

/// A distribution of durations; see [`Histogram`]. To the microsecond, up to a day.
#[derive(Debug, Clone, Default)]
pub struct Timer(Histogram);

impl Timer {
    /// Adds a duration.
    pub fn record(&self, took: Duration) {
        self.0.record(took.min(LONGEST).as_micros() as u64);
    }

    /// Takes the time until the stopwatch is dropped.
    pub fn start(&self) -> Stopwatch {
        Stopwatch {
            timer: Some(self.clone()),
            began: Instant::now(),
        }
    }

    /// How many durations were ever recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// In microseconds.
    pub(crate) fn read(&self) -> Distribution {
        self.0.read()
    }
}

/// A duration that is being taken, made by [`Timer::start`]; recorded when it is dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it takes no time"]
pub struct Stopwatch {
    timer: Option<Timer>,
    began: Instant,
}

impl Stopwatch {
    /// Records nothing.
    pub fn cancel(mut self) {
        self.timer = None;
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.record(self.began.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs with a clock that moves only when nothing else is to do.
    fn paused(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime starts").block_on(test);
    }

    #[test]
    fn percentiles_are_of_all_values_in_the_window() {
        paused(async {
            let histogram = Histogram::default();
            assert_eq!(histogram.read().window, None);
            for value in 1..=100_000 {
                histogram.record(value);
            }
            let read = histogram.read();
            assert_eq!(
                (read.last, read.count, read.sum),
                (100_000, 100_000, 5_000_050_000)
            );
            let window = read.window.expect("values came");
            assert_eq!((window.count, window.min), (100_000, 1));
            for ((name, part), value) in QUANTILES.iter().zip(window.quantiles) {
                let off = (value as f64 - part * 100_000.0).abs() / 100_000.0;
                assert!(off < 0.01, "{name} is {value}");
            }
        });
    }

    #[test]
    fn what_has_left_the_window_counts_only_in_the_sums() {
        paused(async {
            let histogram = Histogram::default();
            histogram.record(7);
            for _ in 0..5 {
                tokio::time::advance(Duration::from_secs(10)).await;
                histogram.record(1000);
            }
            let window = histogram.read().window.expect("values came");
            assert_eq!((window.count, window.min), (6, 7));
            tokio::time::advance(Duration::from_secs(10)).await;
            let window = histogram.read().window.expect("five are left");
            assert_eq!((window.count, window.min), (5, 1000));
            tokio::time::advance(WINDOW * 1000).await;
            let read = histogram.read();
            assert_eq!((read.window, read.count, read.sum), (None, 6, 5007));
            histogram.record(u64::MAX);
            assert_eq!(histogram.read().window.map(|window| window.count), Some(1));
        });
    }

    #[test]
    fn a_stopwatch_records_once_or_not_at_all() {
        paused(async {
            let timer = Timer::default();
            let stopwatch = timer.start();
            tokio::time::advance(Duration::from_millis(1500)).await;
            drop(stopwatch);
            timer.start().cancel();
            timer.record(Duration::MAX);
            let read = timer.read();
            assert_eq!((read.count, read.sum), (2, 1_500_000 + 86_400_000_000));
        });
    }
}
