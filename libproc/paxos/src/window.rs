//! The end of the log in memory: what is not yet chosen, and a little of what is.

use crate::{Entry, Position};
use std::collections::VecDeque;

/// Entries of consecutive positions; those not accepted are holes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Window {
    first: Position,
    slots: VecDeque<Option<Entry>>,
    bytes: usize,
}

impl Window {
    /// An empty one whose first position is `first`.
    pub(crate) fn new(first: Position) -> Self {
        Self {
            first,
            slots: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The first position that is in memory.
    pub(crate) fn first(&self) -> Position {
        self.first
    }

    /// The last position with an entry, or the one before the first.
    pub(crate) fn last(&self) -> Position {
        Position(self.first.0 + self.slots.len() as u64 - 1)
    }

    /// The weight of all entries, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, position: Position) -> Option<&Entry> {
        if position < self.first {
            return None;
        }
        self.slots
            .get(usize::try_from(position.since(self.first)).ok()?)?
            .as_ref()
    }

    /// Puts `entry` at `position`. Positions that have left the memory are ignored.
    pub(crate) fn set(&mut self, position: Position, entry: Entry) {
        if position < self.first {
            return;
        }
        let index =
            usize::try_from(position.since(self.first)).expect("callers bound how far ahead");
        while self.slots.len() <= index {
            self.slots.push_back(None);
        }
        self.bytes += entry.action.weight();
        if let Some(old) = self.slots[index].replace(entry) {
            self.bytes -= old.action.weight();
        }
    }

    /// Forgets what is before `first`.
    pub(crate) fn drop_before(&mut self, first: Position) {
        while self.first < first {
            match self.slots.pop_front() {
                Some(Some(entry)) => self.bytes -= entry.action.weight(),
                Some(None) => {}
                None => {
                    self.first = first;
                    return;
                }
            }
            self.first = self.first.next();
        }
    }

    /// Forgets what is after `last`.
    pub(crate) fn drop_after(&mut self, last: Position) {
        while self.last() > last && !self.slots.is_empty() {
            if let Some(Some(entry)) = self.slots.pop_back() {
                self.bytes -= entry.action.weight();
            }
        }
    }

    /// Makes a hole at `position`.
    pub(crate) fn lose(&mut self, position: Position) {
        if position < self.first || position > self.last() {
            return;
        }
        let index = usize::try_from(position.since(self.first)).expect("it is in memory");
        if let Some(old) = self.slots[index].take() {
            self.bytes -= old.action.weight();
        }
        while let Some(None) = self.slots.back() {
            self.slots.pop_back();
        }
    }

    /// Entries from `first` on, without the holes.
    pub(crate) fn from(&self, first: Position) -> impl Iterator<Item = (Position, &Entry)> {
        let skip = usize::try_from(first.since(self.first)).unwrap_or(usize::MAX);
        self.slots
            .iter()
            .enumerate()
            .skip(skip)
            .filter_map(|(index, slot)| Some((self.first.plus(index as u64), slot.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Ballot};

    fn nop() -> Entry {
        Entry {
            ballot: Ballot::ZERO,
            action: Action::Nop,
        }
    }

    #[test]
    fn holes_are_not_entries() {
        let mut window = Window::new(Position(5));
        window.set(Position(7), nop());
        assert_eq!(window.last(), Position(7));
        assert_eq!(window.get(Position(6)), None);
        assert_eq!(
            window
                .from(Position(1))
                .map(|(at, _)| at)
                .collect::<Vec<_>>(),
            [Position(7)]
        );
    }

    #[test]
    fn weight_follows_what_is_dropped() {
        let mut window = Window::new(Position(1));
        for position in 1..=4 {
            window.set(Position(position), nop());
        }
        window.set(Position(4), nop());
        window.drop_before(Position(3));
        window.lose(Position(4));
        assert_eq!((window.first(), window.last()), (Position(3), Position(3)));
        window.drop_before(Position(9));
        assert_eq!((window.bytes(), window.last()), (0, Position(8)));
    }
}
