//! Calls of every kind, of our own making, in the JSON that clients send.

use api::v1::Message;
use api::v1::scheduler::Call;

/// Calls of a scheduler: each type, and what is rare in them.
pub(crate) const SCHEDULER: &str = include_str!("../fixtures/scheduler_calls.jsonl");

/// Reads the calls of the scheduler.
pub(crate) fn calls() -> Vec<Call> {
    let read = |line: &str| {
        Call::from_json(line.as_bytes()).unwrap_or_else(|fault| panic!("{line}: {fault}"))
    };
    SCHEDULER.lines().map(read).collect()
}
