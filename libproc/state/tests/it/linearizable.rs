//! Clients at the same time: what they saw must have an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use state::check::{OneVariable, Operation, VariableAnswer, VariableCall, is_linearizable, split};
use state::{Change, Entry, Storage, StorageError, Version};

use crate::storages::{Clients, all};

const CLIENTS: usize = 4;

/// What a client does to one of a few variables.
#[derive(Debug, Clone, Copy)]
enum Step {
    Get(usize),
    /// With the version it saw last, right or stale.
    Set(usize),
    Expunge(usize),
    /// Both variables at once.
    SetBoth,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..2_usize).prop_map(Step::Get),
        4 => (0..2_usize).prop_map(Step::Set),
        1 => (0..2_usize).prop_map(Step::Expunge),
        1 => Just(Step::SetBoth),
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Vec<Step>>> {
    proptest::collection::vec(proptest::collection::vec(step(), 1..12), CLIENTS)
}

const NAMES: [&str; 2] = ["x", "y"];

type Seen = Operation<(usize, VariableCall), VariableAnswer>;

/// One client's part: what it asked, and what it was answered.
async fn play(storage: Arc<dyn Storage>, steps: Vec<Step>, clock: Arc<AtomicU64>) -> Vec<Seen> {
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let mut known: [Option<Version>; 2] = [None; 2];
    let mut seen = Vec::new();
    for step in steps {
        let called = tick();
        let one = |variable: usize, call, answer: Option<VariableAnswer>, at| Operation {
            call: (variable, call),
            called,
            answer: answer.map(|answer| (answer, at)),
        };
        let changes: Vec<(usize, Option<Version>)> = match step {
            Step::Get(variable) => {
                let Ok(entry) = storage.get(NAMES[variable]).await else {
                    continue;
                };
                known[variable] = entry.map(|entry| entry.version);
                let answer = Some(VariableAnswer::Is(known[variable]));
                seen.push(one(variable, VariableCall::Get, answer, tick()));
                continue;
            }
            Step::Set(variable) => vec![(variable, Some(Version::fresh()))],
            Step::Expunge(variable) if known[variable].is_some() => vec![(variable, None)],
            Step::Expunge(_) => continue,
            Step::SetBoth => {
                vec![(0, Some(Version::fresh())), (1, Some(Version::fresh()))]
            }
        };
        let asked = changes
            .iter()
            .map(|&(variable, to)| change(variable, known[variable], to));
        let answer = storage.commit(asked.collect()).await;
        let at = tick();
        let answer = match answer {
            Ok(done) => Some(done),
            Err(StorageError::Unknown(_)) => None,
            Err(error) => panic!("{error}"),
        };
        // Of two that fail together, one may have been as expected: nothing is known of either.
        if changes.len() == 2 && answer == Some(false) {
            continue;
        }
        for (variable, to) in changes {
            let from = known[variable];
            let call = VariableCall::Change { from, to };
            seen.push(one(variable, call, answer.map(VariableAnswer::Changed), at));
            if answer == Some(true) {
                known[variable] = to;
            }
        }
    }
    seen
}

fn change(variable: usize, from: Option<Version>, to: Option<Version>) -> Change {
    let name = NAMES[variable].to_owned();
    match to {
        Some(version) => Change::Set {
            entry: Entry {
                name,
                version,
                value: Default::default(),
            },
            expected: from,
        },
        None => Change::Expunge {
            name,
            expected: from.expect("only what is there is expunged"),
        },
    }
}

fn check(clients: Clients, scripts: Vec<Vec<Step>>, lost: u32) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let clock = Arc::new(AtomicU64::new(0));
    let seen: Vec<Seen> = runtime.block_on(async {
        if let Some(ensemble) = &clients.ensemble {
            ensemble.lose_answers(lost);
        }
        let players = clients
            .handles
            .iter()
            .zip(scripts)
            .map(|(storage, steps)| tokio::spawn(play(storage.clone(), steps, clock.clone())));
        let mut seen = Vec::new();
        for player in players.collect::<Vec<_>>() {
            seen.extend(player.await.unwrap());
        }
        seen
    });
    for (variable, part) in split(seen, |(variable, _)| *variable) {
        let part: Vec<_> = part
            .into_iter()
            .map(|operation| Operation {
                call: operation.call.1,
                called: operation.called,
                answer: operation.answer,
            })
            .collect();
        let name = clients.name;
        prop_assert!(
            is_linearizable::<OneVariable>(&part),
            "{name} {variable}: {part:#?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_storage_is_linearizable(scripts in scripts(), lost in 0..3_u32) {
        for clients in all(CLIENTS) {
            check(clients, scripts.clone(), lost)?;
        }
    }
}

/// A storage that forgets to compare: what is to be found.
#[test]
fn a_storage_that_does_not_compare_is_found() {
    let (a, b) = (Version::fresh(), Version::fresh());
    let change = |from, to, called, answered| Operation {
        call: VariableCall::Change { from, to: Some(to) },
        called,
        answer: Some((VariableAnswer::Changed(true), answered)),
    };
    // Two that both believe to be the first.
    assert!(!is_linearizable::<OneVariable>(&[
        change(None, a, 0, 3),
        change(None, b, 1, 2)
    ]));
}
