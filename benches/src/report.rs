//! How figures are gathered and shown.

use serde::Serialize;

/// One pattern: what we took and what its peer or limit took in the same run, in nanoseconds an
/// operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was done.
    pub pattern: String,
    /// Our median.
    pub ours_ns: f64,
    /// Whom it is compared with.
    pub peer: String,
    /// The peer's median.
    pub peer_ns: f64,
}

impl Figure {
    /// How many times as long the peer took.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.peer_ns / self.ours_ns
    }
}

/// The median; 0 when there is nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Runs every one of `measures` once a round, and gives the medians in their order.
pub fn interleave<const N: usize>(
    rounds: usize,
    mut measures: [&mut dyn FnMut() -> f64; N],
) -> [f64; N] {
    let mut taken: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..rounds.max(1) {
        for (measure, taken) in measures.iter_mut().zip(&mut taken) {
            taken.push(measure());
        }
    }
    taken.map(median)
}

/// Prints figures as a table.
pub fn print(figures: &[Figure]) {
    println!(
        "{:<34} {:>10}   {:<22} {:>10} {:>8}",
        "pattern", "tepui ns", "beside", "ns", "ratio"
    );
    for figure in figures {
        println!(
            "{:<34} {:>10.1}   {:<22} {:>10.1} {:>7.2}x",
            figure.pattern,
            figure.ours_ns,
            figure.peer,
            figure.peer_ns,
            figure.ratio()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }
}
