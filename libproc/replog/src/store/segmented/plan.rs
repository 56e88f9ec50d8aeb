//! How a batch is laid out in segments, before any of it is written.

use std::collections::BTreeMap;

use crate::store::frame::{self, Kind};
use crate::store::index::Location;
use crate::store::segment::{Family, HEAD};
use crate::store::{Key, Record};

/// What is to be written into one segment.
pub(super) struct Stretch {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

/// How a batch is laid out, before it is written.
pub(super) struct Plan {
    pub(super) family: Family,
    /// Everything before this position is durable when the frame at hand is written.
    pub(super) durable: u64,
    pub(super) metas: BTreeMap<u64, Vec<u8>>,
    pub(super) stretches: Vec<Stretch>,
    pub(super) locations: Vec<(Key, Location)>,
}

impl Plan {
    pub(super) fn add(&mut self, record: &Record) {
        if let Key::Meta(number) = record.key {
            self.metas.insert(number, record.body.clone());
        }
        let size = frame::size(record.body.len()) as u64;
        let stretch = self.last();
        let end = stretch.offset + stretch.bytes.len() as u64;
        if end + size + frame::HEADER as u64 > self.family.segment_bytes {
            self.roll();
        }
        self.put(Kind::Of(record.key), &record.body);
    }

    fn last(&mut self) -> &mut Stretch {
        let last = self.stretches.last_mut();
        last.expect("a plan begins with a stretch")
    }

    /// Seals the segment, and begins the next with all metadata.
    fn roll(&mut self) {
        self.put(Kind::Seal, &[]);
        let segment = self.last().segment + 1;
        self.stretches.push(Stretch {
            segment,
            offset: HEAD as u64,
            bytes: Vec::new(),
        });
        // A segment is written only when the one before is durable to its end.
        self.durable = self.family.base(segment);
        for (number, body) in std::mem::take(&mut self.metas) {
            self.put(Kind::Of(Key::Meta(number)), &body);
            self.metas.insert(number, body);
        }
    }

    fn put(&mut self, kind: Kind, body: &[u8]) {
        let (family, durable) = (self.family, self.durable);
        let stretch = self.last();
        let offset = stretch.offset + stretch.bytes.len() as u64;
        let position = family.base(stretch.segment) + offset;
        frame::write(
            &mut stretch.bytes,
            kind,
            body,
            position,
            durable,
            family.salt,
        );
        if let Kind::Of(key) = kind {
            let length = body.len() as u32;
            self.locations.push((key, Location { position, length }));
        }
    }
}
