//! Recovery: from files, of which a crash or the disk may have spoilt some, to what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use super::Key;
use super::disk::{Disk, read_all};
use super::error::StoreError;
use super::frame::Kind;
use super::hint::{self, Hint};
use super::options::Identity;
use super::scan::{Item, Scan, scan};
use super::segment::{self, Family, HEAD};
use super::segmented::SegmentedStore;
use super::superblock::{self, Superblock};

/// Something that was durable, and cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Which of its bytes.
    pub bytes: Range<u64>,
    /// What they held; none when that cannot be told, so that it may have been anything.
    pub key: Option<Key>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.bytes;
        let count = end - start;
        write!(f, "{}: {count} bytes at {start} are damaged; ", self.file)?;
        match self.key {
            Some(Key::Slot(slot)) => write!(f, "they held slot {slot}"),
            Some(Key::Meta(number)) => write!(f, "they held metadata {number}"),
            None => f.write_str("what they held is not known"),
        }
    }
}

/// What was lost, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What it is.
    pub damage: Damage,
    /// Where it is among all records: those with a higher position were written later.
    pub position: u64,
    /// The metadata as it was written last before it.
    pub before: BTreeMap<u64, Vec<u8>>,
    /// Whether all metadata was written again after it, so that none of it is lost.
    pub metas_are_whole: bool,
}

/// A store as it was found.
pub struct Recovered {
    /// Ready to be written on.
    pub store: SegmentedStore,
    /// It was just made: nothing was there.
    pub is_new: bool,
    /// What was durable and is lost, unless whoever uses the store has noted it.
    pub damage: Vec<Damage>,
    /// The same, with what is known around it.
    pub lost: Vec<Lost>,
    /// Bytes of a last write that a crash interrupted; nobody was told of it, and they were cut off.
    pub torn: u64,
    /// Segments of which only the hints were read: see [`StoreReader::verify`](super::StoreReader::verify).
    pub unread: Vec<u64>,
}

/// What a pass over the files finds, in their order.
pub(super) enum Part {
    /// A record, by the offset of its frame and the length of its body.
    Record(u64, Key, u32),
    Damage(Damage),
    /// From here on nothing was ever durable.
    Torn(Range<u64>),
}

/// The state of one file after a pass over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Where the next frame would go.
    pub(super) end: u64,
    pub(super) sealed: bool,
    /// Of full length, without damage, and with a whole head.
    pub(super) sound: bool,
    /// It has no frames, and no bytes that are not zero behind its head.
    pub(super) empty: bool,
    /// It says in its head whose it is.
    pub(super) headed: bool,
    /// Its hint was read instead of it.
    pub(super) hinted: bool,
}

/// How much is read of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Of sealed segments that look whole, their hints.
    Quick,
    /// Every byte.
    Full,
}

/// The files of a store, before they are read in full.
pub(super) struct Walk<'a> {
    disk: &'a dyn Disk,
    pub(super) superblock: Superblock,
    /// How many of the superblock's two slots are whole.
    pub(super) slots: usize,
    /// The segments there are.
    pub(super) numbers: Vec<u64>,
    /// The segments that have hints.
    pub(super) hints: BTreeSet<u64>,
    pub(super) watermark: u64,
    /// Of the last segments, which had to be read to find the watermark.
    scans: BTreeMap<u64, Loaded>,
}

struct Loaded {
    scan: Scan,
    length: u64,
    headed: bool,
}

/// What a directory is.
pub(super) enum Found<'a> {
    Nothing,
    Store(Box<Walk<'a>>),
}

impl<'a> Walk<'a> {
    /// Looks at the files of a disk; `identity` says whose they are to be, when that is known.
    pub(super) fn begin(
        disk: &'a dyn Disk,
        identity: Option<Identity>,
    ) -> Result<Found<'a>, StoreError> {
        let names = disk.names();
        let names = names.map_err(StoreError::io("list", disk.path("")))?;
        let mut numbers: Vec<u64> = names
            .iter()
            .filter_map(|name| segment::number(name))
            .collect();
        numbers.sort_unstable();
        let has_superblock = names.iter().any(|name| name == superblock::NAME);
        if numbers.is_empty() && !has_superblock {
            return match names.first() {
                None => Ok(Found::Nothing),
                Some(name) => Err(StoreError::Foreign {
                    file: disk.path(name),
                    why: "no log has such a file, and there is no log beside it".to_owned(),
                }),
            };
        }
        let (read, slots) = match has_superblock {
            true => Superblock::read(&load(disk, superblock::NAME)?)?,
            false => (None, 0),
        };
        let family = match &read {
            Some(superblock) => Some(superblock.family),
            None => family_of_heads(disk, &numbers)?,
        };
        let Some(family) = family else {
            return Err(StoreError::Foreign {
                file: disk.path(superblock::NAME),
                why: "neither it nor any segment says whose they are".to_owned(),
            });
        };
        if let Some(identity) = identity
            && identity != family.identity
        {
            return Err(StoreError::Foreign {
                file: disk.path(superblock::NAME),
                why: not_of(family.identity, identity),
            });
        }
        let mut superblock = read.unwrap_or_else(|| Superblock::new(family));
        if read.is_none() {
            superblock.first = numbers.first().copied().unwrap_or(0);
        }
        // Of older ones, which a crash kept from being removed, nothing is wanted.
        numbers.retain(|number| *number >= superblock.first);
        let mut walk = Walk {
            disk,
            superblock,
            slots,
            numbers,
            hints: names.iter().filter_map(|name| hint::number(name)).collect(),
            watermark: superblock.watermark,
            scans: BTreeMap::new(),
        };
        walk.find_watermark()?;
        walk.refuse_strays()?;
        if read.is_none() && walk.watermark == 0 && !walk.has_frames() {
            // Its making was interrupted.
            return Ok(Found::Nothing);
        }
        Ok(Found::Store(Box::new(walk)))
    }

    /// Watermarks only rise, so that the last frame there is has the highest.
    fn find_watermark(&mut self) -> Result<(), StoreError> {
        for number in self.numbers.clone().into_iter().rev() {
            let loaded = self.load(number)?;
            let marks = loaded.scan.items.iter().filter_map(|item| match item {
                Item::Frame(_, header) => Some(header.watermark),
                Item::Bad(_) => None,
            });
            let highest = marks.max();
            self.scans.insert(number, loaded);
            if let Some(highest) = highest {
                self.watermark = self.watermark.max(highest);
                break;
            }
        }
        Ok(())
    }

    /// A segment that is far from all others was never made by this store.
    fn refuse_strays(&self) -> Result<(), StoreError> {
        let (last, _) = self.superblock.family.place(self.watermark);
        let far = self.numbers.iter().find(|number| **number > last + 1);
        far.map_or(Ok(()), |number| {
            Err(StoreError::Foreign {
                file: self.disk.path(&segment::name(*number)),
                why: "the segments before it are missing, and were never written".to_owned(),
            })
        })
    }

    fn has_frames(&self) -> bool {
        let mut scans = self.scans.values();
        scans.any(|loaded| !loaded.scan.items.is_empty())
    }

    fn load(&self, number: u64) -> Result<Loaded, StoreError> {
        let family = self.superblock.family;
        let name = segment::name(number);
        let bytes = load(self.disk, &name)?;
        let head = bytes.get(..HEAD);
        let head = head.map_or(Ok(None), |head| Family::read(head, &name))?;
        if let Some((theirs, own)) = head
            && (theirs, own) != (family, number)
        {
            let why = match theirs.identity == family.identity {
                true => "its head is that of another segment".to_owned(),
                false => not_of(theirs.identity, family.identity),
            };
            let file = self.disk.path(&name);
            return Err(StoreError::Foreign { file, why });
        }
        let base = family.base(number);
        let most = bytes.len().min(family.segment_bytes as usize);
        Ok(Loaded {
            scan: scan(&bytes[..most], HEAD, base, family.salt),
            length: bytes.len() as u64,
            headed: head.is_some(),
        })
    }

    /// Hands over all there is, segment by segment, and what each segment looks like.
    pub(super) fn each(
        &mut self,
        pass: Pass,
        mut part: impl FnMut(u64, Part),
    ) -> Result<BTreeMap<u64, Shape>, StoreError> {
        let family = self.superblock.family;
        if self.slots == 0 || self.superblock.doubt > 0 {
            // Of what it alone knew, nobody can say what it was.
            part(
                0,
                self.damage(superblock::NAME, 0..superblock::BYTES as u64, None),
            );
        }
        let last = self.numbers.last().copied();
        let durable = self.watermark.checked_sub(1);
        let durable = durable.map(|position| family.place(position).0);
        let Some(last) = last.max(durable) else {
            return Ok(BTreeMap::new());
        };
        let mut shapes = BTreeMap::new();
        let mut torn = false;
        for number in self.superblock.first..=last {
            if !self.numbers.contains(&number) {
                if family.base(number) < self.watermark {
                    let all = 0..family.segment_bytes;
                    part(number, self.damage(&segment::name(number), all, None));
                }
                continue;
            }
            let loaded = match self.scans.remove(&number) {
                Some(loaded) => loaded,
                None => {
                    if pass == Pass::Quick
                        && self.hints.contains(&number)
                        && let Some(hint) = Hint::of(self.disk, &family, number)
                    {
                        shapes.insert(number, hinted(number, hint, &mut part));
                        continue;
                    }
                    self.load(number)?
                }
            };
            let shape = self.segment(number, loaded, &mut torn, &mut part);
            shapes.insert(number, shape);
        }
        Ok(shapes)
    }

    /// Hands over what is in one segment.
    fn segment(
        &self,
        number: u64,
        loaded: Loaded,
        torn: &mut bool,
        part: &mut impl FnMut(u64, Part),
    ) -> Shape {
        let family = self.superblock.family;
        let (base, name) = (family.base(number), segment::name(number));
        // Up to here, in this file, everything was durable.
        let durable = self
            .watermark
            .saturating_sub(base)
            .min(family.segment_bytes);
        let mut shape = Shape {
            end: HEAD as u64,
            sealed: false,
            sound: loaded.headed && loaded.length >= family.segment_bytes,
            empty: loaded.scan.items.is_empty(),
            headed: loaded.headed,
            hinted: false,
        };
        let dirty = loaded.scan.end as u64;
        for item in loaded.scan.items {
            if *torn {
                break;
            }
            match item {
                Item::Frame(at, header) => {
                    if let Kind::Of(key) = header.kind {
                        part(number, Part::Record(at as u64, key, header.length));
                    }
                    let size = super::frame::size(header.length as usize);
                    shape.end = (at + size) as u64;
                    shape.sealed = header.kind == Kind::Seal;
                }
                Item::Bad(bad) if (bad.range.start as u64) < durable => {
                    let bytes = bad.range.start as u64..bad.range.end as u64;
                    shape.end = bytes.end;
                    shape.sound = false;
                    let key = bad.kind.and_then(|kind| match kind {
                        Kind::Of(key) => Some(key),
                        Kind::Seal => None,
                    });
                    part(number, self.damage(&name, bytes, key));
                }
                Item::Bad(_) => *torn = true,
            }
        }
        if *torn && dirty > shape.end {
            part(number, Part::Torn(shape.end..dirty));
        }
        if !shape.sealed && shape.end < durable && (durable > HEAD as u64) {
            part(number, self.damage(&name, shape.end..durable, None));
            shape.sound = false;
        }
        shape
    }

    fn damage(&self, file: &str, bytes: Range<u64>, key: Option<Key>) -> Part {
        let file = self.disk.path(file);
        Part::Damage(Damage { file, bytes, key })
    }
}

/// Hands over what the hint of a segment says.
fn hinted(number: u64, hint: Hint, part: &mut impl FnMut(u64, Part)) -> Shape {
    for held in hint.records {
        part(
            number,
            Part::Record(u64::from(held.offset), held.key, held.length),
        );
    }
    Shape {
        end: hint.end,
        sealed: true,
        sound: true,
        empty: false,
        headed: true,
        hinted: true,
    }
}

fn load(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, StoreError> {
    let bytes = disk.open(name).and_then(|file| read_all(&*file));
    bytes.map_err(StoreError::io("read", disk.path(name)))
}

/// What the first whole head says.
fn family_of_heads(disk: &dyn Disk, numbers: &[u64]) -> Result<Option<Family>, StoreError> {
    for number in numbers {
        let name = segment::name(*number);
        let bytes = load(disk, &name)?;
        let head = bytes.get(..HEAD);
        let head = head.map_or(Ok(None), |head| Family::read(head, &name))?;
        if let Some((family, _)) = head {
            return Ok(Some(family));
        }
    }
    Ok(None)
}

fn not_of(found: Identity, wanted: Identity) -> String {
    if found.cluster != wanted.cluster {
        return format!(
            "it belongs to the log {:016x}, not to {:016x}",
            found.cluster, wanted.cluster
        );
    }
    format!(
        "it belongs to replica {} of the log, not to {}",
        found.node, wanted.node
    )
}
