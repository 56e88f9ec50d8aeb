//! What every benchmark shares: readings, latencies, rounds, plots and pages.

pub mod cpu;
pub mod latency;
pub mod machine;
pub mod pace;
pub mod page;
pub mod plot;
pub mod progress;
pub mod ratio;
pub mod reading;
