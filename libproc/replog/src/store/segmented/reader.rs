//! Reading records while others are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::store::disk::{self, DiskFile};
use crate::store::frame::{self, Kind};
use crate::store::index::{Index, Location};
use crate::store::scan::{Item, scan};
use crate::store::segment::{Family, HEAD};
use crate::store::{Damage, Key, StoreError};

/// What readers use as well.
pub(super) struct Shared {
    pub(super) family: Family,
    pub(super) contents: RwLock<Contents>,
}

pub(super) struct Contents {
    pub(super) index: Index,
    pub(super) files: BTreeMap<u64, (String, Arc<dyn DiskFile>)>,
}

/// Reads records of a store while others are written. Cloning gives another handle.
#[derive(Clone)]
pub struct StoreReader(pub(super) Arc<Shared>);

impl StoreReader {
    /// The last record of a key.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it cannot be read any more, [`StoreError::Io`] when its file
    /// cannot.
    pub fn read(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        let location = self.0.contents.read().index.get(key);
        location.map_or(Ok(None), |location| self.read_at(key, location))
    }

    pub(super) fn read_at(
        &self,
        key: Key,
        location: Location,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (segment, offset) = self.0.family.place(location.position);
        let file = self.0.contents.read().files.get(&segment).cloned();
        // Truncated in this moment.
        let Some((name, file)) = file else {
            return Ok(None);
        };
        let mut bytes = vec![0; frame::HEADER + location.length as usize];
        let read = file.read_at(offset, &mut bytes);
        read.map_err(StoreError::io("read", name.clone()))?;
        match self.open(&bytes, location.position, key) {
            true => Ok(Some(bytes.split_off(frame::HEADER))),
            false => {
                let bytes = offset..offset + bytes.len() as u64;
                let key = Some(key);
                let file = name;
                Err(StoreError::Damaged(Damage { file, bytes, key }))
            }
        }
    }

    /// Whether these bytes are the frame of `key`.
    fn open(&self, bytes: &[u8], position: u64, key: Key) -> bool {
        let header = frame::read_header(bytes, position, self.0.family.salt);
        header.is_some_and(|header| {
            header.kind == Kind::Of(key) && frame::is_whole(&header, &bytes[frame::HEADER..])
        })
    }

    /// Reads every byte of a segment that a start did not read; what of it counts and is damaged. Nothing,
    /// when the segment was truncated meanwhile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self, segment: u64) -> Result<Vec<Damage>, StoreError> {
        let family = self.0.family;
        let file = self.0.contents.read().files.get(&segment).cloned();
        let Some((name, file)) = file else {
            return Ok(Vec::new());
        };
        let bytes = disk::read_all(&*file).map_err(StoreError::io("read", name.clone()))?;
        let base = family.base(segment);
        let most = bytes.len().min(family.segment_bytes as usize);
        let found = scan(&bytes[..most], HEAD, base, family.salt);
        let is_bad = |item: &Item| matches!(item, Item::Bad(_));
        if found.sealed && !found.items.iter().any(is_bad) {
            return Ok(Vec::new());
        }
        let within = base..base + family.segment_bytes;
        let here: Vec<(Key, Location)> = {
            let contents = self.0.contents.read();
            let all = contents.index.iter();
            all.filter(|(_, location)| within.contains(&location.position))
                .collect()
        };
        let damaged = here.into_iter().filter_map(|(key, location)| {
            let from = (location.position - base) as usize;
            let to = from + frame::HEADER + location.length as usize;
            let whole = bytes
                .get(from..to)
                .is_some_and(|bytes| self.open(bytes, location.position, key));
            (!whole).then(|| Damage {
                file: name.clone(),
                bytes: from as u64..to as u64,
                key: Some(key),
            })
        });
        Ok(damaged.collect())
    }

    /// Where the last record of a key lies among all records; see [`Lost::position`].
    #[must_use]
    pub fn position(&self, key: Key) -> Option<u64> {
        let location = self.0.contents.read().index.get(key);
        location.map(|location| location.position)
    }

    /// The metadata there is.
    #[must_use]
    pub fn metas(&self) -> Vec<u64> {
        let contents = self.0.contents.read();
        contents.index.metas().keys().copied().collect()
    }

    /// The slots from `first` on that there are records of, in order.
    #[must_use]
    pub fn slots_from(&self, first: u64) -> Vec<u64> {
        self.0.contents.read().index.slots_from(first)
    }

    /// How many slots there are.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.0.contents.read().index.slots()
    }
}
