//! Ranges of numbers, such as ports: sorted, apart, inclusive.

use std::fmt;
use std::ops::{AddAssign, RangeInclusive, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// One value lists at most this many ranges: every port alone, and every second one left out.
pub const MAX_RANGES: usize = 32_768;

/// Parsing reads no more than this.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// The numbers from `begin` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// The first number.
    pub begin: u64,
    /// The last number, not below the first.
    pub end: u64,
}

/// A set of numbers, kept as ranges that are sorted and neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Range>", into = "Vec<Range>")]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Returns the empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the ranges, in order.
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    /// Returns whether no number is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many numbers are in the set, at most `u64::MAX`.
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, r| {
            sum.saturating_add(r.end - r.begin).saturating_add(1)
        })
    }

    /// Returns the numbers, the least first.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|r| r.begin..=r.end)
    }

    /// Returns whether every number of `other` is in this set.
    pub fn contains(&self, other: &Ranges) -> bool {
        let mut ours = self.0.iter();
        let mut current = ours.next();
        'theirs: for theirs in &other.0 {
            while let Some(range) = current {
                if theirs.begin <= range.end {
                    if range.begin <= theirs.begin && theirs.end <= range.end {
                        continue 'theirs;
                    }
                    return false;
                }
                current = ours.next();
            }
            return false;
        }
        true
    }

    /// Returns whether `number` is in this set.
    pub fn contains_number(&self, number: u64) -> bool {
        let after = self.0.partition_point(|r| r.begin <= number);
        after > 0 && number <= self.0[after - 1].end
    }

    /// Returns the numbers in both sets.
    pub fn intersect(&self, other: &Ranges) -> Ranges {
        let (mut result, mut i, mut j) = (Vec::new(), 0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (begin, end) = (a.begin.max(b.begin), a.end.min(b.end));
            if begin <= end {
                result.push(Range { begin, end });
            }
            if a.end < b.end { i += 1 } else { j += 1 }
        }
        Ranges(result)
    }

    /// Takes the `count` least numbers out of the set, or none when there are fewer.
    pub fn take(&mut self, count: u64) -> Option<Ranges> {
        if self.len() < count {
            return None;
        }
        let (mut taken, mut left) = (Vec::new(), count);
        for range in &self.0 {
            if left == 0 {
                break;
            }
            let end = range.end.min(range.begin.saturating_add(left - 1));
            left -= end - range.begin + 1;
            taken.push(Range {
                begin: range.begin,
                end,
            });
        }
        let taken = Ranges(taken);
        *self -= &taken;
        Some(taken)
    }

    /// Sorts and joins what may be in any order.
    fn coalesce(mut ranges: Vec<Range>) -> Ranges {
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        ranges.dedup_by(|next, last| {
            let touch = next.begin <= last.end.saturating_add(1);
            if touch {
                last.end = last.end.max(next.end);
            }
            touch
        });
        Ranges(ranges)
    }
}

impl AddAssign<&Ranges> for Ranges {
    fn add_assign(&mut self, other: &Ranges) {
        let (Some(last), Some(first)) = (self.0.last(), other.0.first()) else {
            if self.0.is_empty() {
                self.0.clone_from(&other.0);
            }
            return;
        };
        if last.end < first.begin && last.end + 1 < first.begin {
            return self.0.extend_from_slice(&other.0);
        }
        let mut merged: Vec<Range> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut i, mut j) = (0, 0);
        loop {
            let next = match (self.0.get(i), other.0.get(j)) {
                (Some(a), Some(b)) if a.begin <= b.begin => (i += 1, *a).1,
                (_, Some(b)) => (j += 1, *b).1,
                (Some(a), None) => (i += 1, *a).1,
                (None, None) => break,
            };
            match merged.last_mut() {
                Some(last) if next.begin <= last.end.saturating_add(1) => {
                    last.end = last.end.max(next.end);
                }
                _ => merged.push(next),
            }
        }
        self.0 = merged;
    }
}

impl SubAssign<&Ranges> for Ranges {
    fn sub_assign(&mut self, other: &Ranges) {
        if other.0.is_empty() || self.0.is_empty() {
            return;
        }
        if *self == *other {
            return self.0.clear();
        }
        let mut rest = Vec::with_capacity(self.0.len() + other.0.len());
        let mut j = 0;
        'ours: for range in &self.0 {
            let mut begin = range.begin;
            while other.0.get(j).is_some_and(|b| b.end < begin) {
                j += 1;
            }
            while let Some(b) = other.0.get(j).filter(|b| b.begin <= range.end) {
                if begin < b.begin {
                    rest.push(Range {
                        begin,
                        end: b.begin - 1,
                    });
                }
                if b.end >= range.end {
                    continue 'ours; // this hole may reach into the next range of ours
                }
                begin = b.end + 1;
                j += 1;
            }
            rest.push(Range {
                begin,
                end: range.end,
            });
        }
        self.0 = rest;
    }
}

impl From<RangeInclusive<u64>> for Ranges {
    fn from(range: RangeInclusive<u64>) -> Self {
        let (begin, end) = range.into_inner();
        if begin > end {
            return Self::new();
        }
        Self(vec![Range { begin, end }])
    }
}

impl TryFrom<Vec<Range>> for Ranges {
    type Error = ParseError;

    fn try_from(ranges: Vec<Range>) -> Result<Self, ParseError> {
        if ranges.len() > MAX_RANGES {
            return Err(ParseError::TooMany { max: MAX_RANGES });
        }
        if let Some(r) = ranges.iter().find(|r| r.begin > r.end) {
            return Err(ParseError::OutOfRange(format!("{}-{}", r.begin, r.end)));
        }
        Ok(Self::coalesce(ranges))
    }
}

impl From<Ranges> for Vec<Range> {
    fn from(ranges: Ranges) -> Self {
        ranges.0
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        Self::coalesce(
            numbers
                .into_iter()
                .map(|n| Range { begin: n, end: n })
                .collect(),
        )
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, range) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}-{}", range.begin, range.end)?;
        }
        f.write_str("]")
    }
}

impl FromStr for Ranges {
    type Err = ParseError;

    /// Reads `[1-10, 20-30]`, in any order, with overlaps.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        ParseError::limit(text, MAX_TEXT_BYTES)?;
        let inner = text
            .trim()
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'));
        let inner = inner
            .ok_or_else(|| ParseError::expected("[begin-end, …]", text))?
            .trim();
        if inner.is_empty() {
            return Ok(Self::new());
        }
        let mut ranges = Vec::new();
        for part in inner.split(',') {
            if ranges.len() == MAX_RANGES {
                return Err(ParseError::TooMany { max: MAX_RANGES });
            }
            let (begin, end) = part
                .split_once('-')
                .ok_or_else(|| ParseError::expected("a range begin-end", part))?;
            ranges.push(Range {
                begin: number(begin)?,
                end: number(end)?,
            });
        }
        Self::try_from(ranges)
    }
}

fn number(text: &str) -> Result<u64, ParseError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseError::expected("a whole number", text));
    }
    text.parse()
        .map_err(|_| ParseError::OutOfRange(text.chars().take(40).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        assert_eq!(
            ranges("[20-30, 1-10, 11-12, 25-40]").to_string(),
            "[1-12, 20-40]"
        );
        assert_eq!(ranges("[]"), Ranges::new());
    }

    #[test]
    fn ranges_at_the_end_of_the_numbers_are_ordinary() {
        let all = ranges("[0-18446744073709551615]");
        assert_eq!(all.len(), u64::MAX);
        let mut some = all.clone();
        some -= &ranges("[5-18446744073709551615]");
        assert_eq!(some.to_string(), "[0-4]");
        some += &all;
        assert_eq!(some, all);
        some += &ranges("[7-8]");
        assert_eq!(some, all);
    }

    #[test]
    fn a_bad_text_is_an_error() {
        for bad in [
            "", "1-2", "[1]", "[2-1]", "[1-2", "[a-b]", "[-1-2]", "[1-2,]", "[+1-2]",
        ] {
            assert!(bad.parse::<Ranges>().is_err(), "{bad}");
        }
        assert!(format!("[1-{}]", "9".repeat(30)).parse::<Ranges>().is_err());
        let many = format!("[{}]", vec!["1-2"; MAX_RANGES + 1].join(","));
        assert_eq!(
            many.parse::<Ranges>(),
            Err(ParseError::TooMany { max: MAX_RANGES })
        );
    }

    #[test]
    fn the_least_numbers_are_taken_first() {
        let mut ports = ranges("[1-2, 5-9]");
        assert_eq!(ports.take(4), Some(ranges("[1-2, 5-6]")));
        assert_eq!(ports, ranges("[7-9]"));
        assert_eq!(ports.take(4), None);
        assert_eq!(ports, ranges("[7-9]"));
        assert_eq!(ports.take(0), Some(Ranges::new()));
    }

    fn model(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.numbers().collect()
    }

    fn any_ranges() -> impl Strategy<Value = Ranges> {
        prop::collection::vec((0u64..60, 0u64..6), 0..10).prop_map(|pairs| {
            let ranges = pairs.into_iter().map(|(begin, n)| Range {
                begin,
                end: begin + n,
            });
            Ranges::try_from(ranges.collect::<Vec<_>>()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn ranges_agree_with_sets_of_numbers(a in any_ranges(), b in any_ranges()) {
            let (x, y) = (model(&a), model(&b));
            let mut sum = a.clone();
            sum += &b;
            prop_assert_eq!(model(&sum), &x | &y);
            let mut difference = a.clone();
            difference -= &b;
            prop_assert_eq!(model(&difference), &x - &y);
            prop_assert_eq!(model(&a.intersect(&b)), &x & &y);
            prop_assert_eq!(a.contains(&b), x.is_superset(&y));
            prop_assert_eq!(a.len(), x.len() as u64);
            for number in 0..70 {
                prop_assert_eq!(a.contains_number(number), x.contains(&number));
            }
            let union: Ranges = (&x | &y).into_iter().collect();
            prop_assert_eq!(&sum, &union);
            let rest: Ranges = (&x - &y).into_iter().collect();
            prop_assert_eq!(&difference, &rest);
        }

        #[test]
        fn the_text_of_ranges_reads_as_the_ranges(a in any_ranges()) {
            prop_assert_eq!(a.to_string().parse::<Ranges>().unwrap(), a);
        }
    }
}
