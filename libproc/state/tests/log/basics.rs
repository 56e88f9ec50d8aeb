//! What every storage promises, and what only this one has.

use libproc::sim;
use replog::Position;
use state::{State, Storage as _, StorageError, Transaction, Writing};

use crate::hosts::*;

#[test]
fn whoever_stores_second_gets_nothing() {
    sim::check(sim::seeds(2), |seed| {
        simulation(seed).run(async |world| {
            start(&world).await;
            let here = world.here().await;
            let (a, b) = (shared(&world, &here, "a"), shared(&world, &here, "b"));
            let mine = a.fetch::<u64>("x").await.unwrap();
            let theirs = b.fetch::<u64>("x").await.unwrap();
            assert_eq!(mine.value(), None);
            let mine = a.store(mine.mutate(1)).await.unwrap().unwrap();
            assert_eq!(b.store(theirs.mutate(2)).await.unwrap(), None);
            assert_eq!(b.fetch::<u64>("x").await.unwrap(), mine);
            let stored = b.store(mine.clone().mutate(3)).await.unwrap();
            assert_eq!(a.fetch::<u64>("x").await.unwrap().value(), Some(&3));
            assert_eq!(a.store(mine.mutate(4)).await.unwrap(), None);
            assert!(a.expunge(stored.unwrap()).await.unwrap());
            assert!(b.names().await.unwrap().is_empty());
        });
    });
}

#[test]
fn a_transaction_happens_as_a_whole_or_not_at_all() {
    simulation(1).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let (a, b) = (shared(&world, &here, "a"), shared(&world, &here, "b"));
        let (x, y) = (
            a.fetch::<u64>("x").await.unwrap(),
            a.fetch::<u64>("y").await.unwrap(),
        );
        let stale = y.clone();
        let mut first = Transaction::default();
        first.store(x.mutate(1)).unwrap();
        first.store(y.mutate(1)).unwrap();
        assert!(a.commit(first).await.unwrap());
        let mut second = Transaction::default();
        second
            .store(b.fetch::<u64>("x").await.unwrap().mutate(2))
            .unwrap();
        second.store(stale.mutate(2)).unwrap();
        assert!(!b.commit(second).await.unwrap());
        for name in ["x", "y"] {
            assert_eq!(b.fetch::<u64>(name).await.unwrap().value(), Some(&1));
        }
    });
}

#[test]
fn many_stores_at_once_are_all_made_and_one_of_those_that_race() {
    simulation(2).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let state = shared(&world, &here, "a");
        let race = state.fetch::<u64>("race").await.unwrap();
        let stores = (0..40).map(|number| {
            let (state, race) = (state.clone(), race.clone());
            tokio::task::spawn_local(async move {
                let variable = state.fetch::<u64>(&format!("{number}")).await.unwrap();
                assert!(
                    state
                        .store(variable.mutate(number))
                        .await
                        .unwrap()
                        .is_some()
                );
                state.store(race.mutate(number)).await.unwrap().is_some()
            })
        });
        let mut won = 0;
        for store in stores.collect::<Vec<_>>() {
            won += usize::from(store.await.unwrap());
        }
        assert_eq!(won, 1);
        assert_eq!(shared(&world, &here, "b").names().await.unwrap().len(), 41);
    });
}

#[test]
fn a_writer_that_another_has_followed_says_so_until_it_starts_again() {
    simulation(3).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let first = storage(&world, &here, "a", Writing::Exclusive);
        let second = storage(&world, &here, "b", Writing::Exclusive);
        first.start().await.unwrap();
        let a = State::new(first.clone());
        let x = a.fetch::<u64>("x").await.unwrap();
        let x = a.store(x.mutate(1)).await.unwrap().unwrap();
        second.start().await.unwrap();
        for _ in 0..2 {
            let error = a.store(x.clone().mutate(2)).await.unwrap_err();
            let superseded = matches!(error, state::Error::Storage(StorageError::Superseded));
            assert!(superseded, "{error}");
        }
        assert!(!first.is_writing());
        // It reads all the same.
        let b = State::new(second);
        let x = b
            .store(b.fetch::<u64>("x").await.unwrap().mutate(3))
            .await
            .unwrap();
        assert_eq!(Some(a.fetch::<u64>("x").await.unwrap()), x);
        first.start().await.unwrap();
        assert!(a.store(x.unwrap().mutate(4)).await.unwrap().is_some());
    });
}

#[test]
fn what_no_writer_wrote_is_an_error() {
    simulation(4).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let state = shared(&world, &here, "a");
        let x = state.fetch::<u64>("x").await.unwrap();
        state.store(x.mutate(1)).await.unwrap().unwrap();
        let log = by(&world, &here, "b");
        // What a writer wrote, with a bit of its value gone.
        let read = log
            .reader()
            .read(Position::FIRST, Position::MAX)
            .await
            .unwrap();
        let mut damaged = read.last().unwrap().data.to_vec();
        let end = damaged.len() - 20;
        damaged.truncate(end);
        for text in [b"a note to oneself".to_vec(), damaged] {
            let mut writer = log.writer();
            writer.start().await.unwrap();
            writer.append(text).await.unwrap();
            let storage = storage(&world, &here, "c", Writing::InTurns);
            let error = storage.get("x").await.unwrap_err();
            assert!(matches!(error, StorageError::Damaged(_)), "{error}");
            let error = storage.start().await.unwrap_err();
            assert!(matches!(error, StorageError::Damaged(_)), "{error}");
            // Nor is it forgotten when it is asked for again.
            assert!(storage.names().await.is_err());
        }
    });
}

#[test]
fn a_log_without_a_majority_fails_in_words_and_works_again() {
    simulation(5).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let state = shared(&world, &here, "a");
        let x = state.fetch::<u64>("x").await.unwrap();
        let x = state.store(x.mutate(1)).await.unwrap().unwrap();
        world.crash("b").await;
        world.crash("c").await;
        assert!(state.fetch::<u64>("x").await.is_err());
        assert!(state.store(x.clone().mutate(2)).await.is_err());
        world.bounce("b").await;
        world.node("b").await;
        world.sleep(3 * SECOND).await;
        let x = state.fetch::<u64>("x").await.unwrap();
        assert!(state.store(x.mutate(3)).await.unwrap().is_some());
    });
}
