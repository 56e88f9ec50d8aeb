//! Roles: whom resources are for, as a path from the general to the particular.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::InvalidRole;

/// A role has at most this many bytes: it is kept with every allocation and shown on one line.
pub const MAX_ROLE_BYTES: usize = 255;

/// A role has at most this many levels, so that walking its ancestors is always short.
pub const MAX_ROLE_LEVELS: usize = 32;

static ANY: LazyLock<Role> = LazyLock::new(|| Role(Arc::from("*")));

/// A role: `*`, or a path such as `engineering/search`.
///
/// The default is `*`, the role of everybody. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(Arc<str>);

impl Role {
    /// Takes a text as a role.
    ///
    /// # Errors
    ///
    /// Fails when the text is neither `*` nor a path of components that are not empty, are none of
    /// `.`, `..` and `*`, do not begin with `-` and have no white space.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidRole> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// Returns `*`, the role of everybody.
    pub fn any() -> Self {
        ANY.clone()
    }

    /// Returns whether this is `*`.
    pub fn is_any(&self) -> bool {
        &*self.0 == "*"
    }

    /// Returns the text of the role.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the components of the path, the most general first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the role one level up, if there is one.
    pub fn parent(&self) -> Option<Role> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Role(parent.into()))
    }

    /// Returns the roles above this one, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Role> {
        std::iter::successors(self.parent(), Role::parent)
    }

    /// Returns whether this role lies strictly below `other`. Nothing lies below `*`.
    pub fn is_strictly_below(&self, other: &Role) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns whether this role is `other` or lies below it.
    pub fn is_within(&self, other: &Role) -> bool {
        self == other || self.is_strictly_below(other)
    }
}

impl Default for Role {
    fn default() -> Self {
        Self::any()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Role {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        if text == "*" {
            return Ok(Self::any());
        }
        check(text)?;
        Ok(Self(text.into()))
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Role;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Role, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn check(text: &str) -> Result<(), InvalidRole> {
    if text == "*" {
        return Ok(());
    }
    if text.len() > MAX_ROLE_BYTES {
        return Err(InvalidRole::TooLong {
            length: text.len(),
            max: MAX_ROLE_BYTES,
        });
    }
    if let Some(character) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(InvalidRole::Character(character));
    }
    if text.split('/').count() > MAX_ROLE_LEVELS {
        return Err(InvalidRole::TooDeep {
            max: MAX_ROLE_LEVELS,
        });
    }
    for component in text.split('/') {
        match component {
            "" => return Err(InvalidRole::Empty),
            "." | ".." | "*" => return Err(InvalidRole::Component(component.to_owned())),
            dashed if dashed.starts_with('-') => return Err(InvalidRole::Dash),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(text: &str) -> Role {
        Role::new(text).unwrap()
    }

    #[test]
    fn a_role_is_a_path_or_a_star() {
        for good in ["*", "a", "a/b", "web-1", "a.b/..c", "ü"] {
            assert!(Role::new(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "a/..", "a/*", "-a", "a/-b", "a b", "a\tb", "a\u{8}",
        ] {
            assert!(Role::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_knows_what_is_above_it() {
        let ancestors: Vec<_> = role("a/b/c").ancestors().map(|r| r.to_string()).collect();
        assert_eq!(ancestors, ["a/b", "a"]);
        assert_eq!(role("a").parent(), None);
        assert_eq!(Role::any().parent(), None);
        assert!(role("a/b").is_strictly_below(&role("a")));
        assert!(!role("ab").is_strictly_below(&role("a")));
        assert!(!role("a").is_strictly_below(&role("a")));
        assert!(role("a").is_within(&role("a")));
        assert!(!role("a").is_within(&Role::any()));
    }

    #[test]
    fn the_default_role_is_everybodys() {
        assert!(Role::default().is_any());
        assert_eq!("*".parse(), Ok(Role::any()));
    }

    #[test]
    fn a_role_is_neither_long_nor_deep() {
        assert!(matches!(
            Role::new("a".repeat(256)),
            Err(InvalidRole::TooLong { .. })
        ));
        let deep = vec!["a"; 33].join("/");
        assert_eq!(Role::new(deep), Err(InvalidRole::TooDeep { max: 32 }));
    }
}
