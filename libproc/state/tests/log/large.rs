//! Values that are larger than an entry, and sets that are larger than the log may become.

use std::sync::Arc;

use libproc::Node;
use replog::store::MemoryDisk;
use replog::{Log, LogOptions, NodeId, Place};
use state::{LogStorage, LogStorageOptions, State, Writing};

use crate::hosts::*;

#[test]
fn a_value_of_three_megabytes_is_kept_in_entries_of_eight_kilobytes() {
    simulation(11).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let state = shared(&world, &here, "a");
        let large: Vec<u32> = (0..600_000_u32)
            .map(|number| number.wrapping_mul(2_654_435_761))
            .collect();
        let variable = state.fetch::<Vec<u32>>("large").await.unwrap();
        let stored = state.store(variable.mutate(large.clone())).await.unwrap();
        let fetched = shared(&world, &here, "b").fetch::<Vec<u32>>("large").await;
        assert_eq!(Some(fetched.unwrap()), stored);
    });
}

#[test]
fn a_log_stays_as_short_as_its_variables_while_they_change() {
    simulation(12).run(async |world| {
        let disks = start(&world).await;
        let here = world.here().await;
        let storage = storage(&world, &here, "a", Writing::Exclusive);
        let state = State::new(storage.clone());
        for round in 0..60_u8 {
            for name in 0..10 {
                // Another value each time: nothing of it can be copied.
                let value: Vec<u16> = (0..1000)
                    .map(|at: u32| (at.wrapping_mul(40_503 + u32::from(round) * 7919) >> 3) as u16)
                    .collect();
                let variable = state.fetch::<Vec<u16>>(&format!("{name}")).await.unwrap();
                state.store(variable.mutate(value)).await.unwrap().unwrap();
            }
        }
        world.sleep(3 * SECOND).await;
        assert!(storage.growth() < 128 << 10, "{}", storage.growth());
        for (host, disk) in &disks {
            let bytes = bytes_on(disk);
            assert!(bytes < 512 << 10, "{host}: {bytes} bytes");
        }
        // One who comes now, and one who had stopped reading long ago.
        let fresh = shared(&world, &here, "b");
        assert_eq!(fresh.names().await.unwrap().len(), 10);
        let (mine, theirs) = (
            state.fetch::<Vec<u16>>("7").await.unwrap(),
            fresh.fetch::<Vec<u16>>("7").await.unwrap(),
        );
        assert_eq!(mine, theirs);
        assert!(fresh.store(theirs.mutate(vec![1])).await.unwrap().is_some());
    });
}

#[test]
fn a_reader_that_slept_through_a_truncation_finds_everything_again() {
    simulation(13).run(async |world| {
        start(&world).await;
        let here = world.here().await;
        let (writer, reader) = (shared(&world, &here, "a"), shared(&world, &here, "b"));
        let first = writer.fetch::<Vec<u8>>("x").await.unwrap();
        let mut x = writer.store(first.mutate(vec![0])).await.unwrap().unwrap();
        assert_eq!(reader.fetch::<Vec<u8>>("x").await.unwrap(), x);
        for round in 0..100_u32 {
            let value: Vec<u8> = (0..4000_u32)
                .map(|at| (at.wrapping_mul(round + 31) >> 4) as u8)
                .collect();
            x = writer.store(x.mutate(value)).await.unwrap().unwrap();
        }
        world.sleep(3 * SECOND).await;
        let status = by(&world, &here, "b").status().await.unwrap();
        assert!(status.begin.0 > 10, "{status:?}");
        assert_eq!(reader.fetch::<Vec<u8>>("x").await.unwrap(), x);
        assert!(reader.store(x.mutate(vec![1])).await.unwrap().is_some());
    });
}

/// A log of one replica, with nothing simulated, on a disk in memory.
async fn alone(node: &Node) -> (Log, MemoryDisk) {
    let disk = MemoryDisk::new();
    let place = Place::Disk(Arc::new(disk.clone()));
    let replicas = [(NodeId(1), node.address())].into();
    let mut options = LogOptions::new("state", NodeId(1), replicas, place);
    options.store.segment_bytes = 16 << 20;
    (Log::open(node, options).await.unwrap(), disk)
}

#[test]
fn a_set_of_a_hundred_megabytes_takes_small_changes_and_a_bounded_log() {
    const VALUES: usize = 25;
    const VALUE: usize = 4 << 20;
    libproc::run_alone(async {
        let node = Node::bind("127.0.0.1:0").await?;
        let (log, disk) = alone(&node).await;
        let storage = LogStorage::new(&node, log.clone(), LogStorageOptions::default());
        let state = State::new(storage.clone());
        let mut values = Vec::new();
        for number in 0..VALUES {
            let name = format!("{number:02}");
            let value = noise(VALUE, number as u64);
            let variable = state.fetch::<serde_bytes::ByteBuf>(&name).await.unwrap();
            values.push(state.store(variable.mutate(value)).await.unwrap().unwrap());
        }
        assert!(storage.weight() > 100_000_000);
        let grown = storage.growth();
        for round in 0..100 {
            let at = round % VALUES;
            let mut value = values[at].value().unwrap().clone();
            let place = round * 7919;
            value[place] ^= 0xff;
            value[VALUE / 2 + place] ^= 0xff;
            let variable = values[at].clone().mutate(value);
            values[at] = state.store(variable).await.unwrap().unwrap();
        }
        // Hundred changes of two bytes, of values of megabytes.
        let grown = storage.growth() - grown;
        assert!(grown < 100 * 512, "{grown} bytes");
        // Whole values again and again: the log does not keep them all.
        for round in 0..3 {
            for (number, variable) in values.iter_mut().enumerate() {
                let value = noise(VALUE, (100 * (round + 1) + number) as u64);
                let changed = variable.clone().mutate(value);
                *variable = state.store(changed).await.unwrap().unwrap();
            }
        }
        let weight = storage.weight();
        let bytes = bytes_on(&disk);
        assert!(bytes < 3 * weight + (64 << 20), "{bytes} bytes");
        // Whoever opens it has them all.
        let fresh = State::new(LogStorage::new(&node, log, LogStorageOptions::default()));
        for variable in &values {
            let fetched = fresh.fetch::<serde_bytes::ByteBuf>(variable.name()).await;
            assert!(fetched.unwrap() == *variable, "{}", variable.name());
        }
        node.shutdown().await;
        Ok(())
    })
    .unwrap();
}

/// Bytes without a pattern.
fn noise(count: usize, seed: u64) -> serde_bytes::ByteBuf {
    use rand::{RngCore as _, SeedableRng as _};
    let mut bytes = vec![0; count];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}
