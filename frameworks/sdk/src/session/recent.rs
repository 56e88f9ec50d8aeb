//! The latest things seen, so that what comes twice is known.

use std::collections::{BTreeSet, VecDeque};

/// A set that forgets the oldest entry when a limit is reached.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    entries: BTreeSet<T>,
    order: VecDeque<T>,
    limit: usize,
}

impl<T: Ord + Clone> Recent<T> {
    pub(crate) fn new(limit: usize) -> Recent<T> {
        Recent {
            entries: BTreeSet::new(),
            order: VecDeque::new(),
            limit,
        }
    }

    /// Adds an entry; false when it is there already.
    pub(crate) fn insert(&mut self, entry: T) -> bool {
        if !self.entries.insert(entry.clone()) {
            return false;
        }
        self.order.push_back(entry);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        true
    }

    pub(crate) fn contains(&self, entry: &T) -> bool {
        self.entries.contains(entry)
    }

    /// Forgets an entry. Rare, so it may look through all of them.
    pub(crate) fn remove(&mut self, entry: &T) {
        if self.entries.remove(entry) {
            self.order.retain(|other| other != entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_makes_room() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1) && recent.insert(2));
        assert!(!recent.insert(1));
        assert!(recent.insert(3));
        assert!(!recent.contains(&1) && recent.contains(&2) && recent.contains(&3));
        recent.remove(&2);
        assert!(recent.insert(4) && recent.contains(&3));
    }
}
