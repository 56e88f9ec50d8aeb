//! The numbers people quote, side by side with their peers and limits.
//!
//! Every figure is a median of interleaved runs and is read as a ratio: machines are noisy.

pub mod actors;
pub mod allocation;
pub mod api;
pub mod jobs;
pub mod log;
pub mod masters;
pub mod measure;
pub mod remote;
pub mod tasks;
