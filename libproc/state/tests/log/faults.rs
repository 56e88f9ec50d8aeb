//! Users that race while hosts crash and links are cut: what they saw must have an order.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use libproc::sim::{self, World};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use state::check::{OneVariable, Operation, VariableAnswer, VariableCall, is_linearizable, split};
use state::{Change, Entry, LogStorage, Storage as _, StorageError, Version, Writing};

use crate::hosts::*;

const NAMES: [&str; 3] = ["x", "y", "z"];

type Seen = Operation<(usize, VariableCall), VariableAnswer>;

/// What all users did, on one clock.
#[derive(Default)]
struct Journal {
    clock: u64,
    seen: Vec<Seen>,
    stored: u64,
    /// They are to stop.
    over: bool,
}

impl Journal {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn note(&mut self, call: (usize, VariableCall), called: u64, answer: Option<VariableAnswer>) {
        let at = self.tick();
        let answer = answer.map(|answer| (answer, at));
        self.seen.push(Operation {
            call,
            called,
            answer,
        });
    }
}

/// Does one thing after another to a few variables, until all are to stop.
async fn use_always(world: World, storage: LogStorage, journal: Rc<RefCell<Journal>>, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut known: [Option<Version>; 3] = [None; 3];
    while !journal.borrow().over {
        let variable = chance.random_range(0..NAMES.len());
        let called = journal.borrow_mut().tick();
        let get = chance.random_bool(0.5);
        let (call, answer) = if get {
            let Ok(entry) = storage.get(NAMES[variable]).await else {
                world.sleep(SECOND / 10).await;
                continue;
            };
            known[variable] = entry.map(|entry| entry.version);
            (VariableCall::Get, Some(VariableAnswer::Is(known[variable])))
        } else {
            let from = known[variable];
            let to = (from.is_none() || chance.random_bool(0.8)).then(Version::fresh);
            let length = match chance.random_bool(0.1) {
                true => 5 * ENTRY,
                false => chance.random_range(0..2000),
            };
            let answer = match storage
                .commit(vec![change(variable, from, to, length)])
                .await
            {
                Ok(changed) => Some(VariableAnswer::Changed(changed)),
                Err(StorageError::Unknown(_)) => None,
                Err(StorageError::Superseded) => {
                    // Nothing has happened. It may start again, or not.
                    let _ = storage.start().await;
                    continue;
                }
                Err(StorageError::Failed { .. }) => {
                    world.sleep(SECOND / 10).await;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            if answer == Some(VariableAnswer::Changed(true)) {
                known[variable] = to;
                journal.borrow_mut().stored += 1;
            }
            (VariableCall::Change { from, to }, answer)
        };
        journal.borrow_mut().note((variable, call), called, answer);
        let pause = SECOND / chance.random_range(5..100);
        world.sleep(pause).await;
    }
}

fn change(variable: usize, from: Option<Version>, to: Option<Version>, length: usize) -> Change {
    let name = NAMES[variable].to_owned();
    match (to, from) {
        (Some(version), expected) => Change::Set {
            entry: Entry {
                name,
                version,
                value: Bytes::from(vec![7; length]),
            },
            expected,
        },
        (None, Some(expected)) => Change::Expunge { name, expected },
        (None, None) => Change::Check {
            name,
            expected: None,
        },
    }
}

fn race(seed: u64, writing: Writing) {
    simulation(seed).run(async move |world| {
        let disks = start(&world).await;
        let here = world.here().await;
        let journal = Rc::new(RefCell::new(Journal::default()));
        let users = HOSTS.into_iter().zip(1..).map(|(host, user)| {
            let storage = storage(&world, &here, host, writing);
            let task = use_always(world.clone(), storage, journal.clone(), seed * 31 + user);
            tokio::task::spawn_local(task)
        });
        let users: Vec<_> = users.collect();
        let mut chance = StdRng::seed_from_u64(seed);
        for _ in 0..10 {
            let host = HOSTS[chance.random_range(0..3)];
            let other = HOSTS[chance.random_range(0..3)];
            match chance.random_range(0..4) {
                0 => {
                    world.crash(host).await;
                    disks[host].crash(&mut chance);
                    world.sleep(SECOND * chance.random_range(1..4)).await;
                    world.bounce(host).await;
                    world.node(host).await;
                }
                1 if host != other => {
                    world.partition(host, other);
                    world.sleep(SECOND * chance.random_range(1..4)).await;
                    world.repair(host, other);
                }
                2 if host != other => {
                    world.partition_one_way(host, other);
                    world.sleep(SECOND * chance.random_range(1..4)).await;
                    world.repair(host, other);
                }
                _ => world.sleep(SECOND).await,
            }
        }
        world.heal().await;
        let before = journal.borrow().stored;
        world.sleep(10 * SECOND).await;
        journal.borrow_mut().over = true;
        for user in users {
            user.await.unwrap();
        }
        check(&journal.borrow(), before);
        // Whoever comes now sees what all see.
        let mut all = Vec::new();
        for host in HOSTS {
            let storage = storage(&world, &here, host, Writing::InTurns);
            let mut versions = Vec::new();
            for name in NAMES {
                let entry = storage.get(name).await.unwrap();
                versions.push(entry.map(|entry| (entry.version, entry.value)));
            }
            all.push(versions);
        }
        assert!(all[0] == all[1] && all[1] == all[2]);
    });
}

/// What was seen has an order, and something was stored since `before`.
fn check(journal: &Journal, before: u64) {
    assert!(
        journal.stored > before,
        "nothing was stored after the faults"
    );
    for (variable, seen) in split(journal.seen.clone(), |(variable, _)| *variable) {
        let seen: Vec<_> = seen
            .into_iter()
            .map(|operation| Operation {
                call: operation.call.1,
                called: operation.called,
                answer: operation.answer,
            })
            .collect();
        assert!(
            is_linearizable::<OneVariable>(&seen),
            "{}: {seen:#?}",
            NAMES[variable]
        );
    }
}

#[test]
fn users_that_take_turns_see_one_order_whatever_crashes_or_is_cut_off() {
    sim::check(sim::seeds(3), |seed| race(seed, Writing::InTurns));
}

#[test]
fn users_that_exclude_each_other_see_one_order_whatever_crashes_or_is_cut_off() {
    sim::check(sim::seeds(3), |seed| race(seed, Writing::Exclusive));
}

#[test]
fn a_commit_that_was_forgotten_with_its_part_of_the_log_is_not_taken_for_one_that_failed() {
    // A writer that is cut off comes back behind a checkpoint that another has made meanwhile. It
    // was once told that nothing of its last commit had happened, which nobody could know.
    race(27, Writing::Exclusive);
}
