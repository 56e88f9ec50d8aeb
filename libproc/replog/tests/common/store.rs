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

pub fn open(disk: &MemoryDisk) -> Recovered {
    SegmentedStore::open(Arc::new(disk.clone()), identity(1, 1)).unwrap()
}

pub fn open_or_init(disk: &MemoryDisk) -> Result<Recovered, StoreError> {
    SegmentedStore::open_or_init(Arc::new(disk.clone()), identity(1, 1), SMALL)
}

pub fn slot(number: u64, body: &[u8]) -> Record {
    let (key, body) = (Key::Slot(number), body.to_vec());
    Record { key, body }
}

pub fn meta(number: u64, body: &[u8]) -> Record {
    let (key, body) = (Key::Meta(number), body.to_vec());
    Record { key, body }
}

/// The last record of each key.
pub fn bodies(store: &SegmentedStore) -> BTreeMap<Key, Vec<u8>> {
    let mut found = BTreeMap::new();
    let reader = store.reader();
    reader
        .each(|record| {
            assert_eq!(
                reader.read(record.key).unwrap().as_ref(),
                Some(&record.body)
            );
            found.insert(record.key, record.body);
        })
        .unwrap();
    found
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
