//! The store of segments: appends with one flush, reads beside them, gives back whole segments.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::RwLock;

use super::disk::{Disk, DiskFile};
use super::error::{StoreError, is_full};
use super::frame::{self, Kind};
use super::index::{Index, Location};
use super::options::{Identity, StoreOptions};
use super::recovery::{Damage, Found, Lost, Part, Recovered, Shape, Walk};
use super::segment::{self, Family, HEAD};
use super::superblock::{self, Superblock};
use super::{Key, LogStore, Record};

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

/// What readers use as well.
struct Shared {
    family: Family,
    contents: RwLock<Contents>,
}

struct Contents {
    index: Index,
    files: BTreeMap<u64, (String, Arc<dyn DiskFile>)>,
}

/// The segment after the current one.
enum Spare {
    None,
    /// On a thread of its own: to fill it takes longer than a commit.
    Making(JoinHandle<io::Result<Arc<dyn DiskFile>>>),
}

/// What is to be written into one segment.
struct Stretch {
    segment: u64,
    offset: u64,
    bytes: Vec<u8>,
}

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
        let mut contents = Opening::default();
        let begin = walk.superblock.begin;
        let noted = walk.superblock.noted;
        let family = walk.superblock.family;
        let shapes = walk.each(|number, part| {
            contents.take(number, part, family, begin, noted);
        })?;
        let (superblock, watermark) = (walk.superblock, walk.watermark);
        drop(walk);
        contents.open(disk, superblock, watermark, shapes, is_new)
    }

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
        for stretch in &plan.stretches {
            if !stretch.bytes.is_empty() {
                self.write(stretch)?;
            }
            self.current = stretch.segment;
            self.offset = stretch.offset + stretch.bytes.len() as u64;
        }
        self.metas = plan.metas;
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
            .map(|number| segment::name(*number))
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

/// How a batch is laid out, before it is written.
struct Plan {
    family: Family,
    durable: u64,
    metas: BTreeMap<u64, Vec<u8>>,
    stretches: Vec<Stretch>,
    locations: Vec<(Key, Location)>,
}

impl Plan {
    fn add(&mut self, record: &Record) {
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

/// What is gathered while the files are read.
#[derive(Default)]
struct Opening {
    index: Index,
    tops: BTreeMap<u64, u64>,
    damage: Vec<(u64, u64, Damage)>,
    /// The metadata there was before each of them.
    before: BTreeMap<u64, BTreeMap<u64, Location>>,
    torn: Vec<(u64, std::ops::Range<u64>)>,
}

impl Opening {
    fn take(&mut self, number: u64, part: Part, family: Family, begin: u64, noted: u64) {
        let base = family.base(number);
        match part {
            Part::Frame(offset, header) => {
                let Kind::Of(key) = header.kind else {
                    return;
                };
                if let Key::Slot(slot) = key {
                    let top = self.tops.entry(number).or_default();
                    *top = slot.saturating_add(1).max(*top);
                    if slot < begin {
                        return;
                    }
                }
                let position = base + offset;
                let length = header.length;
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
        let superblock_file =
            superblock_file.map_err(StoreError::io("open", disk.path(superblock::NAME)))?;
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
        Ok(Recovered {
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
    fn write_metas(&mut self) -> Result<(), StoreError> {
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

fn create(disk: &dyn Disk, family: &Family, number: u64) -> io::Result<Arc<dyn DiskFile>> {
    disk.create(
        &segment::name(number),
        &family.head(number),
        family.segment_bytes,
    )
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

/// Reads records of a store while others are written. Cloning gives another handle.
#[derive(Clone)]
pub struct StoreReader(Arc<Shared>);

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

    fn read_at(&self, key: Key, location: Location) -> Result<Option<Vec<u8>>, StoreError> {
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

    /// Hands over the last record of every key, in the order in which they lie in the files.
    ///
    /// # Errors
    /// When a file cannot be read, or has been damaged since the store was opened.
    pub fn each(&self, mut each: impl FnMut(Record)) -> Result<(), StoreError> {
        let (mut all, files) = {
            let contents = self.0.contents.read();
            let all: Vec<_> = contents.index.iter().collect();
            (all, contents.files.clone())
        };
        all.sort_unstable_by_key(|(_, location)| location.position);
        let mut loaded: Option<(u64, Vec<u8>)> = None;
        for (key, location) in all {
            let (segment, offset) = self.0.family.place(location.position);
            let Some((name, file)) = files.get(&segment) else {
                continue;
            };
            if loaded.as_ref().is_none_or(|(number, _)| *number != segment) {
                let bytes = super::disk::read_all(&**file);
                let bytes = bytes.map_err(StoreError::io("read", name.clone()))?;
                loaded = Some((segment, bytes));
            }
            let bytes = loaded.as_ref().map_or(&[][..], |(_, bytes)| bytes);
            let from = offset as usize;
            let to = from + frame::HEADER + location.length as usize;
            match bytes.get(from..to) {
                Some(bytes) if self.open(bytes, location.position, key) => {
                    let body = bytes[frame::HEADER..].to_vec();
                    each(Record { key, body });
                }
                _ => {
                    return Err(StoreError::Damaged(Damage {
                        file: name.clone(),
                        bytes: from as u64..to as u64,
                        key: Some(key),
                    }));
                }
            }
        }
        Ok(())
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
