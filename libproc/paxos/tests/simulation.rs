//! The simulator: seeds that once found something, a few fresh ones, and the planted bugs.

#![cfg(feature = "sim")]

use paxos::sim::{self, Flaw};

/// Each found a bug once.
const FOUND: &[(u64, &str)] = &[
    (
        2,
        "a replica that learned a log from its beginning did not know who began it",
    ),
    (
        19,
        "a promise that told of entries far past the commit was thrown away",
    ),
    (
        49,
        "a promise once forgotten was forgotten again at every start",
    ),
    (
        1009,
        "reads kept a leader from sending again what was not accepted",
    ),
    (
        1010,
        "a leader that lost what only it knew to be chosen waited for ever",
    ),
    (
        3550,
        "a candidate led before those were heard who had what it had lost",
    ),
    (
        4232,
        "damage told while the record of older damage was being written was forgotten",
    ),
    (
        6822,
        "a replica without a vote waited for entries nobody needs",
    ),
    (
        107_071,
        "who caught up got fewer entries in a round trip than were written",
    ),
    (
        100_682,
        "the only one that could lead stood below those it could not promise",
    ),
    (
        103_004,
        "who caught up with a log of one replica asked for too little at a time",
    ),
];

#[test]
fn seeds_that_found_a_bug_find_none() {
    for (seed, bug) in FOUND {
        let outcome = sim::replay(*seed, None);
        assert_eq!(outcome.violation, None, "seed {seed}: {bug}");
    }
}

/// Half a cluster-hour; `TEPUI_SIM_HOURS` makes it any number, and `TEPUI_SIM_SEED` begins elsewhere.
#[test]
fn fresh_seeds_find_nothing() {
    let hours = number("TEPUI_SIM_HOURS").unwrap_or(0.5);
    let seed = number("TEPUI_SIM_SEED").unwrap_or(500_000.0) as u64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = sim::run(hours, seed, threads);
    println!("from seed {seed}: {report}");
    assert!(report.violations.is_empty(), "from seed {seed}: {report}");
    assert!(report.counts["appends acknowledged"] > 1_000, "{report}");
}

#[test]
fn a_seed_is_a_run() {
    let (first, second) = (sim::replay(7, None), sim::replay(7, None));
    assert_eq!(first.history, second.history);
    assert_eq!(first.counts, second.counts);
}

#[test]
fn every_planted_bug_is_found() {
    for flaw in [
        Flaw::AcceptWithoutPromise,
        Flaw::AckBeforeFsync,
        Flaw::LearnUnchecked,
        Flaw::Amnesia,
        Flaw::TruncateOffByOne,
    ] {
        let found = sim::seeds_to_detection(flaw, 1, 200);
        assert!(found.is_some(), "{flaw:?} was not found in 200 runs");
    }
}

fn number(variable: &str) -> Option<f64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}
