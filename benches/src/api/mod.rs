//! The public API of a master: long pages, calls, streams of schedulers; each beside a limit that is
//! measured in the same run.
//!
//! The master is an OS process of its own, so that its processor time and memory can be read. What
//! stands around it, agents that pretend and clients that ask, lives here and shares the machine.

pub mod calls;
pub(crate) mod client;
pub(crate) mod crowd;
mod hello;
mod master;
pub mod schedulers;
pub mod state;

use serde::Serialize;

/// Prints a report, for people or as JSON.
pub(crate) fn print<R: Serialize + std::fmt::Display>(
    report: &R,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

/// The value below which this share of `values` lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
