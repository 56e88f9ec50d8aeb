//! Where each record lies: pages of locations, for slots that are mostly dense.

use std::collections::BTreeMap;

use super::Key;

/// Slots of a page.
const PAGE: u64 = 256;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    /// Position of its frame.
    pub(super) position: u64,
    /// Bytes of its body.
    pub(super) length: u32,
}

/// The location of the last record of each key.
#[derive(Debug, Default)]
pub(super) struct Index {
    metas: BTreeMap<u64, Location>,
    pages: BTreeMap<u64, Vec<Option<Location>>>,
}

impl Index {
    /// Of two records with one key the later one counts; its position is higher.
    pub(super) fn set(&mut self, key: Key, location: Location) {
        match key {
            Key::Meta(number) => drop(self.metas.insert(number, location)),
            Key::Slot(slot) => {
                let page = self.pages.entry(slot / PAGE);
                let page = page.or_insert_with(|| vec![None; PAGE as usize]);
                page[(slot % PAGE) as usize] = Some(location);
            }
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<Location> {
        match key {
            Key::Meta(number) => self.metas.get(&number).copied(),
            Key::Slot(slot) => {
                let page = self.pages.get(&(slot / PAGE))?;
                page[(slot % PAGE) as usize]
            }
        }
    }

    pub(super) fn metas(&self) -> &BTreeMap<u64, Location> {
        &self.metas
    }

    /// Forgets the slots below `begin`.
    pub(super) fn truncate(&mut self, begin: u64) {
        self.pages = self.pages.split_off(&(begin / PAGE));
        if let Some(page) = self.pages.get_mut(&(begin / PAGE)) {
            page[..(begin % PAGE) as usize].fill(None);
        }
    }

    /// All there is: metas first, then slots in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Location)> {
        let metas = self.metas.iter();
        let metas = metas.map(|(number, location)| (Key::Meta(*number), *location));
        let slots = self.pages.iter().flat_map(|(page, locations)| {
            let numbered = (page * PAGE..).zip(locations);
            numbered.filter_map(|(slot, location)| Some((Key::Slot(slot), (*location)?)))
        });
        metas.chain(slots)
    }

    /// The slots from `first` on, in order.
    pub(super) fn slots_from(&self, first: u64) -> Vec<u64> {
        let pages = self.pages.range(first / PAGE..);
        let slots = pages.flat_map(|(page, locations)| {
            let numbered = (page * PAGE..).zip(locations);
            numbered.filter_map(|(slot, location)| location.map(|_| slot))
        });
        slots.skip_while(|slot| *slot < first).collect()
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        let pages = self.pages.values();
        pages.map(|page| page.iter().flatten().count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Location {
        Location {
            position,
            length: 1,
        }
    }

    #[test]
    fn the_last_of_a_key_counts_and_truncated_slots_are_gone() {
        let mut index = Index::default();
        for slot in [3, 255, 256, 1 << 60, 3] {
            index.set(Key::Slot(slot), at(slot + 1));
        }
        index.set(Key::Slot(3), at(99));
        index.set(Key::Meta(3), at(5));
        assert_eq!(index.get(Key::Slot(3)), Some(at(99)));
        index.truncate(255);
        let left: Vec<Key> = index.iter().map(|(key, _)| key).collect();
        let slots = [255, 256, 1 << 60].map(Key::Slot);
        assert_eq!(left, [&[Key::Meta(3)], &slots[..]].concat());
        assert_eq!(index.slots(), 3);
    }
}
