//! The store of segments: appends with one flush, reads beside them, gives back whole segments.

mod opening;
mod plan;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::disk::{Disk, DiskFile};
use super::error::{StoreError, is_full};
use super::frame;
use super::hint::{self, Held, Hint};
use super::index::Location;
use super::segment::{self, Family, HEAD};
use super::superblock::Superblock;
use super::{Key, LogStore, Record};
use plan::{Plan, Stretch};
use reader::Shared;

pub use reader::StoreReader;

/// A store in segments; see the [module](super).
pub struct SegmentedStore {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    superblock: Superblock,
    superblock_file: Arc<dyn DiskFile>,
    /// The segment that is written to, and where in it.
    current: u64,
    offset: u64,
    spare: Spare,
    /// Writes hints of segments that were sealed.
    hinting: Option<JoinHandle<()>>,
    /// The records of the current segment.
    held: Vec<Held>,
    /// What is written again at the head of each segment.
    metas: BTreeMap<u64, Vec<u8>>,
    /// One more than the highest slot in each segment.
    tops: BTreeMap<u64, u64>,
    /// Segments with damage that was not made good.
    damaged: BTreeSet<u64>,
    /// The metadata there is may be older than what was lost: it is written again, as if it were
    /// certain, only when whoever uses the store has noted that.
    owes_metas: bool,
    poisoned: bool,
}

/// The segment after the current one.
enum Spare {
    None,
    /// On a thread of its own: to fill it takes longer than a commit.
    Making(JoinHandle<io::Result<Arc<dyn DiskFile>>>),
}

impl SegmentedStore {
    fn position(&self) -> u64 {
        self.shared.family.base(self.current) + self.offset
    }

    /// Bytes of the longest body there can be beside the metadata, those of `records` included.
    fn body_max(&self, records: &[Record]) -> usize {
        let kept = self
            .metas
            .iter()
            .map(|(number, body)| (*number, body.len()));
        let added = records.iter().filter_map(|record| match record.key {
            Key::Meta(number) => Some((number, record.body.len())),
            Key::Slot(_) => None,
        });
        let mut metas = BTreeMap::new();
        for (number, length) in kept.chain(added) {
            let longest = metas.entry(number).or_insert(length);
            *longest = length.max(*longest);
        }
        let metas: usize = metas.values().map(|length| frame::size(*length)).sum();
        let used = HEAD + 2 * frame::HEADER + metas + frame::ALIGN;
        let room = (self.shared.family.segment_bytes as usize).saturating_sub(used);
        room.min(frame::BODY_MAX)
    }

    /// Lays out records from the current place on.
    fn plan(&self, records: &[Record]) -> Plan {
        let family = self.shared.family;
        let mut plan = Plan {
            family,
            durable: self.position(),
            metas: self.metas.clone(),
            stretches: vec![Stretch {
                segment: self.current,
                offset: self.offset,
                bytes: Vec::with_capacity(records.iter().map(|r| frame::size(r.body.len())).sum()),
            }],
            locations: Vec::with_capacity(records.len()),
        };
        for record in records {
            plan.add(record);
        }
        plan
    }

    /// Makes sure that there are files for all that is planned, before any of it is written.
    fn make_room(&mut self, plan: &Plan) -> Result<(), StoreError> {
        for stretch in &plan.stretches[1..] {
            if self
                .shared
                .contents
                .read()
                .files
                .contains_key(&stretch.segment)
            {
                continue;
            }
            let made = match std::mem::replace(&mut self.spare, Spare::None) {
                Spare::Making(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("its maker panicked"))),
                Spare::None => create(&*self.disk, &self.shared.family, stretch.segment),
            };
            let file = made.map_err(|error| self.not_created(error))?;
            let name = self.disk.path(&segment::name(stretch.segment));
            let mut contents = self.shared.contents.write();
            contents.files.insert(stretch.segment, (name, file));
        }
        Ok(())
    }

    fn not_created(&mut self, error: io::Error) -> StoreError {
        let directory = self.disk.path("");
        if is_full(&error) {
            return StoreError::Full { directory };
        }
        self.poisoned = true;
        StoreError::io("make a segment in", directory)(error)
    }

    /// Begins to make the next segment when the current one is half full.
    fn look_ahead(&mut self) {
        let family = self.shared.family;
        let next = self.current + 1;
        if self.offset < family.segment_bytes / 2
            || !matches!(self.spare, Spare::None)
            || self.shared.contents.read().files.contains_key(&next)
            || !self.disk.is_slow()
        {
            return;
        }
        let disk = self.disk.clone();
        let make = move || create(&*disk, &family, next);
        let thread = std::thread::Builder::new().name("log-segment".to_owned());
        if let Ok(thread) = thread.spawn(make) {
            self.spare = Spare::Making(thread);
        }
    }

    fn write(&mut self, stretch: &Stretch) -> Result<(), StoreError> {
        let file = self
            .shared
            .contents
            .read()
            .files
            .get(&stretch.segment)
            .cloned();
        let (name, file) = file.expect("a file was made for each stretch");
        let written = file.write_at(stretch.offset, &stretch.bytes);
        written
            .map_err(StoreError::io("write", name.clone()))
            .and_then(|()| file.sync().map_err(StoreError::io("sync", name)))
            .inspect_err(|_| self.poisoned = true)
    }

    /// Keeps in mind what a segment holds, until it is sealed: `ends` says which were, and where.
    fn hold(&mut self, locations: &[(Key, Location)], ends: &[(u64, u64)]) {
        let family = self.shared.family;
        let mut sealed = Vec::new();
        let mut ends = ends.iter().copied().peekable();
        for (key, location) in locations {
            let (segment, offset) = family.place(location.position);
            while let Some((number, end)) = ends.next_if(|(number, _)| *number < segment) {
                sealed.push((number, Hint::new(end, std::mem::take(&mut self.held))));
            }
            self.held.push(Held {
                key: *key,
                offset: offset as u32,
                length: location.length,
            });
        }
        self.write_hints(sealed);
    }

    /// Writes hints, beside whatever else is done. Without one its segment is read at the next start.
    fn write_hints(&mut self, hints: Vec<(u64, Hint)>) {
        if hints.is_empty() {
            return;
        }
        let (disk, family) = (self.disk.clone(), self.shared.family);
        let write = move || {
            for (number, hint) in hints {
                let bytes = hint.file(&family, number);
                let name = hint::name(number);
                if let Err(error) = disk.create(&name, &bytes, bytes.len() as u64) {
                    tracing::debug!(%error, name, "a segment has no hint");
                }
            }
        };
        if !self.disk.is_slow() {
            return write();
        }
        self.join_hinting();
        let thread = std::thread::Builder::new().name("log-hint".to_owned());
        self.hinting = thread.spawn(write).ok();
    }

    fn join_hinting(&mut self) {
        if let Some(thread) = self.hinting.take() {
            let _ = thread.join();
        }
    }

    fn write_superblock(&mut self) -> Result<(), StoreError> {
        self.superblock.watermark = self.position();
        let file = self.superblock_file.clone();
        self.superblock
            .write(&*file)
            .inspect_err(|_| self.poisoned = true)
    }

    /// The segments before the current one that hold no slot from `begin` on.
    fn droppable(&self, begin: u64) -> Vec<u64> {
        let contents = self.shared.contents.read();
        let numbers = contents.files.keys().copied();
        let before = numbers.take_while(|number| *number < self.current);
        let useless = |number: &u64| {
            self.tops.get(number).is_none_or(|top| *top <= begin) && !self.damaged.contains(number)
        };
        before.take_while(useless).collect()
    }
}

impl Drop for SegmentedStore {
    fn drop(&mut self) {
        // Until it is done, the directory is in use.
        if let Spare::Making(thread) = std::mem::replace(&mut self.spare, Spare::None) {
            let _ = thread.join();
        }
        self.join_hinting();
    }
}

impl LogStore for SegmentedStore {
    fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let max = self.body_max(records);
        if let Some(record) = records.iter().find(|record| record.body.len() > max) {
            let length = record.body.len();
            return Err(StoreError::TooLarge { length, max });
        }
        let plan = self.plan(records);
        self.make_room(&plan)?;
        let mut ends = Vec::new();
        for stretch in &plan.stretches {
            if !stretch.bytes.is_empty() {
                self.write(stretch)?;
            }
            if stretch.segment != self.current {
                ends.push((self.current, self.offset));
            }
            self.current = stretch.segment;
            self.offset = stretch.offset + stretch.bytes.len() as u64;
        }
        self.metas = plan.metas;
        self.hold(&plan.locations, &ends);
        {
            let mut contents = self.shared.contents.write();
            for (key, location) in plan.locations {
                contents.index.set(key, location);
                if let Key::Slot(slot) = key {
                    let (segment, _) = self.shared.family.place(location.position);
                    let top = self.tops.entry(segment).or_default();
                    *top = slot.saturating_add(1).max(*top);
                }
            }
        }
        self.look_ahead();
        Ok(())
    }

    fn truncate(&mut self, begin: u64) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if begin <= self.superblock.begin {
            return Ok(());
        }
        self.superblock.begin = begin;
        self.shared.contents.write().index.truncate(begin);
        let dropped = self.droppable(begin);
        let Some(last) = dropped.last() else {
            return Ok(());
        };
        // Whoever finds the superblock before the files are gone knows that they are not wanted.
        self.superblock.first = last + 1;
        self.write_superblock()?;
        let names: Vec<String> = dropped
            .iter()
            .flat_map(|number| [segment::name(*number), hint::name(*number)])
            .collect();
        {
            let mut contents = self.shared.contents.write();
            for number in &dropped {
                contents.files.remove(number);
                self.tops.remove(number);
            }
        }
        let removed = self.disk.remove(&names);
        removed.map_err(StoreError::io("remove segments from", self.disk.path("")))
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        match self.poisoned {
            true => Err(StoreError::Poisoned),
            false if self.superblock.watermark == self.position() => Ok(()),
            false => self.write_superblock(),
        }
    }

    fn damage_noted(&mut self) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if std::mem::take(&mut self.owes_metas) {
            self.write_metas().inspect_err(|_| self.owes_metas = true)?;
        }
        self.superblock.noted = self.position();
        self.superblock.doubt = 0;
        self.damaged.clear();
        self.write_superblock()
    }

    fn reader(&self) -> StoreReader {
        StoreReader(self.shared.clone())
    }
}

fn create(disk: &dyn Disk, family: &Family, number: u64) -> io::Result<Arc<dyn DiskFile>> {
    disk.create(
        &segment::name(number),
        &family.head(number),
        family.segment_bytes,
    )
}
