//! A slab: things with small numbers that are used again once a thing is gone.

use std::marker::PhantomData;
use std::ops::{Index as At, IndexMut as AtMut};

/// The number of a thing in a slab, different types for different things.
pub(crate) struct Index<T>(u32, PhantomData<fn() -> T>);

/// Things by number. The same calls give the same numbers.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    vacant: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, entry: T) -> Index<T> {
        match self.vacant.pop() {
            Some(number) => {
                self.entries[number as usize] = Some(entry);
                Index::new(number)
            }
            None => {
                let number = u32::try_from(self.entries.len()).expect("fewer than 2^32 entries");
                self.entries.push(Some(entry));
                Index::new(number)
            }
        }
    }

    pub(crate) fn remove(&mut self, index: Index<T>) -> T {
        let entry = self.entries[index.0 as usize]
            .take()
            .expect("only what is there is removed");
        self.vacant.push(index.0);
        entry
    }

    pub(crate) fn get_mut(&mut self, index: Index<T>) -> Option<&mut T> {
        self.entries.get_mut(index.0 as usize)?.as_mut()
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = Index<T>> {
        let numbers = self.entries.iter().zip(0..);
        numbers
            .filter(|(entry, _)| entry.is_some())
            .map(|(_, number)| Index::new(number))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Index<T>, &T)> {
        let numbers = self.entries.iter().zip(0..);
        numbers.filter_map(|(entry, number)| Some((Index::new(number), entry.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Index<T>, &mut T)> {
        let numbers = self.entries.iter_mut().zip(0..);
        numbers.filter_map(|(entry, number)| Some((Index::new(number), entry.as_mut()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
        }
    }
}

impl<T> At<Index<T>> for Slab<T> {
    type Output = T;

    fn index(&self, index: Index<T>) -> &T {
        self.entries[index.0 as usize]
            .as_ref()
            .expect("an index is of what is there")
    }
}

impl<T> AtMut<Index<T>> for Slab<T> {
    fn index_mut(&mut self, index: Index<T>) -> &mut T {
        self.entries[index.0 as usize]
            .as_mut()
            .expect("an index is of what is there")
    }
}

impl<T> Index<T> {
    fn new(number: u32) -> Self {
        Self(number, PhantomData)
    }

    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

impl<T> std::fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Index<T> {}

impl<T> PartialEq for Index<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Index<T> {}

impl<T> PartialOrd for Index<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Index<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> std::hash::Hash for Index<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!(slab.remove(a), "a");
        assert_eq!(slab.len(), 1);
        let c = slab.insert("c");
        assert_eq!(c, a);
        assert_eq!(
            slab.iter().map(|(_, entry)| *entry).collect::<Vec<_>>(),
            ["c", "b"]
        );
        assert_eq!(slab.indices().collect::<Vec<_>>(), [c, b]);
    }
}
