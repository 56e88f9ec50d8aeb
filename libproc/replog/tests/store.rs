//! The store: what is acknowledged is there after a crash, and what a disk has spoilt is reported.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::store::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use replog::store::{
    Disk as _, Finding, Key, LogStore, MemoryDisk, SegmentedStore, StoreError, survey,
};

#[test]
fn what_was_appended_is_there_when_the_store_is_opened_again() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    store.append(&[meta(1, b"promise"), slot(0, b"a")]).unwrap();
    store.append(&[slot(1, b"b"), meta(1, b"later")]).unwrap();
    drop(store);
    let opened = open(&disk);
    assert_eq!(opened.damage, []);
    let expected = [
        (Key::Meta(1), "later"),
        (Key::Slot(0), "a"),
        (Key::Slot(1), "b"),
    ];
    assert_eq!(
        texts(&opened.store),
        expected.map(|(key, text)| (key, text.to_owned())).into()
    );
}

#[test]
fn segments_are_filled_one_after_the_other_and_dropped_whole() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    store.append(&[meta(1, b"kept")]).unwrap();
    for number in 0..400 {
        store.append(&[slot(number, &[7; 200])]).unwrap();
    }
    let before = segments(&disk).len();
    assert!(before > 8, "{before}");
    store.truncate(390).unwrap();
    assert!(segments(&disk).len() <= 2, "{:?}", segments(&disk));
    drop(store);
    let opened = open(&disk);
    assert_eq!(opened.damage, []);
    let keys: Vec<Key> = texts(&opened.store).into_keys().collect();
    let slots = (390..400).map(Key::Slot);
    assert_eq!(
        keys,
        [Key::Meta(1)].into_iter().chain(slots).collect::<Vec<_>>()
    );
}

#[test]
fn a_batch_larger_than_a_segment_is_spread_over_several() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    let batch: Vec<_> = (0..100).map(|number| slot(number, &[1; 500])).collect();
    store.append(&batch).unwrap();
    drop(store);
    let opened = open(&disk);
    assert_eq!((opened.damage.len(), texts(&opened.store).len()), (0, 100));
}

#[test]
fn a_record_that_fits_into_no_segment_is_refused_and_nothing_is_written() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    let batch = [slot(0, b"small"), slot(1, &[0; 20_000])];
    let refused = store.append(&batch).unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert!(!refused.is_fatal());
    store.append(&[slot(0, b"other")]).unwrap();
    drop(store);
    assert_eq!(texts(&open(&disk).store)[&Key::Slot(0)], "other");
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_works_again_when_there_is_space() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    disk.fault(|faults| faults.full = true);
    let mut acknowledged = 0;
    let refused = loop {
        match store.append(&[slot(acknowledged, &[3; 300])]) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(!refused.is_fatal());
    // Until then, small things still fit.
    store.append(&[slot(acknowledged, b"small")]).unwrap();
    disk.fault(|faults| faults.full = false);
    store.append(&[slot(acknowledged + 1, &[3; 300])]).unwrap();
    drop(store);
    let opened = open(&disk);
    assert_eq!(opened.damage, []);
    assert_eq!(texts(&opened.store).len() as u64, acknowledged + 2);
}

#[test]
fn after_a_failed_sync_or_write_the_store_refuses_everything() {
    for fault in [0, 1] {
        let disk = MemoryDisk::new();
        let mut store = make(&disk);
        store.append(&[slot(0, b"a")]).unwrap();
        disk.fault(|faults| match fault {
            0 => faults.sync_fails = true,
            _ => faults.write_fails = true,
        });
        let failed = store.append(&[slot(1, b"b")]).unwrap_err();
        assert!(failed.is_fatal(), "{failed}");
        disk.fault(|faults| (faults.sync_fails, faults.write_fails) = (false, false));
        for result in [
            store.append(&[slot(1, b"b")]),
            store.settle(),
            store.truncate(1),
        ] {
            assert!(matches!(result, Err(StoreError::Poisoned)));
        }
    }
}

#[test]
fn a_flipped_bit_in_an_acknowledged_record_is_reported_with_its_slot() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    for number in 0..5 {
        store.append(&[slot(number, b"some words")]).unwrap();
    }
    drop(store);
    let first = &segments(&disk)[0];
    let body = find(&disk, first, b"some words")[2];
    disk.flip(first, body * 8 + 3);
    let surveyed = survey(&disk).unwrap();
    assert!(!surveyed.is_sound());
    let opened = open(&disk);
    assert_eq!(opened.damage.len(), 1);
    assert_eq!(opened.damage[0].key, Some(Key::Slot(2)));
    assert_eq!(
        surveyed.findings,
        [Finding::Damaged(opened.damage[0].clone())]
    );
    assert_eq!(texts(&opened.store).len(), 4);
}

#[test]
fn the_last_record_is_protected_by_the_superblock_once_the_store_has_settled() {
    for settled in [false, true] {
        let disk = MemoryDisk::new();
        let mut store = make(&disk);
        store.append(&[slot(0, b"first words")]).unwrap();
        store.append(&[slot(1, b"last words")]).unwrap();
        if settled {
            store.settle().unwrap();
        }
        drop(store);
        let file = &segments(&disk)[0];
        let body = find(&disk, file, b"last words")[0];
        disk.flip(file, body * 8);
        let opened = open(&disk);
        assert_eq!(opened.damage.len(), usize::from(settled));
        assert_eq!(opened.torn > 0, !settled);
    }
}

#[test]
fn a_cut_file_a_lost_file_and_a_lost_superblock_are_damage() {
    type Blow = fn(&MemoryDisk, &[String]);
    let blows: [Blow; 4] = [
        |disk, files| disk.change(&files[1], |bytes| bytes.truncate(5_000)),
        |disk, files| disk.lose(&files[1]),
        |disk, files| disk.lose(files.last().unwrap()),
        |disk, _| disk.lose("superblock"),
    ];
    for (number, blow) in blows.into_iter().enumerate() {
        let disk = MemoryDisk::new();
        let mut store = make(&disk);
        for number in 0..100 {
            store.append(&[slot(number, &[9; 300])]).unwrap();
        }
        store.settle().unwrap();
        drop(store);
        blow(&disk, &segments(&disk));
        let mut opened = open(&disk);
        assert!(
            opened.damage.iter().any(|damage| damage.key.is_none()),
            "blow {number}"
        );
        // It can be written on, and the damage is reported until it is made good.
        opened.store.append(&[slot(200, b"later")]).unwrap();
        drop(opened);
        let mut opened = open(&disk);
        assert!(!opened.damage.is_empty(), "blow {number}");
        assert_eq!(texts(&opened.store)[&Key::Slot(200)], "later");
        opened.store.damage_noted().unwrap();
        drop(opened);
        assert_eq!(open(&disk).damage, [], "blow {number}");
        assert!(survey(&disk).unwrap().is_sound(), "blow {number}");
    }
}

#[test]
fn a_lost_or_misdirected_write_shows_as_soon_as_another_follows() {
    for lost in [true, false] {
        let disk = MemoryDisk::new();
        let mut store = make(&disk);
        store.append(&[slot(0, b"a")]).unwrap();
        disk.fault(|faults| match lost {
            true => faults.lose_next = true,
            false => faults.misdirect_next = Some(1024),
        });
        store.append(&[slot(1, b"b")]).unwrap();
        store.append(&[slot(2, b"c")]).unwrap();
        store.append(&[slot(3, b"d")]).unwrap();
        drop(store);
        let opened = open(&disk);
        assert!(!opened.damage.is_empty(), "lost: {lost}");
        assert!(!texts(&opened.store).contains_key(&Key::Slot(1)));
        assert_eq!(texts(&opened.store)[&Key::Slot(3)], "d");
    }
}

#[test]
fn damage_that_a_later_record_replaces_is_none() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    store.append(&[slot(0, b"old words")]).unwrap();
    store.append(&[slot(0, b"replaced")]).unwrap();
    drop(store);
    let file = &segments(&disk)[0];
    let body = find(&disk, file, b"old words")[0];
    disk.flip(file, body * 8);
    assert_eq!(open(&disk).damage, []);
    let findings = survey(&disk).unwrap().findings;
    assert!(matches!(findings[..], [Finding::Known(_)]), "{findings:?}");
}

#[test]
fn a_directory_of_another_replica_log_or_program_is_refused() {
    let disk = MemoryDisk::new();
    drop(make(&disk));
    for identity in [identity(2, 1), identity(1, 2)] {
        let Err(refused) = SegmentedStore::open(Arc::new(disk.clone()), identity) else {
            panic!("it was opened");
        };
        assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
    }
    let stranger = MemoryDisk::new();
    stranger.plant("shopping.txt", b"eggs");
    let refused = open_or_init(&stranger).err().expect("it is no log");
    assert!(refused.to_string().contains("shopping.txt"), "{refused}");
    // A segment of another log among ours.
    let other = MemoryDisk::new();
    drop(make(&other));
    let name = &segments(&other)[0];
    disk.plant(name, &other.bytes(name).unwrap());
    let refused = open_or_init(&disk).err().expect("its salt is another");
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
}

#[test]
fn another_version_of_the_format_is_refused_with_its_number() {
    let disk = MemoryDisk::new();
    drop(make(&disk));
    disk.change("superblock", |bytes| {
        for slot in bytes.chunks_mut(4096) {
            slot[8] = 2;
            let crc = crc32fast::hash(&slot[..4092]);
            slot[4092..].copy_from_slice(&crc.to_le_bytes());
        }
    });
    let refused = open_or_init(&disk).err().expect("it is of a later version");
    assert!(
        matches!(refused, StoreError::Version { found: 2, .. }),
        "{refused}"
    );
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_again() {
    let disk = MemoryDisk::new();
    drop(make(&disk));
    disk.lose("superblock");
    let opened = open_or_init(&disk).unwrap();
    assert!(opened.is_new);
    assert_eq!(opened.damage, []);
}

/// A run of appends, crashes and faults under a seed; everything a store promises is checked.
fn ordeal(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    // What was acknowledged, and all that was ever written for a key.
    let mut acknowledged: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
    let mut begin = 0;
    for step in 0..60 {
        let batch: Vec<_> = (0..chance.random_range(1..6))
            .map(|_| {
                let length = chance.random_range(0..700);
                let mut body = format!("{seed}/{step}/").into_bytes();
                body.resize(body.len() + length, chance.random());
                match chance.random_bool(0.1) {
                    true => meta(chance.random_range(0..3), &body[..body.len().min(40)]),
                    false => slot(begin + chance.random_range(0..40), &body),
                }
            })
            .collect();
        let crashes = chance.random_bool(0.15);
        if crashes {
            // Power is lost while it writes: the write reaches the disk in part.
            disk.fault(|faults| faults.sync_fails = true);
            store.append(&batch).expect_err("the sync fails");
            drop(store);
            disk.crash(&mut chance);
            disk.fault(|faults| faults.sync_fails = false);
            let opened = open(&disk);
            assert_eq!(
                opened.damage,
                [],
                "seed {seed}, step {step}: a torn write is no damage"
            );
            store = opened.store;
            let mut found = bodies(&store);
            // Truncated ones may come back: nobody asks for them.
            found.retain(|key, _| !matches!(key, Key::Slot(slot) if *slot < begin));
            for (key, body) in &acknowledged {
                let written = batch.iter().filter(|record| record.key == *key);
                let mut possible = written.map(|record| &record.body).chain([body]);
                let there = found.get(key);
                assert!(
                    there.is_some_and(|there| possible.any(|body| body == there)),
                    "seed {seed}, step {step}: {key:?} is lost"
                );
            }
            for (key, body) in &found {
                let written = batch.iter().filter(|record| record.key == *key);
                let mut possible = written.map(|record| &record.body);
                let known = acknowledged.get(key) == Some(body);
                assert!(
                    known || possible.any(|possible| possible == body),
                    "seed {seed}, step {step}: {key:?} was never written"
                );
            }
            acknowledged = found;
            continue;
        }
        store.append(&batch).unwrap();
        for record in batch {
            acknowledged.insert(record.key, record.body);
        }
        if chance.random_bool(0.1) {
            begin += chance.random_range(0..30);
            store.truncate(begin).unwrap();
            acknowledged.retain(|key, _| !matches!(key, Key::Slot(slot) if *slot < begin));
        }
        if chance.random_bool(0.2) {
            store.settle().unwrap();
        }
    }
    store.settle().unwrap();
    drop(store);
    spoil(seed, &disk, &acknowledged, &mut chance);
}

/// Spoils something of a settled store: whatever is missing must have been reported.
fn spoil(seed: u64, disk: &MemoryDisk, acknowledged: &BTreeMap<Key, Vec<u8>>, chance: &mut StdRng) {
    for blow in 0..20 {
        let disk = disk.copy();
        let mut files = disk.names().unwrap();
        files.retain(|name| name != "superblock");
        let file = &files[chance.random_range(0..files.len())];
        let length = disk.bytes(file).unwrap().len();
        match chance.random_range(0..7) {
            0 => disk.flip(file, chance.random_range(0..length * 8)),
            _ if length < 4096 => disk.change(file, |bytes| bytes.truncate(length / 2)),
            1 => disk.change(file, |bytes| {
                let at = chance.random_range(0..length / 512) * 512;
                bytes[at..at + 512].fill(0);
            }),
            2 => disk.change(file, |bytes| {
                let at = chance.random_range(0..length - 64);
                chance.fill(&mut bytes[at..at + 64]);
            }),
            3 => disk.change(file, |bytes| bytes.truncate(chance.random_range(0..length))),
            // A directory of which only the first files were copied, and one with a file in another's place.
            4 => {
                let kept = chance.random_range(0..files.len());
                files[kept..].iter().for_each(|file| disk.lose(file));
            }
            5 => {
                let other = disk.bytes(&files[chance.random_range(0..files.len())]);
                disk.plant(file, &other.unwrap());
            }
            _ => disk.lose(file),
        }
        disk.fault(|faults| faults.full = blow % 4 == 0);
        let opened = match open_or_init(&disk) {
            Ok(opened) => opened,
            // To refuse is not to lose.
            Err(StoreError::Foreign { .. } | StoreError::Full { .. }) => continue,
            Err(error) => panic!("seed {seed}, blow {blow}: {error}"),
        };
        let found = bodies(&opened.store);
        let unknown = opened.damage.iter().any(|damage| damage.key.is_none());
        for (key, body) in acknowledged {
            let reported = opened.damage.iter().any(|damage| damage.key == Some(*key));
            assert!(
                found.get(key) == Some(body) || reported || unknown,
                "seed {seed}, blow {blow}: {key:?} is silently lost"
            );
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_crashes_and_no_damage_is_silent() {
    for seed in 0..300 {
        ordeal(seed);
    }
}

#[test]
fn a_start_reads_hints_of_sealed_segments_and_what_they_hide_is_found_later() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    for number in 0..200 {
        store
            .append(&[slot(
                number,
                format!("words {number:03} ").repeat(20).as_bytes(),
            )])
            .unwrap();
    }
    store.settle().unwrap();
    drop(store);
    let sealed = segments(&disk).len() - 1;
    assert!(sealed > 4, "{sealed}");
    let file = &segments(&disk)[1];
    let body = find(&disk, file, b"words 040 ")[0];
    disk.flip(file, body * 8 + 1);
    let opened = open_quickly(&disk);
    assert_eq!((opened.damage.len(), opened.unread.len()), (0, sealed));
    let reader = opened.store.reader();
    let read = reader.read(Key::Slot(40));
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    let found: Vec<_> = opened
        .unread
        .iter()
        .map(|number| reader.verify(*number).unwrap())
        .collect();
    let found = found.concat();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].key, &found[0].file), (Some(Key::Slot(40)), file));
    drop(opened);
    // Without their hints, or with spoilt ones, segments are read in full, and get hints again.
    let hints: Vec<String> = names_of_hints(&disk);
    assert_eq!(hints.len(), sealed);
    disk.flip(&hints[0], 77);
    disk.lose(&hints[2]);
    assert_eq!(open_quickly(&disk).unread.len(), sealed - 2);
    assert_eq!(open_quickly(&disk).unread.len(), sealed);
    // One thing that is not as it should be, and everything is read.
    disk.change(&segments(&disk)[3], |bytes| bytes.truncate(9_000));
    let opened = open_quickly(&disk);
    assert!(
        opened
            .damage
            .iter()
            .any(|damage| damage.key == Some(Key::Slot(40)))
    );
    assert_eq!(opened.unread, [0; 0]);
}

#[test]
fn the_hints_of_dropped_segments_go_with_them() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    for number in 0..200 {
        store.append(&[slot(number, &[7; 200])]).unwrap();
    }
    store.truncate(199).unwrap();
    assert_eq!(names_of_hints(&disk).len(), segments(&disk).len() - 1);
    disk.plant("hint-00000000000000ff", b"of nothing");
    drop(store);
    drop(open(&disk));
    assert!(disk.bytes("hint-00000000000000ff").is_none());
}

fn names_of_hints(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.names().unwrap().into_iter();
    names.filter(|name| name.starts_with("hint-")).collect()
}

#[test]
fn metadata_that_may_be_out_of_date_stays_uncertain_until_that_is_noted() {
    let disk = MemoryDisk::new();
    let mut store = make(&disk);
    store.append(&[meta(1, b"old promise")]).unwrap();
    store.append(&[meta(1, b"new promise")]).unwrap();
    store.append(&[slot(0, b"entry")]).unwrap();
    drop(store);
    let file = &segments(&disk)[0];
    let at = find(&disk, file, b"new promise")[0];
    // The header is gone: nobody can say what it was.
    disk.change(file, |bytes| bytes[at - 32..at].fill(7));
    for _ in 0..2 {
        let opened = open(&disk);
        assert_eq!(opened.lost.len(), 1);
        assert!(!opened.lost[0].metas_are_whole);
    }
    let mut opened = open(&disk);
    opened.store.append(&[meta(2, b"in doubt")]).unwrap();
    opened.store.damage_noted().unwrap();
    drop(opened);
    assert_eq!(open(&disk).damage, []);
}
