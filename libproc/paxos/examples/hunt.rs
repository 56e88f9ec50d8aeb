//! Hunts for violations: `hunt HOURS [SEED] [THREADS]`, or `hunt seed SEED` for one run again,
//! `hunt trace SEED` for every step of it, or `hunt flaws` for the planted bugs.
//!
//! `cargo run --release -p paxos --features sim --example hunt -- 100`

use paxos::sim::{self, Flaw};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, otherwise: u64| {
        arguments
            .get(index)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    match arguments.first().map(String::as_str) {
        Some("seed") => {
            let outcome = sim::replay(number(1, 1), None);
            println!("{:#?}", outcome);
            std::process::exit(i32::from(outcome.violation.is_some()));
        }
        Some("trace") => {
            let outcome = sim::replay_traced(number(1, 1), None, |line| println!("{line}"));
            println!("{:?}", outcome.violation);
        }
        Some("flaws") => {
            for flaw in [
                Flaw::AcceptWithoutPromise,
                Flaw::AckBeforeFsync,
                Flaw::LearnUnchecked,
                Flaw::Amnesia,
                Flaw::TruncateOffByOne,
            ] {
                match sim::seeds_to_detection(flaw, number(1, 1), 10_000) {
                    Some((runs, seen)) => println!("{flaw:?}: found in run {runs}: {seen}"),
                    None => println!("{flaw:?}: not found"),
                }
            }
        }
        _ => {
            let hours = arguments
                .first()
                .and_then(|text| text.parse().ok())
                .unwrap_or(10.0);
            let threads = usize::try_from(number(2, 1)).unwrap_or(1);
            let report = sim::run(hours, number(1, 1), threads);
            println!("{report}");
            std::process::exit(i32::from(!report.violations.is_empty()));
        }
    }
}
