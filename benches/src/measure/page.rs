//! How rows are shown: a table for people, JSON for programs, and where each goes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::latency::QUANTILES;
use super::machine::Machine;
use super::plot;
use super::ratio::Ratio;
use super::reading::{Row, Unit};

/// Where results go, beside the table.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Outputs {
    /// Write JSON to this file; to the standard output, in place of the table, when it is `-`
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the latencies by percentile into this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

impl Outputs {
    /// Whether the standard output is for JSON alone.
    #[must_use]
    pub fn is_json_only(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Shows `page` everywhere it is to go.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn show(&self, page: &Page) -> anyhow::Result<()> {
        if !self.is_json_only() {
            print!("{}", page.text());
        }
        if let Some(path) = &self.json {
            write_json(path, page)?;
        }
        if let Some(path) = &self.plot {
            let drawn = plot::percentiles(page.title, &page.rows);
            let drawn = drawn.context("no pattern of this run has latencies to draw")?;
            write(path, &drawn)?;
        }
        Ok(())
    }
}

/// Writes `value` as JSON to `path`, or to the standard output when that is `-`.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    if path == Path::new("-") {
        println!("{json}");
        return Ok(());
    }
    write(path, &json)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

/// The results of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// What was run.
    pub title: &'static str,
    /// On what.
    pub machine: Machine,
    /// The figures.
    pub rows: Vec<Row>,
    /// Those of them that are set side by side.
    pub ratios: Vec<Ratio>,
    /// What a reader has to know of them.
    pub notes: Vec<String>,
}

impl Page {
    /// A table of the rows, the machine above it and the notes below.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.machine.line());
        let head = ["median", "cpu", "per second", "lowest", "highest"];
        let width = self.rows.iter().map(|row| name(row).len()).max();
        let width = width.unwrap_or_default().max("pattern".len());
        let _ = write!(text, "{:<8} {:<width$} {:>3}", "by", "pattern", "arb");
        for name in head.iter().chain(QUANTILES.iter().map(|(name, _)| name)) {
            let _ = write!(text, " {name:>11}");
        }
        text.push('\n');
        for row in &self.rows {
            let _ = write!(
                text,
                "{:<8} {:<width$} {:>3}",
                row.by,
                name(row),
                row.arbiters
            );
            let rate = row.per_second.map(rate).unwrap_or_default();
            let cpu = row.cpu.map(time).unwrap_or_default();
            let bound = |fold: fn(f64, f64) -> f64| row.rounds.iter().copied().reduce(fold);
            let lowest = bound(f64::min).unwrap_or(row.median);
            let highest = bound(f64::max).unwrap_or(row.median);
            let (low, high) = (figure(lowest, row.unit), figure(highest, row.unit));
            let line = format!(
                " {:>11} {cpu:>11} {rate:>11} {low:>11} {high:>11}",
                figure(row.median, row.unit)
            );
            text.push_str(&line);
            for (_, quantile) in QUANTILES {
                let shown = row.latency.as_ref().map(|latency| latency.at(quantile));
                let shown = shown.map(|value| time(value as f64)).unwrap_or_default();
                let _ = write!(text, " {shown:>11}");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        for (place, ratio) in self.ratios.iter().enumerate() {
            let gap = if place == 0 { "\n" } else { "" };
            let (by, beside, what) = (&ratio.by, &ratio.beside, ratio.measure.name());
            let _ = writeln!(
                text,
                "{gap}{by} / {beside:<8} {:<34} {what:<8} {:>6.2}",
                ratio.name, ratio.ratio
            );
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// What was measured, and an operation of it.
fn name(row: &Row) -> String {
    format!("{} ({})", row.name, row.of)
}

/// A figure with its unit.
#[must_use]
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds | Unit::Latency => time(value),
        Unit::Bytes => format!("{value:.0} B"),
    }
}

/// A time in the unit that suits it.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        small if small < 1e3 => format!("{small:.1} ns"),
        small if small < 1e4 => format!("{small:.0} ns"),
        small if small < 1e6 => format!("{:.1} us", small / 1e3),
        small if small < 1e9 => format!("{:.1} ms", small / 1e6),
        large => format!("{:.1} s", large / 1e9),
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        large if large >= 1e6 => format!("{:.2} M/s", large / 1e6),
        large if large >= 1e3 => format!("{:.1} k/s", large / 1e3),
        small => format!("{small:.0} /s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::latency::Latency;
    use crate::measure::reading::{Reading, Rows};

    #[test]
    fn a_table_has_a_line_for_each_row_and_no_trailing_space() {
        let mut latency = Latency::new();
        latency.record(1500);
        let mut rows = Rows::default();
        rows.add(1, Reading::time("ask", "ask", 100.0).with_latency(latency));
        rows.add(1, Reading::bytes("memory", "process", 240.0));
        let page = Page {
            title: "actors",
            machine: Machine::here(),
            rows: rows.finish(),
            ratios: Vec::new(),
            notes: vec!["a note".to_owned()],
        };
        let text = page.text();
        assert!(text.contains("ask (ask)"), "{text}");
        assert!(text.contains("10.00 M/s"), "{text}");
        assert!(text.contains("1500 ns"), "{text}");
        assert!(text.contains("240 B"), "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }

    #[test]
    fn times_are_shown_in_the_unit_that_suits_them() {
        let shown = [12.34, 1234.0, 12_345.0, 1.5e6, 2e9].map(time);
        assert_eq!(shown, ["12.3 ns", "1234 ns", "12.3 us", "1.5 ms", "2.0 s"]);
    }
}
