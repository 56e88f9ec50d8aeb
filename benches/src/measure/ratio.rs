//! One row beside another of the same run: the only figures that travel between machines.

use serde::Serialize;

use super::latency::Latency;
use super::reading::Row;

/// What of two rows is set side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Their medians.
    Median,
    /// What half of the operations did not exceed.
    Percentile50,
    /// What 99 of 100 did not exceed.
    Percentile99,
}

impl Measure {
    /// As it stands in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Measure::Median => "median",
            Measure::Percentile50 => "p50",
            Measure::Percentile99 => "p99",
        }
    }

    fn of(self, row: &Row) -> Option<f64> {
        let at = |quantile| {
            row.latency
                .as_ref()
                .map(|latency: &Latency| latency.at(quantile) as f64)
        };
        match self {
            Measure::Median => Some(row.median),
            Measure::Percentile50 => at(0.5),
            Measure::Percentile99 => at(0.99),
        }
    }
}

/// How much of another's figure ours is: below 1 we are ahead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// What was measured.
    pub name: String,
    /// On how many arbiters.
    pub arbiters: usize,
    /// Who is measured.
    pub by: String,
    /// Beside whom.
    pub beside: String,
    /// What of them is compared.
    pub measure: Measure,
    /// The one's figure, divided by the other's.
    pub ratio: f64,
}

impl Ratio {
    /// `row` beside what `beside` did of the same in `rows`; none when it did not.
    #[must_use]
    pub fn of(rows: &[Row], row: &Row, beside: &str, measure: Measure) -> Option<Ratio> {
        let same = |other: &&Row| {
            other.by == beside && other.name == row.name && other.arbiters == row.arbiters
        };
        let other = rows.iter().find(same)?;
        let ratio = measure.of(row)? / measure.of(other)?;
        ratio.is_finite().then(|| Ratio {
            name: row.name.clone(),
            arbiters: row.arbiters,
            by: row.by.clone(),
            beside: beside.to_owned(),
            measure,
            ratio,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::reading::{Reading, Rows};

    #[test]
    fn a_ratio_is_of_the_same_thing_on_as_many_arbiters() {
        let mut rows = Rows::default();
        rows.add(1, Reading::time("ask", "ask", 100.0));
        rows.add(2, Reading::time("ask", "ask", 90.0).by("floor"));
        rows.add(1, Reading::time("ask", "ask", 80.0).by("floor"));
        let rows = rows.finish();
        let ratio = |measure| Ratio::of(&rows, &rows[0], "floor", measure);
        assert_eq!(ratio(Measure::Median).map(|ratio| ratio.ratio), Some(1.25));
        assert_eq!(ratio(Measure::Percentile50), None);
        assert_eq!(Ratio::of(&rows, &rows[0], "echo", Measure::Median), None);
    }
}
