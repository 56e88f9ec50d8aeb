//! A reading: one figure of one run, and what several rounds of it come to.

use serde::{Deserialize, Serialize};

use super::latency::Latency;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds an operation; less is better.
    Nanoseconds,
    /// Bytes; less is better.
    Bytes,
}

impl Unit {
    /// As it stands behind a number.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Bytes => "B",
        }
    }
}

/// One figure of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// What was measured, `ring` for example.
    pub name: String,
    /// What one operation is, `hop` for example.
    pub of: String,
    /// What `value` counts.
    pub unit: Unit,
    /// The figure.
    pub value: f64,
    /// How long single operations took, where that was looked at.
    pub latency: Option<Latency>,
}

impl Reading {
    /// Nanoseconds an operation.
    #[must_use]
    pub fn time(name: &str, of: &str, nanoseconds: f64) -> Reading {
        Reading {
            name: name.to_owned(),
            of: of.to_owned(),
            unit: Unit::Nanoseconds,
            value: nanoseconds,
            latency: None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(name: &str, of: &str, bytes: f64) -> Reading {
        Reading {
            unit: Unit::Bytes,
            ..Reading::time(name, of, bytes)
        }
    }

    /// The same, with the latencies of single operations.
    #[must_use]
    pub fn with_latency(mut self, latency: Latency) -> Reading {
        self.latency = Some(latency);
        self
    }
}

/// One figure over all rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// What one operation is.
    pub of: String,
    /// How many arbiters or threads ran it.
    pub arbiters: usize,
    /// What the figures count.
    pub unit: Unit,
    /// The median of `rounds`.
    pub median: f64,
    /// The figure of each round, in their order.
    pub rounds: Vec<f64>,
    /// Operations a second at the median; none for bytes.
    pub per_second: Option<f64>,
    /// All rounds' latencies together.
    pub latency: Option<Latency>,
}

/// Collects the readings of all rounds.
#[derive(Debug, Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// Adds a reading of one round.
    pub fn add(&mut self, arbiters: usize, reading: Reading) {
        let known = |row: &&mut Row| row.name == reading.name && row.arbiters == arbiters;
        let Some(row) = self.0.iter_mut().find(known) else {
            self.0.push(Row {
                name: reading.name,
                of: reading.of,
                arbiters,
                unit: reading.unit,
                median: reading.value,
                rounds: vec![reading.value],
                per_second: None,
                latency: reading.latency,
            });
            return;
        };
        row.rounds.push(reading.value);
        match (&mut row.latency, reading.latency) {
            (Some(all), Some(latency)) => all.merge(&latency),
            (all @ None, latency) => *all = latency,
            (Some(_), None) => {}
        }
    }

    /// The rows, in the order of their first readings, with their medians.
    #[must_use]
    pub fn finish(mut self) -> Vec<Row> {
        for row in &mut self.0 {
            row.median = median(row.rounds.clone());
            row.per_second = match row.unit {
                Unit::Nanoseconds if row.median > 0.0 => Some(1e9 / row.median),
                Unit::Nanoseconds | Unit::Bytes => None,
            };
        }
        self.0
    }
}

/// The median; 0 when there is nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn rounds_of_one_name_and_count_of_arbiters_come_together() {
        let mut rows = Rows::default();
        for (arbiters, value) in [(1, 30.0), (2, 7.0), (1, 10.0), (1, 20.0)] {
            let mut latency = Latency::new();
            latency.record(value as u64);
            let reading = Reading::time("ring", "hop", value).with_latency(latency);
            rows.add(arbiters, reading);
        }
        let rows = rows.finish();
        let medians: Vec<_> = rows.iter().map(|row| (row.arbiters, row.median)).collect();
        assert_eq!(medians, [(1, 20.0), (2, 7.0)]);
        assert_eq!(rows[0].latency.as_ref().map(Latency::count), Some(3));
        assert_eq!(rows[0].per_second, Some(5e7));
    }
}
