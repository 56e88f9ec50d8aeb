//! What a storage keeps of a variable: a name, a version, and bytes.

use bytes::Bytes;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a variable, in bytes: what a path component of ZooKeeper and a key of a file
/// bear without care.
pub const NAME_MAX: usize = 512;

/// Which value of a variable this is. No two values ever stored have the same.
///
/// A number that counts would repeat itself when a variable is expunged and made anew; a random
/// one does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(Uuid);

impl Version {
    /// Bytes of a version.
    pub(crate) const LEN: usize = 16;

    /// A version nobody else has.
    pub fn fresh() -> Version {
        Version(Uuid::from_u128(libproc::env::rng().random()))
    }

    fn from_bytes(bytes: [u8; Version::LEN]) -> Version {
        Version(Uuid::from_bytes(bytes))
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// A value of a variable, as a storage keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of the variable.
    pub name: String,
    /// Which value of it this is.
    pub version: Version,
    /// The value, encoded.
    pub value: Bytes,
}

impl Entry {
    /// The version and the value, for a storage that knows the name.
    pub(crate) fn to_record(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(Version::LEN + self.value.len());
        record.extend_from_slice(self.version.0.as_bytes());
        record.extend_from_slice(&self.value);
        record
    }

    /// Reads what [`to_record`](Entry::to_record) wrote; none if it did not.
    pub(crate) fn from_record(name: &str, record: &[u8]) -> Option<Entry> {
        let (version, value) = record.split_first_chunk()?;
        Some(Entry {
            name: name.to_owned(),
            version: Version::from_bytes(*version),
            value: Bytes::copy_from_slice(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let entry = Entry {
            name: "a".to_owned(),
            version: Version::fresh(),
            value: Bytes::from_static(b"value"),
        };
        let read = Entry::from_record("a", &entry.to_record()).unwrap();
        assert_eq!(read, entry);
        assert_eq!(Entry::from_record("a", &[0; Version::LEN - 1]), None);
    }
}
