//! The checker itself: on histories known to be right or wrong, and against another checker.

use proptest::prelude::*;
use state::check::{Model, Operation, is_linearizable, split};
use todc_utils::specifications::register::{RegisterOperation, RegisterSpecification};
use todc_utils::{Action, History, WGLChecker};

/// A register that begins at zero.
struct Register;

#[derive(Debug, Clone, Copy)]
enum Call {
    Read,
    Write(u32),
}

impl Model for Register {
    type State = u32;
    type Call = Call;
    type Answer = Option<u32>;

    fn start() -> u32 {
        0
    }

    fn apply(state: &u32, call: &Call) -> (u32, Option<u32>) {
        match *call {
            Call::Read => (*state, Some(*state)),
            Call::Write(value) => (value, None),
        }
    }
}

fn read(value: u32, called: u64, answered: u64) -> Operation<Call, Option<u32>> {
    Operation {
        call: Call::Read,
        called,
        answer: Some((Some(value), answered)),
    }
}

fn write(value: u32, called: u64, answered: u64) -> Operation<Call, Option<u32>> {
    Operation {
        call: Call::Write(value),
        called,
        answer: Some((None, answered)),
    }
}

#[test]
fn a_read_sees_what_was_written_before_it_or_meanwhile() {
    assert!(is_linearizable::<Register>(&[]));
    assert!(is_linearizable::<Register>(&[
        write(1, 0, 1),
        read(1, 2, 3)
    ]));
    assert!(is_linearizable::<Register>(&[
        write(1, 0, 9),
        read(0, 1, 2),
        read(1, 3, 4)
    ]));
    // Two writes at once, seen one after the other.
    let both = [write(1, 0, 9), write(2, 0, 9), read(2, 1, 2), read(1, 3, 4)];
    assert!(is_linearizable::<Register>(&both));
}

#[test]
fn a_read_of_the_past_or_of_nothing_is_found() {
    assert!(!is_linearizable::<Register>(&[
        write(1, 0, 1),
        read(0, 2, 3)
    ]));
    assert!(!is_linearizable::<Register>(&[read(1, 0, 1)]));
    // Seen, and then not.
    assert!(!is_linearizable::<Register>(&[
        write(1, 0, 9),
        read(1, 1, 2),
        read(0, 3, 4)
    ]));
}

#[test]
fn what_was_never_answered_may_have_happened_or_not() {
    let lost = Operation {
        call: Call::Write(1),
        called: 0,
        answer: None,
    };
    assert!(is_linearizable::<Register>(&[
        lost.clone(),
        read(0, 5, 6),
        read(1, 7, 8)
    ]));
    assert!(is_linearizable::<Register>(&[lost.clone(), read(0, 5, 6)]));
    assert!(!is_linearizable::<Register>(&[
        lost,
        read(1, 5, 6),
        read(0, 7, 8)
    ]));
}

#[test]
fn a_history_is_split_by_key() {
    let parts = split([write(1, 0, 1), read(1, 2, 3)], |call| {
        matches!(call, Call::Read)
    });
    assert_eq!(parts.values().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

/// Who steps, with which value, and whether it reads.
fn steps() -> impl Strategy<Value = Vec<(usize, u32, bool)>> {
    proptest::collection::vec((0..PROCESSES, 0..3_u32, any::<bool>()), 1..24)
}

const PROCESSES: usize = 4;

type Row = Vec<(usize, Action<RegisterOperation<u32>>)>;

/// Calls and answers as they come: a process that steps is answered if it waits, and calls if it
/// does not. What is answered is chance, so that most histories are wrong.
fn row(steps: &[(usize, u32, bool)]) -> Row {
    let mut waiting: [Option<RegisterOperation<u32>>; PROCESSES] = [None; PROCESSES];
    let mut row = Row::new();
    for &(process, value, reads) in steps {
        if let Some(operation) = waiting[process].take() {
            row.push((process, Action::Response(operation)));
            continue;
        }
        let (call, answer) = match reads {
            true => (
                RegisterOperation::Read(None),
                RegisterOperation::Read(Some(value)),
            ),
            false => (
                RegisterOperation::Write(value),
                RegisterOperation::Write(value),
            ),
        };
        row.push((process, Action::Call(call)));
        waiting[process] = Some(answer);
    }
    for (process, waiting) in waiting.into_iter().enumerate() {
        row.extend(waiting.map(|operation| (process, Action::Response(operation))));
    }
    row
}

/// The same history for our checker.
fn ours(row: &Row) -> Vec<Operation<Call, Option<u32>>> {
    let mut history: Vec<Operation<Call, Option<u32>>> = Vec::new();
    let mut open = [0; PROCESSES];
    for (at, (process, action)) in row.iter().enumerate() {
        let at = at as u64;
        match action {
            Action::Call(operation) => {
                open[*process] = history.len();
                let call = match operation {
                    RegisterOperation::Read(_) => Call::Read,
                    RegisterOperation::Write(value) => Call::Write(*value),
                };
                history.push(Operation {
                    call,
                    called: at,
                    answer: None,
                });
            }
            Action::Response(operation) => {
                let answer = match operation {
                    RegisterOperation::Read(value) => *value,
                    RegisterOperation::Write(_) => None,
                };
                history[open[*process]].answer = Some((answer, at));
            }
        }
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn another_checker_agrees(steps in steps()) {
        let row = row(&steps);
        let ours = is_linearizable::<Register>(&ours(&row));
        let theirs = WGLChecker::<RegisterSpecification<u32>>::is_linearizable(History::from_actions(row));
        prop_assert_eq!(ours, theirs);
    }
}
