//! The text of OpenMetrics 1.0.
//!
//! Written here and not by `prometheus-client`: its registry neither removes a metric nor sees
//! that two have one name, it has no summaries, which percentiles over a window are, and it does
//! not escape help texts. What is left of the format is the page below.

use std::fmt::Write as _;

use super::histogram::{Distribution, QUANTILES};
use super::name::Labels;
use super::reading::{Number, Reading, Readings};
use super::registry::{Family, Kind};

/// What the page is served as.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Microseconds in what OpenMetrics gives durations in.
const US_A_SECOND: f64 = 1e6;

/// The whole page.
pub(crate) fn page(all: &[Readings]) -> String {
    let mut page = String::new();
    for readings in all {
        // Writing to a string cannot fail.
        let _ = family(&mut page, readings);
    }
    page.push_str("# EOF\n");
    page
}

fn family(page: &mut String, Readings { family, members }: &Readings) -> std::fmt::Result {
    let Family {
        exposed,
        help,
        kind,
        unit,
        ..
    } = &**family;
    let of = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram | Kind::Timer => "summary",
    };
    writeln!(page, "# TYPE {exposed} {of}")?;
    if let Some(unit) = unit {
        writeln!(page, "# UNIT {exposed} {unit}")?;
    }
    if !help.is_empty() {
        writeln!(page, "# HELP {exposed} {}", escaped(help))?;
    }
    for (labels, reading) in members {
        match reading {
            Reading::Number(number) => {
                let ending = if *kind == Kind::Counter { "_total" } else { "" };
                sample(page, exposed, ending, labels, None, *number)?;
            }
            Reading::Distribution(distribution) => {
                summary(page, exposed, labels, distribution, *kind == Kind::Timer)?;
            }
        }
    }
    Ok(())
}

fn summary(
    page: &mut String,
    exposed: &str,
    labels: &Labels,
    distribution: &Distribution,
    timed: bool,
) -> std::fmt::Result {
    let scale = if timed { US_A_SECOND } else { 1.0 };
    let number = |value: f64| Number::Real(value / scale);
    if let Some(window) = &distribution.window {
        for ((_, part), value) in QUANTILES.iter().zip(window.quantiles) {
            sample(page, exposed, "", labels, Some(*part), number(value as f64))?;
        }
    }
    let count = Number::Whole(distribution.count);
    sample(page, exposed, "_count", labels, None, count)?;
    sample(
        page,
        exposed,
        "_sum",
        labels,
        None,
        number(distribution.sum as f64),
    )
}

fn sample(
    page: &mut String,
    exposed: &str,
    ending: &str,
    labels: &Labels,
    quantile: Option<f64>,
    number: Number,
) -> std::fmt::Result {
    write!(page, "{exposed}{ending}")?;
    let quantile = quantile.map(|part| ("quantile", part.to_string()));
    for (index, (name, value)) in labels.iter().chain(&quantile).enumerate() {
        let opening = if index == 0 { '{' } else { ',' };
        write!(page, "{opening}{name}=\"{}\"", escaped(value))?;
    }
    if !labels.is_empty() || quantile.is_some() {
        page.push('}');
    }
    match number {
        Number::Whole(value) => writeln!(page, " {value}"),
        Number::Real(value) if value.is_nan() => writeln!(page, " NaN"),
        Number::Real(value) if value.is_infinite() => {
            writeln!(page, " {}Inf", if value < 0.0 { '-' } else { '+' })
        }
        Number::Real(value) => writeln!(page, " {value}"),
    }
}

/// A help text or label value without what would end it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
