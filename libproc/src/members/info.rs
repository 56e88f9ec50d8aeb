//! What a node tells the others of itself: a name, a role, and a few words more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest name or role of a member, and longest key, in bytes.
pub const WORD_MAX: usize = 64;
/// Most entries of a member's map.
pub const ENTRIES_MAX: usize = 16;
/// Most bytes of name, role, keys and values together: they travel in every packet of the gossip.
pub const INFO_MAX: usize = 1024;

/// What a node tells the other members of its cluster of itself. All of it is optional.
///
/// ```
/// let info = libproc::MemberInfo::new()
///     .name("builder-7")
///     .role("worker")
///     .entry("zone", "north");
/// assert_eq!(info.get("zone"), Some("north"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberInfo {
    name: Box<str>,
    role: Box<str>,
    entries: BTreeMap<Box<str>, Box<str>>,
}

impl MemberInfo {
    /// Says nothing.
    #[must_use]
    pub fn new() -> MemberInfo {
        MemberInfo::default()
    }

    /// What people call the node; at most [`WORD_MAX`] bytes.
    #[must_use]
    pub fn name(mut self, name: &str) -> MemberInfo {
        self.name = name.into();
        self
    }

    /// What the node is for, which placement can ask for; at most [`WORD_MAX`] bytes.
    #[must_use]
    pub fn role(mut self, role: &str) -> MemberInfo {
        self.role = role.into();
        self
    }

    /// Something else; at most [`ENTRIES_MAX`] of them, keys of at most [`WORD_MAX`] bytes, and at
    /// most [`INFO_MAX`] bytes in all.
    #[must_use]
    pub fn entry(mut self, key: &str, value: &str) -> MemberInfo {
        self.entries.insert(key.into(), value.into());
        self
    }

    /// The name that was given, or nothing.
    #[must_use]
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The role that was given, or nothing.
    #[must_use]
    pub fn get_role(&self) -> &str {
        &self.role
    }

    /// The value of an entry.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|value| &**value)
    }

    /// The entries, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether it keeps within the limits.
    pub(crate) fn is_valid(&self) -> bool {
        let words = [&self.name, &self.role].into_iter();
        let lengths = self.entries.iter();
        let bytes: usize = lengths.map(|(key, value)| key.len() + value.len()).sum();
        words
            .chain(self.entries.keys())
            .all(|word| word.len() <= WORD_MAX && !word.contains(char::is_control))
            && self.entries.len() <= ENTRIES_MAX
            && bytes + self.name.len() + self.role.len() <= INFO_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_a_limit_is_not_valid() {
        let long = "x".repeat(WORD_MAX + 1);
        assert!(
            MemberInfo::new()
                .name("a")
                .role("b")
                .entry("c", &long)
                .is_valid()
        );
        assert!(!MemberInfo::new().name(&long).is_valid());
        assert!(!MemberInfo::new().role(&long).is_valid());
        assert!(!MemberInfo::new().entry(&long, "").is_valid());
        assert!(
            !MemberInfo::new()
                .entry("a", &"x".repeat(INFO_MAX))
                .is_valid()
        );
        assert!(!MemberInfo::new().name("a\nb").is_valid());
        let crowd =
            (0..=ENTRIES_MAX).fold(MemberInfo::new(), |info, n| info.entry(&n.to_string(), ""));
        assert!(!crowd.is_valid());
    }
}
