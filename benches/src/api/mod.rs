//! The public API of a master: long pages, calls, streams of schedulers; each beside a limit that is
//! measured in the same run.
//!
//! The master is an OS process of its own, so that its processor time and memory can be read. What
//! stands around it, agents that pretend and clients that ask, lives here and shares the machine.

pub mod calls;
pub(crate) mod client;
pub(crate) mod crowd;
mod cycles;
mod hello;
mod master;
pub mod schedulers;
pub mod state;

use std::path::PathBuf;

use serde::Serialize;

use crate::measure::page::write_json;

/// Where a report goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Output {
    /// Write JSON to this file; to the standard output, in place of the text, when it is `-` or not
    /// named
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

impl Output {
    /// Shows a report everywhere it is to go.
    pub(crate) fn show<R: Serialize + std::fmt::Display>(&self, report: &R) -> anyhow::Result<()> {
        if self.json.as_deref() != Some("-".as_ref()) {
            println!("{report}");
        }
        match &self.json {
            Some(path) => write_json(path, report),
            None => Ok(()),
        }
    }
}

/// The value below which this share of `values` lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
