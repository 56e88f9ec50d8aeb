//! Ids: one type per kind of thing, so that none passes for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use uuid::Uuid;

use crate::InvalidId;

/// An id has at most this many bytes, because it becomes the name of a directory.
pub const MAX_ID_BYTES: usize = 255;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 255 bytes without slashes, backslashes and control characters; cheap to clone.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text as an id.
            ///
            /// # Errors
            ///
            /// Fails when the text could not be the name of a directory.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// Makes up an id that was never used, a random UUID.
            pub fn random() -> Self {
                Self(Uuid::new_v4().to_string().into())
            }

            /// Returns the text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text("an id")).map(Self)
            }
        }
    };
}

id! {
    /// Names a framework for all its lives.
    FrameworkId
}
id! {
    /// Names an agent, from its first registration until it is gone.
    AgentId
}
id! {
    /// Names an offer, once.
    OfferId
}
id! {
    /// Names a task within its framework.
    TaskId
}
id! {
    /// Names an executor within its framework and agent.
    ExecutorId
}
id! {
    /// Names a container on an agent.
    ContainerId
}

/// Names one status update, for its acknowledgement.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct UpdateId(Uuid);

impl UpdateId {
    /// Makes up an id that was never used.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes a UUID as an id.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for UpdateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UpdateId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let uuid = Uuid::try_parse(text)
            .map_err(|_| InvalidId::Uuid(text.chars().take(MAX_QUOTED_CHARACTERS).collect()))?;
        Ok(Self(uuid))
    }
}

/// An error quotes no more of a wrong text than this.
const MAX_QUOTED_CHARACTERS: usize = 40;

/// Fails when the text could not be the name of a directory.
pub(crate) fn check(text: &str) -> Result<(), InvalidId> {
    match text {
        "" => return Err(InvalidId::Empty),
        "." | ".." => return Err(InvalidId::Dots),
        _ => {}
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong {
            length: text.len(),
            max: MAX_ID_BYTES,
        });
    }
    match text
        .chars()
        .find(|c| c.is_control() || matches!(c, '/' | '\\'))
    {
        Some(character) => Err(InvalidId::Character(character)),
        None => Ok(()),
    }
}

/// Reads a checked text without an allocation in between.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arc<str>, E> {
        check(text).map_err(E::custom)?;
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_name_of_a_directory() {
        assert!(TaskId::new("a-1.b_2 ü").is_ok());
        assert_eq!(TaskId::new(""), Err(InvalidId::Empty));
        assert_eq!(TaskId::new("."), Err(InvalidId::Dots));
        assert_eq!(TaskId::new(".."), Err(InvalidId::Dots));
        assert_eq!(TaskId::new("a/b"), Err(InvalidId::Character('/')));
        assert_eq!(TaskId::new("a\\b"), Err(InvalidId::Character('\\')));
        assert_eq!(TaskId::new("a\nb"), Err(InvalidId::Character('\n')));
    }

    #[test]
    fn an_id_has_at_most_255_bytes() {
        assert!(AgentId::new("a".repeat(255)).is_ok());
        assert_eq!(
            AgentId::new("a".repeat(256)),
            Err(InvalidId::TooLong {
                length: 256,
                max: 255
            })
        );
    }

    #[test]
    fn an_id_from_the_wire_is_checked() {
        let id: TaskId = serde_json::from_str("\"web.1\"").unwrap();
        assert_eq!(id.as_str(), "web.1");
        assert!(serde_json::from_str::<TaskId>("\"../web\"").is_err());
        assert!(serde_json::from_str::<TaskId>("7").is_err());
    }

    #[test]
    fn an_update_id_is_sixteen_bytes_on_the_wire_and_text_elsewhere() {
        let id = UpdateId::random();
        let bytes = rmp_serde::to_vec_named(&id).unwrap();
        assert_eq!(bytes.len(), 18);
        assert_eq!(rmp_serde::from_slice::<UpdateId>(&bytes).unwrap(), id);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("seven".parse::<UpdateId>().is_err());
    }
}
