//! The page that lists in what we differ: a table of recordings, differences and reasons.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Where it is, from this crate.
const PAGE: &str = "../../docs/COMPATIBILITY-transcripts.md";

/// A row of the table; `*` in the first two columns stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    recording: String,
    difference: String,
}

impl Row {
    fn fits(&self, (recording, difference): &(String, String)) -> bool {
        fits(&self.recording, recording) && fits(&self.difference, difference)
    }
}

/// Whether a text fits a pattern whose stars stand for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| fits(after, &rest[at..]))
        }),
    }
}

fn rows() -> Vec<Row> {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let (recording, difference) = (cells.next()?, cells.next()?);
        let row = Row {
            recording: recording.to_owned(),
            difference: difference.to_owned(),
        };
        (recording.contains('/') || recording == "*").then_some(row)
    });
    rows.collect()
}

/// Holds what was found against the page: all of it is there, and nothing else.
pub(super) fn check(found: &BTreeSet<(String, String)>) {
    let rows = rows();
    let unknown = found
        .iter()
        .filter(|found| !rows.iter().any(|row| row.fits(found)));
    let unknown = unknown.map(|(recording, difference)| format!("| {recording} | {difference} |"));
    let unknown: Vec<_> = unknown.collect();
    let gone = rows
        .iter()
        .filter(|row| !found.iter().any(|found| row.fits(found)));
    let gone: Vec<_> = gone
        .map(|row| format!("| {} | {} |", row.recording, row.difference))
        .collect();
    assert!(
        unknown.is_empty() && gone.is_empty(),
        "docs/COMPATIBILITY-transcripts.md is not what is true.\nNot on it:\n{}\nNo more:\n{}\n",
        unknown.join("\n"),
        gone.join("\n"),
    );
}

#[test]
fn stars_stand_for_anything() {
    assert!(fits("a/*", "a/b") && fits("*", "") && fits("a*c*e", "abcde") && fits("ab", "ab"));
    assert!(!fits("a/*", "b/a") && !fits("a*c", "abcd") && !fits("ab", "abc"));
}
