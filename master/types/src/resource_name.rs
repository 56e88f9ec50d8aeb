//! Names of resources: five that everybody knows, and whatever an operator adds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::ResourceError;

/// A name has at most this many bytes.
pub const MAX_RESOURCE_NAME_BYTES: usize = 128;

/// The name of a resource. The well-known ones cost nothing to copy, and come first in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(Name);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Name {
    Cpus,
    Mem,
    Disk,
    Gpus,
    Ports,
    Other(Arc<str>),
}

impl ResourceName {
    /// Processors, with fractions.
    pub const CPUS: ResourceName = ResourceName(Name::Cpus);
    /// Memory, in MiB.
    pub const MEM: ResourceName = ResourceName(Name::Mem);
    /// Disk, in MiB.
    pub const DISK: ResourceName = ResourceName(Name::Disk);
    /// Graphics processors, whole ones.
    pub const GPUS: ResourceName = ResourceName(Name::Gpus);
    /// Network ports, as ranges.
    pub const PORTS: ResourceName = ResourceName(Name::Ports);

    /// Takes a text as a name.
    ///
    /// # Errors
    ///
    /// Fails when the text is empty, has more than 128 bytes, or has white space, control
    /// characters, brackets, colons, commas or semicolons in it.
    pub fn new(text: &str) -> Result<Self, ResourceError> {
        Ok(Self(match text {
            "cpus" => Name::Cpus,
            "mem" => Name::Mem,
            "disk" => Name::Disk,
            "gpus" => Name::Gpus,
            "ports" => Name::Ports,
            other => {
                check(other)?;
                Name::Other(other.into())
            }
        }))
    }

    /// Returns the text of the name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Cpus => "cpus",
            Name::Mem => "mem",
            Name::Disk => "disk",
            Name::Gpus => "gpus",
            Name::Ports => "ports",
            Name::Other(text) => text,
        }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ResourceName {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        Self::new(text)
    }
}

impl Serialize for ResourceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ResourceName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a resource")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ResourceName, E> {
                ResourceName::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn check(text: &str) -> Result<(), ResourceError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()[]{}<>:;,".contains(c);
    if text.is_empty() || text.len() > MAX_RESOURCE_NAME_BYTES || text.contains(forbidden) {
        return Err(ResourceError::Name(text.chars().take(40).collect()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_are_constants() {
        assert_eq!(ResourceName::new("cpus"), Ok(ResourceName::CPUS));
        assert_eq!(ResourceName::new("ports"), Ok(ResourceName::PORTS));
        assert!(ResourceName::PORTS < ResourceName::new("bandwidth").unwrap());
    }

    #[test]
    fn a_name_stays_clear_of_the_text_format() {
        for bad in ["", "a b", "a:b", "a;b", "a(b", "a\n", &"a".repeat(129)] {
            assert!(ResourceName::new(bad).is_err(), "{bad}");
        }
    }
}
