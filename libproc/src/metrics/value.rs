//! Numbers: what only grows, and what is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `by`.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Relaxed);
    }

    /// What was added up so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that is set by its owner: a pushed gauge. Clones are one number.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Adds `by`, which may be negative.
    pub fn add(&self, by: f64) {
        let add = |bits| Some((f64::from_bits(bits) + by).to_bits());
        // Never refused: `add` always gives a value.
        let _ = self.0.fetch_update(Relaxed, Relaxed, add);
    }

    /// What it was set to last, 0 before.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}
