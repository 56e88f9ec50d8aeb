//! Shelves: maps and histories of records of which a copy costs one reference count.
//!
//! A copy shares everything with what it was taken of. Whoever changes a record then copies that
//! record and the few nodes above it, once for each copy that is still held. So the pages of the
//! master are written from the books of one moment, elsewhere, while the master goes on.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use imbl::shared_ptr::DefaultSharedPtr;

/// What is kept on a shelf.
pub(crate) trait Record: Clone {
    /// It is about to be changed, or comes from elsewhere: what was derived from it is void.
    fn touched(&mut self) {}
}

/// Records by their names, in the order of these.
#[derive(Clone)]
pub(crate) struct Shelf<K, V>(imbl::OrdMap<K, Arc<V>>);

impl<K: Ord + Clone, V: Record> Shelf<K, V> {
    pub(crate) fn new() -> Self {
        Self(imbl::OrdMap::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(Arc::as_ref)
    }

    /// The record, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let record = Arc::make_mut(self.0.get_mut(key)?);
        record.touched();
        Some(record)
    }

    pub(crate) fn insert(&mut self, key: K, mut record: V) -> Option<V> {
        record.touched();
        let before = self.0.insert(key, Arc::new(record));
        before.map(Arc::unwrap_or_clone)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key).map(Arc::unwrap_or_clone)
    }

    pub(crate) fn keys(&self) -> imbl::ordmap::Keys<'_, K, Arc<V>, DefaultSharedPtr> {
        self.0.keys()
    }

    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.0.iter())
    }

    pub(crate) fn values(&self) -> Values<'_, K, V> {
        Values(self.iter())
    }
}

/// Walks a shelf.
pub(crate) struct Iter<'a, K, V>(imbl::ordmap::Iter<'a, K, Arc<V>, DefaultSharedPtr>);

/// Walks the records of a shelf.
pub(crate) struct Values<'a, K, V>(Iter<'a, K, V>);

impl<'a, K: Ord, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, record)| (key, record.as_ref()))
    }
}

impl<'a, K: Ord, V> Iterator for Values<'a, K, V> {
    type Item = &'a V;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(_, record)| record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<K: Ord, V> ExactSizeIterator for Values<'_, K, V> {
    fn len(&self) -> usize {
        self.0.0.len()
    }
}

impl<'a, K: Ord + Clone, V: Record> IntoIterator for &'a Shelf<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Ord + Clone, V: Record> Index<&K> for Shelf<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("it is on the shelf")
    }
}

impl<K: Ord + Clone + fmt::Debug, V: Record + fmt::Debug> fmt::Debug for Shelf<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Records in the order in which they came.
#[derive(Clone)]
pub(crate) struct History<V>(imbl::Vector<Arc<V>>);

impl<V: Record> History<V> {
    pub(crate) fn new() -> Self {
        Self(imbl::Vector::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push_back(&mut self, mut record: V) {
        record.touched();
        self.0.push_back(Arc::new(record));
    }

    /// Forgets the oldest.
    pub(crate) fn pop_front(&mut self) {
        self.0.pop_front();
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        // Hardly ever does one go, and to build all of it anew costs as much as it is long.
        if !self.iter().all(&mut keep) {
            self.0.retain(|record| keep(record));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(Arc::as_ref)
    }
}

impl<V: fmt::Debug> fmt::Debug for History<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Note {
        text: &'static str,
        touched: u32,
    }

    impl Record for Note {
        fn touched(&mut self) {
            self.touched += 1;
        }
    }

    fn note(text: &'static str) -> Note {
        Note { text, touched: 0 }
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut shelf = Shelf::new();
        for key in 0..1_000 {
            assert_eq!(shelf.insert(key, note("old")), None);
        }
        let before = shelf.clone();
        shelf.get_mut(&7).expect("it is there").text = "new";
        assert_eq!(shelf.remove(&8).map(|note| note.text), Some("old"));
        assert_eq!(shelf[&7].text, "new");
        assert_eq!((shelf.len(), before.len()), (999, 1_000));
        assert!(before.values().all(|note| note.text == "old"));
        assert!(before.keys().copied().eq(0..1_000), "in order");
        let mut history = History::new();
        history.push_back(note("a"));
        history.push_back(note("b"));
        let before = history.clone();
        history.pop_front();
        history.retain(|note| note.text != "b");
        assert_eq!((history.len(), before.len()), (0, 2));
    }

    #[test]
    fn a_record_hears_that_it_is_changed() {
        let mut shelf = Shelf::new();
        shelf.insert("k", note("old"));
        assert_eq!(shelf[&"k"].touched, 1);
        shelf.get_mut(&"k");
        assert_eq!(shelf[&"k"].touched, 2);
        assert!(shelf.get_mut(&"other").is_none());
    }
}
