//! The tables: everybody's medians, how far ahead we are, and the limits.

use std::fmt::Write as _;

use benches::measure::page::time;

use crate::figures::{Figures, Key, Part};
use crate::limits::Verdict;
use crate::peers::{LIBPROC, PEERS};

/// Everybody's medians, a row for each of `names` and count of threads.
#[must_use]
pub fn medians(figures: &Figures, remote: bool, names: &[String], threads: &[usize]) -> String {
    let took_part = |name: &str| {
        figures
            .iter()
            .any(|(key, _)| key.remote == remote && key.peer == name)
    };
    let peers: Vec<&str> = PEERS
        .iter()
        .map(|peer| peer.name)
        .filter(|name| took_part(name))
        .collect();
    if peers.is_empty() {
        return String::new();
    }
    let rivals: Vec<&str> = peers
        .iter()
        .copied()
        .filter(|peer| *peer != LIBPROC)
        .collect();
    let mut text = String::from("| | threads |");
    peers.iter().for_each(|peer| text += &format!(" {peer} |"));
    text += " best of the others |\n|---|---|";
    peers.iter().for_each(|_| text += "---|");
    text += "---|\n";
    for name in names {
        for &threads in threads {
            let key = |peer: &str| {
                let (name, peer) = (name.clone(), peer.to_owned());
                Key {
                    remote,
                    name,
                    threads,
                    peer,
                }
            };
            let Some(row) = row(figures, &peers, &rivals, key) else {
                continue;
            };
            let _ = writeln!(text, "| {name} | {threads} |{row}");
        }
    }
    text
}

/// One row without its head; none when nobody has a figure.
fn row(
    figures: &Figures,
    peers: &[&str],
    rivals: &[&str],
    key: impl Fn(&str) -> Key,
) -> Option<String> {
    let mut row = String::new();
    let mut some = false;
    for peer in peers {
        let key = key(peer);
        let cell = figures.of(&key, Part::Value).map(|value| {
            some = true;
            cell(figures, &key, value)
        });
        row += &format!(" {} |", cell.unwrap_or_else(|| "-".to_owned()));
    }
    let ours = figures.of(&key(LIBPROC), Part::Value);
    let best = figures.best(&key(LIBPROC), Part::Value, rivals);
    if let (Some(ours), Some((rival, theirs))) = (ours, best) {
        row += &format!(" {rival}, {:.2}x ours", theirs / ours);
    }
    some.then(|| row + " |")
}

fn cell(figures: &Figures, key: &Key, value: f64) -> String {
    if key.name.contains("memory") {
        return format!("{value:.0} B");
    }
    let percentiles = (figures.of(key, Part::P50), figures.of(key, Part::P99));
    match percentiles {
        (Some(p50), Some(p99)) => {
            format!("{} (p50 {}, p99 {})", time(value), time(p50), time(p99))
        }
        _ => time(value),
    }
}

/// The limits, each with whether it holds.
#[must_use]
pub fn limits(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| limit | threads | beside | ratio | at most | |\n");
    text += "|---|---|---|---|---|---|\n";
    for verdict in verdicts {
        let Verdict {
            what,
            threads,
            beside,
            ratio,
            limit,
        } = verdict;
        let word = if verdict.holds() {
            "holds"
        } else {
            "**fails**"
        };
        let _ = writeln!(
            text,
            "| {what} | {threads} | {beside} | {ratio:.3} | {limit:.3} | {word} |"
        );
    }
    text
}
