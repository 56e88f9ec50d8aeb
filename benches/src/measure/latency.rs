//! Latencies of single operations, as a histogram that can be merged and sent.

use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Significant digits kept: a value is known to a thousandth of itself.
const DIGITS: u8 = 3;

/// The quantiles that tables and pages show.
pub const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// How long single operations took, in nanoseconds.
///
/// Where operations are due at set times, the time of one counts from when it was due, not from
/// when it could be sent: a stall then shows in every operation it held up, as it would for users
/// who come on their own account. That is what is called corrected for coordinated omission.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency::new()
    }
}

impl Latency {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Latency {
        Latency(Histogram::new(DIGITS).expect("three digits are few enough"))
    }

    /// Records one operation of so many nanoseconds.
    pub fn record(&mut self, nanoseconds: u64) {
        // Never refused: the histogram grows by itself.
        let _ = self.0.record(nanoseconds);
    }

    /// Records an operation that began at `since`, or was due then, and has just ended.
    pub fn record_since(&mut self, since: Instant) {
        self.record(since.elapsed().as_nanos() as u64);
    }

    /// Adds what `other` recorded.
    pub fn merge(&mut self, other: &Latency) {
        // Never refused: the histogram grows by itself.
        let _ = self.0.add(&other.0);
    }

    /// How many operations were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Their mean, in nanoseconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// The nanoseconds that the share `quantile` of the operations, 0 to 1, did not exceed.
    #[must_use]
    pub fn at(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }
}

/// How a latency is written: values with how often each came, so that nothing is lost, and the
/// quantiles for whoever only reads.
#[derive(Serialize, Deserialize)]
struct Written {
    count: u64,
    mean_ns: f64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    values: Vec<(u64, u64)>,
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.0.iter_recorded();
        Written {
            count: self.count(),
            mean_ns: self.0.mean(),
            p50_ns: self.at(0.5),
            p90_ns: self.at(0.9),
            p99_ns: self.at(0.99),
            p999_ns: self.at(0.999),
            max_ns: self.0.max(),
            values: values
                .map(|value| (value.value_iterated_to(), value.count_at_value()))
                .collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Latency, D::Error> {
        let mut latency = Latency::new();
        for (value, count) in Written::deserialize(deserializer)?.values {
            latency
                .0
                .record_n(value, count)
                .map_err(serde::de::Error::custom)?;
        }
        Ok(latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut latency = Latency::new();
        for value in 1..=1000 {
            latency.record(value * 1000);
        }
        let text = serde_json::to_string(&latency).expect("it is plain data");
        let again: Latency = serde_json::from_str(&text).expect("it was written so");
        assert_eq!(again.count(), 1000);
        for (_, quantile) in QUANTILES {
            assert_eq!(again.at(quantile), latency.at(quantile));
        }
    }
}
