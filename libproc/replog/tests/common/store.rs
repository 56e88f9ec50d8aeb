//! Stores in memory, with small segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use replog::store::{
    Disk as _, Identity, Key, LogStore as _, MemoryDisk, Record, Recovered, SegmentedStore,
    StoreError, StoreOptions,
};

/// Segments of which a few records make a full one.
pub const SMALL: StoreOptions = StoreOptions {
    segment_bytes: 12 << 10,
};

pub fn identity(cluster: u64, node: u64) -> Identity {
    Identity { cluster, node }
}

pub fn make(disk: &MemoryDisk) -> SegmentedStore {
    SegmentedStore::init(Arc::new(disk.clone()), identity(1, 1), SMALL).unwrap()
}

/// Opens it, and verifies what the start did not read.
pub fn open(disk: &MemoryDisk) -> Recovered {
    verified(open_quickly(disk))
}

pub fn open_quickly(disk: &MemoryDisk) -> Recovered {
    SegmentedStore::open(Arc::new(disk.clone()), identity(1, 1)).unwrap()
}

pub fn open_or_init(disk: &MemoryDisk) -> Result<Recovered, StoreError> {
    let disk = Arc::new(disk.clone());
    SegmentedStore::open_or_init(disk, identity(1, 1), SMALL).map(verified)
}

fn verified(mut recovered: Recovered) -> Recovered {
    let reader = recovered.store.reader();
    for segment in std::mem::take(&mut recovered.unread) {
        recovered.damage.extend(reader.verify(segment).unwrap());
    }
    recovered
}

pub fn slot(number: u64, body: &[u8]) -> Record {
    let (key, body) = (Key::Slot(number), body.to_vec());
    Record { key, body }
}

pub fn meta(number: u64, body: &[u8]) -> Record {
    let (key, body) = (Key::Meta(number), body.to_vec());
    Record { key, body }
}

/// The last record of each key that can be read.
pub fn bodies(store: &SegmentedStore) -> BTreeMap<Key, Vec<u8>> {
    let reader = store.reader();
    let metas = reader.metas().into_iter().map(Key::Meta);
    let slots = reader.slots_from(0).into_iter().map(Key::Slot);
    let read = metas.chain(slots).filter_map(|key| match reader.read(key) {
        Ok(body) => Some((key, body.unwrap())),
        Err(StoreError::Damaged(_)) => None,
        Err(error) => panic!("{error}"),
    });
    read.collect()
}

pub fn texts(store: &SegmentedStore) -> BTreeMap<Key, String> {
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
    let found = bodies(store).into_iter();
    found.map(|(key, body)| (key, text(body))).collect()
}

/// The names of the segments.
pub fn segments(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.names().unwrap().into_iter();
    names.filter(|name| name.starts_with("segment")).collect()
}

/// Where `text` stands in a file.
pub fn find(disk: &MemoryDisk, file: &str, text: &[u8]) -> Vec<usize> {
    let bytes = disk.bytes(file).unwrap();
    let windows = bytes.windows(text.len()).enumerate();
    windows
        .filter(|(_, window)| *window == text)
        .map(|(at, _)| at)
        .collect()
}
