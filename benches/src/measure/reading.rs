//! A reading: one figure of one run, and what several rounds of it come to.

use serde::{Deserialize, Serialize};

use super::latency::Latency;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds an operation; less is better.
    Nanoseconds,
    /// Mean nanoseconds from beginning to end, of operations that came at a set rate; less is
    /// better, and says nothing of how many there could be.
    Latency,
    /// Bytes; less is better.
    Bytes,
}

impl Unit {
    /// As it stands behind a number.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Unit::Nanoseconds | Unit::Latency => "ns",
            Unit::Bytes => "B",
        }
    }
}

/// One figure of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// Who did it: `libproc`, a peer, or a limit.
    pub by: String,
    /// What was measured, `ring` for example.
    pub name: String,
    /// What one operation is, `hop` for example.
    pub of: String,
    /// What `value` counts.
    pub unit: Unit,
    /// The figure.
    pub value: f64,
    /// Processor time of all threads for an operation, in nanoseconds, where it was looked at.
    pub cpu: Option<f64>,
    /// How long single operations took, where that was looked at.
    pub latency: Option<Latency>,
}

/// What one operation took.
#[derive(Debug, Clone, Copy)]
pub struct Each {
    /// From the first to the last, divided by how many there were.
    pub nanoseconds: f64,
    /// The same of the processor time of all threads.
    pub cpu: Option<f64>,
}

impl From<f64> for Each {
    fn from(nanoseconds: f64) -> Each {
        Each {
            nanoseconds,
            cpu: None,
        }
    }
}

impl Reading {
    /// Nanoseconds an operation.
    #[must_use]
    pub fn time(name: &str, of: &str, each: impl Into<Each>) -> Reading {
        let each = each.into();
        Reading {
            by: "libproc".to_owned(),
            name: name.to_owned(),
            of: of.to_owned(),
            unit: Unit::Nanoseconds,
            value: each.nanoseconds,
            cpu: each.cpu,
            latency: None,
        }
    }

    /// How long operations took that came at a set rate.
    #[must_use]
    pub fn latency(name: &str, of: &str, latency: Latency) -> Reading {
        Reading {
            unit: Unit::Latency,
            ..Reading::time(name, of, latency.mean()).with_latency(latency)
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

    /// The same, done by somebody else.
    #[must_use]
    pub fn by(mut self, who: &str) -> Reading {
        who.clone_into(&mut self.by);
        self
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
    /// Who did it.
    pub by: String,
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
    /// The median of the processor time of all threads for an operation, in nanoseconds.
    pub cpu: Option<f64>,
    /// That of each round.
    #[serde(skip)]
    pub cpus: Vec<f64>,
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
        let known = |row: &&mut Row| {
            row.by == reading.by && row.name == reading.name && row.arbiters == arbiters
        };
        let Some(row) = self.0.iter_mut().find(known) else {
            self.0.push(Row {
                by: reading.by,
                name: reading.name,
                of: reading.of,
                arbiters,
                unit: reading.unit,
                median: reading.value,
                rounds: vec![reading.value],
                cpu: None,
                cpus: reading.cpu.into_iter().collect(),
                per_second: None,
                latency: reading.latency,
            });
            return;
        };
        row.rounds.push(reading.value);
        row.cpus.extend(reading.cpu);
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
            row.cpu = (!row.cpus.is_empty()).then(|| median(row.cpus.clone()));
            row.per_second = match row.unit {
                Unit::Nanoseconds if row.median > 0.0 => Some(1e9 / row.median),
                Unit::Nanoseconds | Unit::Latency | Unit::Bytes => None,
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
