//! Checking: a walk over all files that says which record of which file is damaged.

use super::Key;
use super::disk::Disk;
use super::error::StoreError;
use super::index::{Index, Location};
use super::options::Identity;
use super::recovery::{Damage, Found, Part, Pass, Walk};

/// What there is in a store.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Whose it is.
    pub identity: Identity,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// How many segments there are.
    pub segments: usize,
    /// How many records, counting those that later ones replace.
    pub records: u64,
    /// The lowest slot there is a record of.
    pub first_slot: Option<u64>,
    /// The highest.
    pub last_slot: Option<u64>,
    /// Slots below it are truncated.
    pub begin: u64,
    /// What is not as it was written.
    pub findings: Vec<Finding>,
}

/// Something in a store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Lost: the replica has to be repaired by the others before it may vote.
    Damaged(Damage),
    /// Lost once; later records make it good, or say what was lost.
    Known(Damage),
    /// A last write that a crash interrupted. Nobody was told of it; opening the log cuts it off.
    Torn(Damage),
    /// The head of a segment, which is known from the others; opening the log writes it again.
    Head(String),
    /// One of the two slots of the superblock, which the other makes good.
    Superblock,
}

impl Survey {
    /// Whether nothing that counts is lost.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let lost = |finding: &Finding| matches!(finding, Finding::Damaged(_));
        !self.findings.iter().any(lost)
    }
}

/// Reads every byte of a store, and changes nothing.
///
/// # Errors
/// When there is none, it cannot be read, or is none of a log.
pub fn survey(disk: &dyn Disk) -> Result<Survey, StoreError> {
    let Found::Store(mut walk) = Walk::begin(disk, None)? else {
        let directory = disk.path("");
        return Err(StoreError::Missing { directory });
    };
    let superblock = walk.superblock;
    let family = superblock.family;
    let mut index = Index::default();
    let mut records = 0;
    let mut damaged = Vec::new();
    let mut findings = Vec::new();
    if walk.slots == 1 {
        findings.push(Finding::Superblock);
    }
    let shapes = walk.each(Pass::Full, |number, part| match part {
        Part::Record(offset, key, length) => {
            records += 1;
            let position = family.base(number) + offset;
            index.set(key, Location { position, length });
        }
        Part::Damage(damage) => {
            damaged.push((family.base(number) + damage.bytes.start, damage));
        }
        Part::Torn(bytes) => findings.push(Finding::Torn(Damage {
            file: disk.path(&super::segment::name(number)),
            bytes,
            key: None,
        })),
    })?;
    for (number, _) in shapes.iter().filter(|(_, shape)| !shape.headed) {
        findings.push(Finding::Head(disk.path(&super::segment::name(*number))));
    }
    for (position, damage) in damaged {
        let later = damage.key.and_then(|key| index.get(key));
        let truncated = matches!(damage.key, Some(Key::Slot(slot)) if slot < superblock.begin);
        let good = position < superblock.noted
            || truncated
            || later.is_some_and(|later| later.position > position);
        findings.push(match good {
            true => Finding::Known(damage),
            false => Finding::Damaged(damage),
        });
    }
    index.truncate(superblock.begin);
    let mut slots = index.iter().filter_map(|(key, _)| match key {
        Key::Slot(slot) => Some(slot),
        Key::Meta(_) => None,
    });
    let first_slot = slots.next();
    Ok(Survey {
        identity: family.identity,
        segment_bytes: family.segment_bytes,
        segments: shapes.len(),
        records,
        first_slot,
        last_slot: slots.last().or(first_slot),
        begin: superblock.begin,
        findings,
    })
}
