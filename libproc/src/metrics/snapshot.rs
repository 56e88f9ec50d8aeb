//! The snapshot: a flat JSON object of names and numbers.

use std::collections::BTreeMap;

use serde_json::Number as Json;

use super::histogram::{Distribution, QUANTILES};
use super::name;
use super::reading::{Number, Reading, Readings};
use super::registry::Kind;

/// Microseconds in what the snapshot gives durations in.
const US_A_MS: f64 = 1e3;

/// Names and numbers; what JSON has no number for is left out.
pub(crate) fn flat(all: &[Readings]) -> BTreeMap<String, Json> {
    let mut page = BTreeMap::new();
    for Readings { family, members } in all {
        for (labels, reading) in members {
            let name = name::flat(&family.name, family.kind, labels);
            match reading {
                Reading::Number(number) => {
                    page.extend(json(*number).map(|number| (name, number)));
                }
                Reading::Distribution(distribution) => {
                    let timed = family.kind == Kind::Timer;
                    let lines = lines(distribution, timed).into_iter();
                    page.extend(lines.map(|(ending, number)| (format!("{name}{ending}"), number)));
                }
            }
        }
    }
    page
}

/// A number, whole where it is.
fn json(number: Number) -> Option<Json> {
    match number {
        Number::Whole(value) => Some(value.into()),
        Number::Real(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
            Some((value as i64).into())
        }
        Number::Real(value) => Json::from_f64(value),
    }
}

fn lines(distribution: &Distribution, timed: bool) -> Vec<(String, Json)> {
    let value = |value: u64| {
        let ms = Number::Real(value as f64 / US_A_MS);
        json(if timed { ms } else { Number::Whole(value) })
    };
    let window = distribution.window.as_ref();
    let count = window.map_or(0, |window| window.count);
    let mut lines = vec![("/count".to_owned(), Some(count.into()))];
    if distribution.count > 0 {
        lines.push((String::new(), value(distribution.last)));
    }
    if let Some(window) = window {
        lines.push(("/min".to_owned(), value(window.min)));
        lines.push(("/max".to_owned(), value(window.max)));
        for ((ending, _), at) in QUANTILES.iter().zip(window.quantiles) {
            lines.push((format!("/{ending}"), value(at)));
        }
    }
    let there = |(ending, number): (_, Option<Json>)| Some((ending, number?));
    lines.into_iter().filter_map(there).collect()
}
