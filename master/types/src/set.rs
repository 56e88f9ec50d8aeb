//! Sets of words, such as the names of disks.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// One set has at most this many words.
pub const MAX_SET_ITEMS: usize = 10_000;

/// A word has at most this many bytes.
const MAX_ITEM_BYTES: usize = 255;

/// Parsing reads no more than this.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// A set of words, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Set(BTreeSet<String>);

impl Set {
    /// Returns the empty set.
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Returns whether no word is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many words are in the set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns whether every word of `other` is in this set.
    pub fn contains(&self, other: &Set) -> bool {
        self.0.is_superset(&other.0)
    }

    /// Returns the words in both sets.
    pub fn intersect(&self, other: &Set) -> Set {
        Set(self.0.intersection(&other.0).cloned().collect())
    }
}

impl AddAssign<&Set> for Set {
    fn add_assign(&mut self, other: &Set) {
        self.0.extend(other.0.iter().cloned());
    }
}

impl SubAssign<&Set> for Set {
    fn sub_assign(&mut self, other: &Set) {
        self.0.retain(|item| !other.0.contains(item));
    }
}

impl TryFrom<Vec<String>> for Set {
    type Error = ParseError;

    fn try_from(items: Vec<String>) -> Result<Self, ParseError> {
        if items.len() > MAX_SET_ITEMS {
            return Err(ParseError::TooMany { max: MAX_SET_ITEMS });
        }
        let bad = |item: &&String| {
            item.is_empty()
                || item.len() > MAX_ITEM_BYTES
                || item.trim() != item.as_str()
                || item.contains(['{', '}', ',', ';'])
        };
        if let Some(item) = items.iter().find(bad) {
            return Err(ParseError::expected("a word of at most 255 bytes", item));
        }
        Ok(Self(items.into_iter().collect()))
    }
}

impl From<Set> for Vec<String> {
    fn from(set: Set) -> Self {
        set.0.into_iter().collect()
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, item) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{item}")?;
        }
        f.write_str("}")
    }
}

impl FromStr for Set {
    type Err = ParseError;

    /// Reads `{a,b}`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        ParseError::limit(text, MAX_TEXT_BYTES)?;
        let inner = text
            .trim()
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'));
        let inner = inner
            .ok_or_else(|| ParseError::expected("{word,…}", text))?
            .trim();
        if inner.is_empty() {
            return Ok(Self::new());
        }
        let items: Vec<String> = inner
            .split(',')
            .take(MAX_SET_ITEMS + 1)
            .map(|item| item.trim().to_owned())
            .collect();
        Self::try_from(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Set {
        text.parse().unwrap()
    }

    #[test]
    fn sets_add_subtract_and_contain() {
        let mut a = set("{b, a}");
        assert_eq!(a.to_string(), "{a,b}");
        a += &set("{c}");
        assert_eq!(a, set("{a,b,c}"));
        assert!(a.contains(&set("{a,c}")));
        assert!(!a.contains(&set("{d}")));
        a -= &set("{a,d}");
        assert_eq!(a, set("{b,c}"));
    }

    #[test]
    fn a_bad_text_is_an_error() {
        for bad in ["", "a", "{a", "{a,}", "{{a}}", "{a;b}"] {
            assert!(bad.parse::<Set>().is_err(), "{bad}");
        }
        assert_eq!(set("{}"), Set::new());
    }
}
