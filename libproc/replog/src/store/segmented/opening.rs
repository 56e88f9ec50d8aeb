//! Opening: what was found in the files becomes a store that can be written on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

use super::reader::{Contents, Shared};
use super::{SegmentedStore, Spare, create};
use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{StoreError, is_full};
use crate::store::frame::{self, Kind};
use crate::store::hint::{self, Held, Hint};
use crate::store::index::{Index, Location};
use crate::store::options::{Identity, StoreOptions};
use crate::store::recovery::{Damage, Found, Lost, Part, Pass, Recovered, Shape, Walk};
use crate::store::segment::{self, Family, HEAD};
use crate::store::superblock::{self, Superblock};
use crate::store::{Key, LogStore as _, Record};

impl SegmentedStore {
    /// Makes a store where there is none.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one.
    pub fn init(
        disk: Arc<dyn Disk>,
        identity: Identity,
        options: StoreOptions,
    ) -> Result<SegmentedStore, StoreError> {
        if let Found::Store(_) = Walk::begin(&*disk, None)? {
            let directory = disk.path("");
            return Err(StoreError::Exists { directory });
        }
        make(&disk, identity, options)?;
        let recovered = SegmentedStore::open_found(disk, identity, false)?;
        Ok(recovered.store)
    }

    /// Opens the store that is there.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none, [`StoreError::Foreign`] and
    /// [`StoreError::Version`] when it is not ours, [`StoreError::Io`] when it cannot be read.
    pub fn open(disk: Arc<dyn Disk>, identity: Identity) -> Result<Recovered, StoreError> {
        SegmentedStore::open_found(disk, identity, false)
    }

    /// Opens the store that is there, or makes one where nothing is.
    ///
    /// # Errors
    /// As [`open`](SegmentedStore::open).
    pub fn open_or_init(
        disk: Arc<dyn Disk>,
        identity: Identity,
        options: StoreOptions,
    ) -> Result<Recovered, StoreError> {
        let is_new = matches!(Walk::begin(&*disk, Some(identity))?, Found::Nothing);
        if is_new {
            make(&disk, identity, options)?;
        }
        SegmentedStore::open_found(disk, identity, is_new)
    }

    /// Whose the store of a disk is, and how large its segments are; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is of another format.
    pub fn identify(disk: &dyn Disk) -> Result<Option<Identity>, StoreError> {
        Ok(match Walk::begin(disk, None)? {
            Found::Nothing => None,
            Found::Store(walk) => Some(walk.superblock.family.identity),
        })
    }

    fn open_found(
        disk: Arc<dyn Disk>,
        identity: Identity,
        is_new: bool,
    ) -> Result<Recovered, StoreError> {
        let Found::Store(mut walk) = Walk::begin(&*disk, Some(identity))? else {
            let directory = disk.path("");
            return Err(StoreError::Missing { directory });
        };
        let (mut contents, mut shapes) = gather(&mut walk, Pass::Quick)?;
        if !contents.damage.is_empty() {
            // Who lost one thing may have lost others: nothing is taken on trust.
            let Found::Store(again) = Walk::begin(&*disk, Some(identity))? else {
                let directory = disk.path("");
                return Err(StoreError::Missing { directory });
            };
            walk = again;
            (contents, shapes) = gather(&mut walk, Pass::Full)?;
        }
        let (superblock, watermark) = (walk.superblock, walk.watermark);
        let hints = std::mem::take(&mut walk.hints);
        drop(walk);
        contents.open(disk, superblock, watermark, shapes, hints, is_new)
    }
}

fn gather(walk: &mut Walk<'_>, pass: Pass) -> Result<(Opening, BTreeMap<u64, Shape>), StoreError> {
    let mut contents = Opening::default();
    let superblock = walk.superblock;
    let shapes = walk.each(pass, |number, part| {
        contents.take(number, part, &superblock);
    })?;
    Ok((contents, shapes))
}

/// What is gathered while the files are read.
#[derive(Default)]
struct Opening {
    index: Index,
    tops: BTreeMap<u64, u64>,
    /// The records of each segment.
    held: BTreeMap<u64, Vec<Held>>,
    damage: Vec<(u64, u64, Damage)>,
    /// The metadata there was before each of them.
    before: BTreeMap<u64, BTreeMap<u64, Location>>,
    torn: Vec<(u64, std::ops::Range<u64>)>,
}

impl Opening {
    fn take(&mut self, number: u64, part: Part, superblock: &Superblock) {
        let Superblock {
            family,
            begin,
            noted,
            ..
        } = *superblock;
        let base = family.base(number);
        match part {
            Part::Record(offset, key, length) => {
                self.held.entry(number).or_default().push(Held {
                    key,
                    offset: offset as u32,
                    length,
                });
                if let Key::Slot(slot) = key {
                    let top = self.tops.entry(number).or_default();
                    *top = slot.saturating_add(1).max(*top);
                    if slot < begin {
                        return;
                    }
                }
                let position = base + offset;
                self.index.set(key, Location { position, length });
            }
            Part::Damage(damage) => {
                let truncated = matches!(damage.key, Some(Key::Slot(slot)) if slot < begin);
                let position = base + damage.bytes.start;
                if position >= noted && !truncated {
                    self.before.insert(position, self.index.metas().clone());
                    self.damage.push((number, position, damage));
                }
            }
            Part::Torn(bytes) => self.torn.push((number, bytes)),
        }
    }

    /// Makes the files fit to be written on.
    fn open(
        mut self,
        disk: Arc<dyn Disk>,
        mut superblock: Superblock,
        watermark: u64,
        shapes: BTreeMap<u64, Shape>,
        hints: BTreeSet<u64>,
        is_new: bool,
    ) -> Result<Recovered, StoreError> {
        let family = superblock.family;
        // What was written again since is not missing.
        let index = &self.index;
        self.damage.retain(|(_, position, damage)| {
            let later = damage.key.and_then(|key| index.get(key));
            later.is_none_or(|later| later.position < *position)
        });
        let mut files = BTreeMap::new();
        for (number, shape) in &shapes {
            let name = segment::name(*number);
            let shown = disk.path(&name);
            let file = disk
                .open(&name)
                .map_err(StoreError::io("open", shown.clone()))?;
            if !shape.headed {
                let written = file.write_at(0, &family.head(*number));
                let written = written.and_then(|()| file.sync());
                written.map_err(StoreError::io("write", shown.clone()))?;
            }
            files.insert(*number, (shown, file));
        }
        let torn = cut(&files, &self.torn)?;
        let (current, offset) = place(family, &superblock, watermark, &shapes);
        if offset == HEAD as u64
            && let Some(left) = current.checked_sub(1)
            && let (Some(shape), Some((name, file))) = (shapes.get(&left), files.get(&left))
            && !shape.sealed
        {
            let durable = watermark.saturating_sub(family.base(left));
            let sealed = seal(&**file, family, left, shape.end.max(durable), watermark);
            sealed.map_err(StoreError::io("write", name.clone()))?;
        }
        // Whatever follows was never durable, or is a segment made in advance.
        files.retain(|number, _| *number <= current);
        let metas = BTreeMap::new();
        let superblock_file = match self
            .damage
            .iter()
            .any(|(_, _, damage)| is_superblock(damage))
        {
            false => disk.open(superblock::NAME),
            true => {
                superblock.doubt = 1;
                let bytes = superblock.file();
                disk.create(superblock::NAME, &bytes, bytes.len() as u64)
            }
        };
        let superblock_file = superblock_file.map_err(|error| match is_full(&error) {
            true => StoreError::Full {
                directory: disk.path(""),
            },
            false => StoreError::io("open", disk.path(superblock::NAME))(error),
        })?;
        let shared = Shared {
            family,
            contents: RwLock::new(Contents {
                index: self.index,
                files,
            }),
        };
        let mut store = SegmentedStore {
            disk,
            shared: Arc::new(shared),
            superblock,
            superblock_file,
            current,
            offset,
            spare: Spare::None,
            hinting: None,
            held: self.held.remove(&current).unwrap_or_default(),
            metas,
            tops: self.tops,
            damaged: self.damage.iter().map(|(number, _, _)| *number).collect(),
            owes_metas: false,
            poisoned: false,
        };
        let headed = shapes.iter().rev().find(|(_, shape)| !shape.empty);
        let headed = headed.map_or(0, |(number, _)| *number);
        let mut lost = Vec::new();
        for (number, position, damage) in self.damage {
            let reader = store.reader();
            let now = reader.0.contents.read().index.metas().clone();
            let later = |location: &Location| location.position > position;
            let mut before = BTreeMap::new();
            for (meta, location) in self.before.remove(&position).unwrap_or_default() {
                if let Ok(Some(body)) = reader.read_at(Key::Meta(meta), location) {
                    before.insert(meta, body);
                }
            }
            lost.push(Lost {
                // Of the superblock nobody knows where what it knew would have lain.
                metas_are_whole: number < headed
                    && now.values().all(later)
                    && !is_superblock(&damage),
                damage,
                position,
                before,
            });
        }
        store.owes_metas = lost.iter().any(|lost| !lost.metas_are_whole);
        store.take_over(watermark)?;
        // One of a segment that is yet to be sealed would be of another that had its number.
        let stray = hints
            .iter()
            .filter(|number| **number >= current || !shapes.contains_key(number));
        let stray: Vec<String> = stray.map(|number| hint::name(*number)).collect();
        if !stray.is_empty() {
            let removed = store.disk.remove(&stray);
            removed.map_err(StoreError::io("remove hints from", store.disk.path("")))?;
        }
        let is_missing = |number: u64, shape: &Shape| {
            number < current && shape.sealed && shape.sound && !shape.hinted
        };
        let missing: Vec<(u64, Hint)> = shapes
            .iter()
            .filter(|(number, shape)| is_missing(**number, shape))
            .filter_map(|(number, shape)| {
                Some((*number, Hint::new(shape.end, self.held.remove(number)?)))
            })
            .collect();
        store.write_hints(missing);
        let unread = shapes.iter().filter(|(_, shape)| shape.hinted);
        Ok(Recovered {
            unread: unread.map(|(number, _)| *number).collect(),
            store,
            is_new,
            damage: lost.iter().map(|lost| lost.damage.clone()).collect(),
            lost,
            torn,
        })
    }
}

impl SegmentedStore {
    /// Reads the metadata, makes durable what was kept, and notes that it is.
    fn take_over(&mut self, watermark: u64) -> Result<(), StoreError> {
        let reader = self.reader();
        for key in reader.metas() {
            if let Some(body) = reader.read(Key::Meta(key))? {
                self.metas.insert(key, body);
            }
        }
        // A process that was killed may have written what no disk has yet.
        let (from, _) = self.shared.family.place(watermark);
        let files: Vec<_> = {
            let contents = self.shared.contents.read();
            contents
                .files
                .range(from..)
                .map(|(_, file)| file.clone())
                .collect()
        };
        for (name, file) in files {
            file.sync().map_err(StoreError::io("sync", name))?;
        }
        if !self
            .shared
            .contents
            .read()
            .files
            .contains_key(&self.current)
        {
            let made = create(&*self.disk, &self.shared.family, self.current);
            let file = made.map_err(|error| self.not_created(error))?;
            let name = self.disk.path(&segment::name(self.current));
            let mut contents = self.shared.contents.write();
            contents.files.insert(self.current, (name, file));
        }
        self.write_superblock()?;
        match self.offset == HEAD as u64 && !self.owes_metas {
            true => self.write_metas(),
            false => Ok(()),
        }
    }

    /// Writes all metadata again, as at the head of each segment.
    pub(super) fn write_metas(&mut self) -> Result<(), StoreError> {
        let again = self.metas.iter().map(|(number, body)| Record {
            key: Key::Meta(*number),
            body: body.clone(),
        });
        let again: Vec<Record> = again.collect();
        self.append(&again)
    }
}

/// Overwrites torn writes with zeros, so that they never look like anything again.
fn cut(
    files: &BTreeMap<u64, (String, Arc<dyn DiskFile>)>,
    torn: &[(u64, std::ops::Range<u64>)],
) -> Result<u64, StoreError> {
    let mut bytes = 0;
    for (number, range) in torn {
        let Some((name, file)) = files.get(number) else {
            continue;
        };
        let count = range.end - range.start;
        let written = file.write_at(range.start, &vec![0; count as usize]);
        let written = written.and_then(|()| file.sync());
        written.map_err(StoreError::io("write", name.clone()))?;
        bytes += count;
    }
    Ok(bytes)
}

/// Seals a segment that is not written on, where its last frame ends or should have ended: what
/// cannot be read before the seal stays damage, and what lies behind it never was.
fn seal(
    file: &dyn DiskFile,
    family: Family,
    number: u64,
    end: u64,
    watermark: u64,
) -> io::Result<()> {
    let end = end.next_multiple_of(frame::ALIGN as u64);
    if end + frame::HEADER as u64 > family.segment_bytes {
        return Ok(());
    }
    let length = file.length()?;
    if length < family.segment_bytes {
        file.write_at(length, &vec![0; (family.segment_bytes - length) as usize])?;
    }
    let mut bytes = Vec::new();
    let position = family.base(number) + end;
    frame::write(
        &mut bytes,
        Kind::Seal,
        &[],
        position,
        watermark,
        family.salt,
    );
    file.write_at(end, &bytes)?;
    file.sync()
}

/// Where to go on: behind the last frame, or in a segment of its own when the last is not sound.
fn place(
    family: Family,
    superblock: &Superblock,
    watermark: u64,
    shapes: &BTreeMap<u64, Shape>,
) -> (u64, u64) {
    let used = shapes.iter().rev().find(|(_, shape)| !shape.empty);
    let used = used.map(|(number, _)| *number);
    let durable = watermark
        .checked_sub(1)
        .map(|position| family.place(position).0);
    let last = used.max(durable).unwrap_or(superblock.first);
    let last = last.max(superblock.first);
    match shapes.get(&last) {
        Some(shape) if shape.sound && !shape.sealed => (last, shape.end),
        _ => (last + 1, HEAD as u64),
    }
}

fn is_superblock(damage: &Damage) -> bool {
    damage.file.ends_with(superblock::NAME)
}

/// Makes the files of a store: the superblock last, which says that it is whole.
fn make(disk: &Arc<dyn Disk>, identity: Identity, options: StoreOptions) -> Result<(), StoreError> {
    let smallest = segment::BYTES_MIN;
    let bytes = options.segment_bytes.clamp(smallest, segment::BYTES_MAX);
    let family = Family {
        identity,
        segment_bytes: bytes.next_multiple_of(HEAD as u64),
        salt: rand::Rng::random(&mut libproc::env::rng()),
    };
    let bytes = Superblock::new(family).file();
    let length = bytes.len() as u64;
    create(&**disk, &family, 0)
        .and_then(|_| disk.create(superblock::NAME, &bytes, length))
        .map(drop)
        .map_err(|error| match is_full(&error) {
            true => StoreError::Full {
                directory: disk.path(""),
            },
            false => StoreError::io("make a log in", disk.path(""))(error),
        })
}
