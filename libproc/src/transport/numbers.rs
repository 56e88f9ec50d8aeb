//! The numbers that stand for ids and message names in what is sent over one connection.

use std::collections::HashMap;

use super::frame::{NAMES_MAX, NOBODY, TABLE_MAX};
use crate::pid::Upid;

/// Places of a memory of what was looked up lately.
const RECENT: usize = 64;

/// What a connection has defined so far, for each direction of address and for names.
#[derive(Default)]
pub(crate) struct Numbers {
    to: HashMap<Box<str>, u32>,
    /// By number: the address a number was last looked up for. One that remembers its number needs
    /// no look-up.
    addresses: Vec<Upid>,
    from: HashMap<u64, u32>,
    names: HashMap<&'static str, u16>,
    recent_from: Recent<u64, u32>,
    recent_names: Recent<Static, u16>,
}

/// A number, and whether the peer has yet to be told of it.
pub(crate) type Numbered<N> = (N, bool);

impl Numbers {
    /// Whether the next letter might find a table full; the numbers must be forgotten first.
    pub(crate) fn is_full(&self) -> bool {
        self.to.len() >= TABLE_MAX || self.from.len() >= TABLE_MAX || self.names.len() >= NAMES_MAX
    }

    /// What the numbers stand for, the other way around.
    pub(super) fn meanings(&self) -> Meanings<'_> {
        let mut from: Vec<_> = self.from.iter().collect();
        from.sort_unstable_by_key(|(_, number)| **number);
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        Meanings {
            to: &self.addresses,
            from: from.into_iter().map(|(at, _)| *at).collect(),
            names: names.into_iter().map(|(name, _)| *name).collect(),
        }
    }

    #[inline]
    pub(crate) fn to(&mut self, to: &Upid) -> Numbered<u32> {
        let number = to.number();
        match self.addresses.get(number as usize) {
            Some(known) if known.is(to) => (number, false),
            _ => self.look_up(to),
        }
    }

    #[cold]
    fn look_up(&mut self, to: &Upid) -> Numbered<u32> {
        if let Some(&number) = self.to.get(to.id()) {
            self.addresses[number as usize] = to.clone();
            to.remember_number(number);
            return (number, false);
        }
        let number = self.to.len() as u32;
        self.to.insert(to.id().into(), number);
        self.addresses.push(to.clone());
        to.remember_number(number);
        (number, true)
    }

    #[inline]
    pub(crate) fn from(&mut self, from: &Upid) -> Numbered<u32> {
        // Only processes of this node send: each has its handle.
        let Some(at) = from.handle().map(|at| at.pack()) else {
            return (NOBODY, false);
        };
        let place = at as usize;
        if let Some(number) = self.recent_from.get(place, &at) {
            return (number, false);
        }
        let next = self.from.len() as u32;
        let number = *self.from.entry(at).or_insert(next);
        self.recent_from.set(place, at, number);
        (number, number == next)
    }

    #[inline]
    pub(crate) fn name(&mut self, name: &'static str) -> Numbered<u16> {
        let place = (name.as_ptr() as usize).wrapping_add(name.len());
        if let Some(number) = self.recent_names.get(place, &Static(name)) {
            return (number, false);
        }
        let next = self.names.len() as u16;
        let number = *self.names.entry(name).or_insert(next);
        self.recent_names.set(place, Static(name), number);
        (number, number == next)
    }
}

/// Ids and names by their numbers.
pub(super) struct Meanings<'a> {
    pub(super) to: &'a [Upid],
    /// Processes of this node, by the place they have or had.
    pub(super) from: Vec<u64>,
    pub(super) names: Vec<&'static str>,
}

/// A text of the program itself: one at the same place is the same.
#[derive(Clone, Copy)]
struct Static(&'static str);

impl PartialEq for Static {
    fn eq(&self, other: &Static) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// What was looked up lately, each in the one place it can be in.
struct Recent<K, V>(Vec<Option<(K, V)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent(Vec::new())
    }
}

impl<K: PartialEq + Clone, V: Copy + Clone> Recent<K, V> {
    #[inline]
    fn get(&self, place: usize, key: &K) -> Option<V> {
        let (known, value) = self.0.get(place % RECENT)?.as_ref()?;
        (known == key).then_some(*value)
    }

    fn set(&mut self, place: usize, key: K, value: V) {
        if self.0.is_empty() {
            self.0.resize(RECENT, None);
        }
        self.0[place % RECENT] = Some((key, value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pid::Home;
    use crate::table::Handle;

    fn upid(text: &str) -> Upid {
        text.parse().expect("an address")
    }

    #[test]
    fn an_id_is_defined_once_however_many_values_name_it() {
        let mut numbers = Numbers::default();
        let (a, again, b) = (
            upid("a@1.2.3.4:5"),
            upid("a@1.2.3.4:5"),
            upid("b@1.2.3.4:5"),
        );
        assert_eq!(numbers.to(&a), (0, true));
        assert_eq!(numbers.to(&again), (0, false));
        assert_eq!(numbers.to(&b), (1, true));
        for _ in 0..3 {
            assert_eq!(numbers.to(&a), (0, false));
            assert_eq!(numbers.to(&b), (1, false));
        }
    }

    #[test]
    fn a_number_remembered_from_another_connection_is_not_believed() {
        let (mut first, mut second) = (Numbers::default(), Numbers::default());
        let (a, b) = (upid("a@1.2.3.4:5"), upid("b@1.2.3.4:5"));
        assert_eq!(first.to(&a), (0, true));
        assert_eq!(first.to(&b), (1, true));
        assert_eq!(second.to(&b), (0, true));
        assert_eq!(second.to(&a), (1, true));
        assert_eq!((first.to(&a), first.to(&b)), ((0, false), (1, false)));
    }

    #[test]
    fn senders_that_share_a_place_keep_their_own_numbers() {
        let mut numbers = Numbers::default();
        let home = Arc::new(Home {
            address: "1.2.3.4:5".parse().expect("an address"),
            is_node: true,
        });
        let at = |index| {
            let generation = 1;
            Upid::of(
                "x".into(),
                home.clone(),
                Handle { index, generation }.pack(),
            )
        };
        let places = [3, 3 + RECENT as u32, 3 + 2 * RECENT as u32];
        for (number, index) in (0..).zip(places) {
            assert_eq!(numbers.from(&at(index)), (number, true));
        }
        for (number, index) in (0..).zip(places) {
            assert_eq!(numbers.from(&at(index)), (number, false));
        }
        assert_eq!(numbers.from(&upid("x@1.2.3.4:5")), (NOBODY, false));
    }
}
