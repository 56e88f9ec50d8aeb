//! All figures of a run, their medians, and the best of several peers.

use std::collections::BTreeMap;

use benches::measure::reading::median;
use serde::Serialize;

use crate::runs::Figure;

/// What of a figure is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The figure itself.
    Value,
    /// What half of the operations did not exceed.
    P50,
    /// What 99 of 100 did not exceed.
    P99,
}

/// One figure over all rounds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Rounds {
    /// The figure of each round.
    pub values: Vec<f64>,
    /// Percentiles of each round, where they were measured.
    pub percentiles: Vec<[f64; 3]>,
}

/// What was measured: where, what, on how many threads, by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Between two OS processes.
    pub remote: bool,
    /// The pattern or case.
    pub name: String,
    /// How many threads.
    pub threads: usize,
    /// Who did it.
    pub peer: String,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<Key, Rounds>);

impl Figures {
    /// Adds a figure of one round.
    pub fn add(&mut self, remote: bool, threads: usize, peer: &str, figure: Figure) {
        let Figure {
            name,
            value,
            percentiles,
        } = figure;
        let key = Key {
            remote,
            name,
            threads,
            peer: peer.to_owned(),
        };
        let rounds = self.0.entry(key).or_default();
        rounds.values.push(value);
        rounds.percentiles.extend(percentiles);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Rounds)> {
        self.0.iter()
    }

    /// The median over the rounds.
    #[must_use]
    pub fn of(&self, key: &Key, part: Part) -> Option<f64> {
        let rounds = self.0.get(key)?;
        let place = match part {
            Part::Value => return Some(median(rounds.values.clone())),
            Part::P50 => 0,
            Part::P99 => 1,
        };
        let values: Vec<f64> = rounds.percentiles.iter().map(|all| all[place]).collect();
        (!values.is_empty()).then(|| median(values))
    }

    /// The peer among `peers` that did what `key` says best, and its figure.
    #[must_use]
    pub fn best<'p>(&self, key: &Key, part: Part, peers: &[&'p str]) -> Option<(&'p str, f64)> {
        let figure = |peer: &&'p str| {
            let key = Key {
                peer: (*peer).to_owned(),
                ..key.clone()
            };
            Some((*peer, self.of(&key, part)?))
        };
        let all = peers.iter().filter_map(figure);
        all.min_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(peer: &str) -> Key {
        let (name, peer) = ("ring".to_owned(), peer.to_owned());
        Key {
            remote: false,
            name,
            threads: 1,
            peer,
        }
    }

    #[test]
    fn the_best_of_some_peers_is_the_one_with_the_lowest_median() {
        let mut figures = Figures::default();
        for (peer, values) in [("caf", [9.0, 1.0, 8.0]), ("erlang", [5.0, 6.0, 7.0])] {
            for value in values {
                let figure = Figure {
                    name: "ring".to_owned(),
                    value,
                    percentiles: None,
                };
                figures.add(false, 1, peer, figure);
            }
        }
        let best = figures.best(&key("libproc"), Part::Value, &["caf", "erlang", "kameo"]);
        assert_eq!(best, Some(("erlang", 6.0)));
        assert_eq!(figures.best(&key("libproc"), Part::P50, &["caf"]), None);
    }
}
