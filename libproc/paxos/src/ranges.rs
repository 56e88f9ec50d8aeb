//! Ranges of entries past the commit: asked for, or here before what comes before them.

use crate::{Entry, Millis, NodeId, Position, RequestId, Span};
use std::collections::BTreeMap;

/// A question that waits for its answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Question {
    pub(crate) request: RequestId,
    pub(crate) peer: NodeId,
    pub(crate) span: Span,
    pub(crate) until: Millis,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Range {
    Asked(Question),
    Early(Vec<Entry>),
}

/// Ranges by their first positions; no two overlap.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<Position, Range>);

impl Ranges {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The first positions from `next` on that are in no range.
    pub(crate) fn gap(&self, next: Position) -> Span {
        let mut next = next;
        for (first, range) in &self.0 {
            if *first > next {
                return Span::new(next, first.previous());
            }
            let after = match range {
                Range::Asked(question) => question.span.last.next(),
                Range::Early(entries) => first.plus(entries.len() as u64),
            };
            next = next.max(after);
        }
        Span::new(next, Position::MAX)
    }

    pub(crate) fn ask(&mut self, question: Question) {
        self.0.insert(question.span.first, Range::Asked(question));
    }

    /// The question that `peer` answers, if it waits.
    pub(crate) fn answered(&mut self, peer: NodeId, request: RequestId) -> Option<Question> {
        let first = self.0.iter().find_map(|(first, range)| match range {
            Range::Asked(asked) => {
                (asked.request == request && asked.peer == peer).then_some(*first)
            }
            Range::Early(_) => None,
        })?;
        match self.0.remove(&first) {
            Some(Range::Asked(question)) => Some(question),
            Some(Range::Early(_)) | None => None,
        }
    }

    /// Keeps entries that came before those before them.
    pub(crate) fn keep(&mut self, first: Position, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.0.insert(first, Range::Early(entries));
        }
    }

    /// Entries here from `next` on, if there are any. Whatever lies before is forgotten.
    pub(crate) fn take(&mut self, next: Position) -> Option<Vec<Entry>> {
        while let Some(first) = self.0.first_entry() {
            let passed = usize::try_from(next.since(*first.key())).unwrap_or(usize::MAX);
            match first.get() {
                Range::Asked(question) if question.span.last >= next => return None,
                Range::Early(_) if *first.key() > next => return None,
                Range::Asked(_) | Range::Early(_) => {}
            }
            if let Range::Early(mut entries) = first.remove()
                && passed < entries.len()
            {
                return Some(entries.split_off(passed));
            }
        }
        None
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the first question has waited long enough.
    pub(crate) fn deadline(&self) -> Millis {
        let asked = self.0.values().filter_map(|range| match range {
            Range::Asked(question) => Some(question.until),
            Range::Early(_) => None,
        });
        asked.min().unwrap_or(Millis::NEVER)
    }

    /// Gives up the questions that have waited long enough; tells whether there were any.
    pub(crate) fn expire(&mut self, now: Millis) -> bool {
        let before = self.0.len();
        self.0
            .retain(|_, range| !matches!(range, Range::Asked(question) if question.until <= now));
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Ballot, Incarnation};

    fn entries(count: usize) -> Vec<Entry> {
        let entry = Entry {
            ballot: Ballot::ZERO,
            action: Action::Nop,
        };
        vec![entry; count]
    }

    fn question(number: u64, first: u64, last: u64) -> Question {
        Question {
            request: RequestId {
                incarnation: Incarnation(1),
                number,
            },
            peer: NodeId(2),
            span: Span::new(Position(first), Position(last)),
            until: Millis(number),
        }
    }

    #[test]
    fn what_is_asked_for_or_here_is_no_gap() {
        let mut ranges = Ranges::default();
        ranges.ask(question(1, 5, 6));
        ranges.keep(Position(9), entries(2));
        assert_eq!(ranges.gap(Position(5)), Span::new(Position(7), Position(8)));
        ranges.ask(question(2, 7, 8));
        assert_eq!(
            ranges.gap(Position(5)),
            Span::new(Position(11), Position::MAX)
        );
    }

    #[test]
    fn early_entries_wait_for_those_before_and_lose_what_came_otherwise() {
        let mut ranges = Ranges::default();
        ranges.ask(question(1, 5, 6));
        ranges.keep(Position(7), entries(3));
        assert_eq!(ranges.take(Position(5)), None);
        assert_eq!(ranges.take(Position(9)), Some(entries(1)));
        assert_eq!(ranges.count(), 0);
    }

    #[test]
    fn a_question_is_answered_once_by_whom_it_was_put_to() {
        let mut ranges = Ranges::default();
        let asked = question(1, 5, 6);
        ranges.ask(asked.clone());
        assert_eq!(ranges.answered(NodeId(3), asked.request), None);
        assert_eq!(
            ranges.answered(NodeId(2), asked.request),
            Some(asked.clone())
        );
        assert_eq!(ranges.answered(NodeId(2), asked.request), None);
    }

    #[test]
    fn questions_expire_and_early_entries_do_not() {
        let mut ranges = Ranges::default();
        ranges.ask(question(1, 5, 6));
        ranges.keep(Position(7), entries(1));
        assert_eq!(ranges.deadline(), Millis(1));
        assert!(ranges.expire(Millis(1)));
        assert!(!ranges.expire(Millis(9)));
        assert_eq!((ranges.count(), ranges.deadline()), (1, Millis::NEVER));
    }
}
